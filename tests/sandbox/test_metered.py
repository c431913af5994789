"""A budget of three requests, through the real engine and the unmodified client: three are answered."""

import json
from collections.abc import Generator
from typing import Any

import openai
import pytest

from support.sandbox_project import SandboxProject, portway, start, stop

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

MODEL = "ministral-3-8b"
SPEC = """\
name: few
model: ministral-3-8b
interface: openai
scaling: {min: 1, max: 1, concurrency: 4}
timeout_seconds: 300
access: {auth: api-key, reach: public}
residency: eu
budget: {monthly_usd: 2500, monthly_requests: 3}
"""
PLACEMENTS = {
    "few.prod.cloud-run": (
        "{target: cloud-run, region: europe-west4, options: {billing_account: 01AB23-45CD67-89EF01}}"
    ),
    "few.prod.kubernetes": "{target: kubernetes, cluster: prod-eu, region: europe-west4}",
}
STORES = {
    "few.prod.cloud-run": ("gcp:firestore/database:Database", "few-prod-meter"),
    "few.prod.kubernetes": ("kubernetes:core/v1:PersistentVolumeClaim", "few-prod/few-prod-meter"),
}

INSIDE = "its meter is inside the cluster and answers nobody outside"
READ_BACK: dict[str, tuple[dict[str, int] | None, str | None]] = {
    "few.prod.cloud-run": ({"used": 3, "limit": 3}, None),
    "few.prod.kubernetes": (None, INSIDE),
}


def used(project: SandboxProject, stack: str) -> tuple[dict[str, int] | None, str | None]:
    """What ``portway status`` says of the requests of the month, and why it says nothing."""
    done = portway(project.folder, "status", stack, "--json")
    assert done.returncode == 0, done.stderr
    said: Any = json.loads(done.stdout)
    meter: Any = said["meter"]
    return meter and meter["requests"], said["meter_unread"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    files = {"stacks/specs/few.yaml": SPEC}
    for stack, placement in PLACEMENTS.items():
        files[f"stacks/Pulumi.{stack}.yaml"] = (
            "config:\n"
            "  portway:spec: specs/few.yaml\n"
            f"  portway:placement: {placement}\n"
            "  gcp:project: acme-inference\n"
        )
    made = start(tmp_path_factory.mktemp("metered") / "project", files)
    yield made
    stop(made)


def ask(outputs: dict[str, Any]) -> str | None:
    client = openai.OpenAI(
        base_url=f"{outputs['endpoint']}/v1",
        api_key=outputs["apiKey"],
        max_retries=0,
        timeout=60.0,
    )
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Name a river."}], max_tokens=8
    )
    return answer.choices[0].message.content


@pytest.mark.parametrize("stack", PLACEMENTS)
def test_the_fourth_request_of_a_budget_of_three_is_refused_before_the_model_is_asked(
    project: SandboxProject, stack: str
) -> None:
    assert project.pulumi("stack", "init", stack).returncode == 0
    done = project.pulumi("up", "--yes", "--stack", stack)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    outputs = project.outputs(stack)
    assert all(ask(outputs) for _ in range(3))
    with pytest.raises(openai.RateLimitError) as refused:
        ask(outputs)
    assert (refused.value.status_code, refused.value.code) == (429, "insufficient_quota")
    kind, name = STORES[stack]
    assert [row.key.id.endswith(name) for row in project.store.all(type=kind)] == [True]
    meter, unread = used(project, stack)
    assert (meter, unread) == READ_BACK[stack]
    gone = project.pulumi("destroy", "--yes", "--stack", stack)
    assert gone.returncode == 0, f"{gone.stdout[-4000:]}\n{gone.stderr[-4000:]}"
    assert project.store.all(type=kind) == []


def test_a_budget_of_the_account_is_made_and_goes_with_the_stack(project: SandboxProject) -> None:
    stack = "few.prod.cloud-run"
    project.pulumi("stack", "select", "--create", stack)
    previewed = project.pulumi("preview", "--json", "--stack", stack)
    assert previewed.returncode == 0, previewed.stderr
    steps = json.loads(previewed.stdout)["steps"]
    (budget,) = [step for step in steps if step["urn"].endswith("Budget::few-budget")]
    inputs = budget["newState"]["inputs"]
    assert inputs["amount"] == {"specifiedAmount": {"currencyCode": "USD", "nanos": 0, "units": "2500"}}  # fmt: skip
    assert inputs["budgetFilter"]["projects"][0].removeprefix("projects/").isdigit()
