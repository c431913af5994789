"""A narrow service on all three targets: its figures hold on what is deployed, not only in its spec.

One instance, one request at once, eight seconds, eight requests a month; through the real engine and
the unmodified client.
"""

import json
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from support.openai_clients import openai_client
from support.sandbox_project import SandboxProject, portway, start, stop
from support.waiting import first

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

MODEL = "ministral-3-8b"
LIMIT = 8
SPEC = f"""\
name: few
model: ministral-3-8b
interface: openai
scaling: {{min: 1, max: 1, concurrency: 1}}
timeout_seconds: 8
access: {{auth: api-key, reach: public}}
residency: eu
budget: {{monthly_usd: 2500, monthly_requests: {LIMIT}}}
"""
PLACEMENTS = {
    "few.prod.cloud-run": (
        "{target: cloud-run, region: europe-west4, options: {billing_account: 01AB23-45CD67-89EF01}}"
    ),
    "few.prod.kubernetes": "{target: kubernetes, cluster: prod-eu, region: europe-west4}",
    "few.prod.lambda-bedrock": "{target: lambda-bedrock, region: eu-west-1}",
}
STORES = {
    "few.prod.cloud-run": ("gcp:firestore/database:Database", "few-prod-meter"),
    "few.prod.kubernetes": ("kubernetes:core/v1:PersistentVolumeClaim", "few-prod/few-prod-meter"),
    "few.prod.lambda-bedrock": ("aws:dynamodb/table:Table", "few-prod-meter"),
}
SLOW = {"PORTWAY_SANDBOX_TOKEN_DELAY_SECONDS": "0.25", "PORTWAY_SANDBOX_IDLE_SECONDS": "1"}
"""A token each quarter of a second; an instance that nothing keeps goes after one second."""

INSIDE = "its meter is inside the cluster and answers nobody outside"


@dataclass
class Few:
    """The service on one target. ``counted`` is how many requests of the month were used."""

    project: SandboxProject
    stack: str
    outputs: dict[str, Any]
    counted: int = 0

    def client(self) -> openai.OpenAI:
        return openai_client(self.outputs["endpoint"], self.outputs["apiKey"])

    def ask(self, tokens: int) -> str | None:
        answer = self.client().chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Name a river."}], max_tokens=tokens
        )
        return answer.choices[0].message.content

    def instances(self) -> list[int]:
        """How many run of everything that serves the stack's endpoint."""
        serving: Any = json.loads(self.project.store.meta("serving") or "[]")
        return [
            each["instances"] for each in serving if each["endpoint"] == self.outputs["endpoint"]
        ]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    files = {"stacks/specs/few.yaml": SPEC}
    for stack, placement in PLACEMENTS.items():
        files[f"stacks/Pulumi.{stack}.yaml"] = (
            "config:\n"
            "  portway:spec: specs/few.yaml\n"
            f"  portway:placement: {placement}\n"
            "  gcp:project: acme-inference\n"
            "  aws:region: eu-west-1\n"
        )
    with pytest.MonkeyPatch.context() as patched:
        for name, value in SLOW.items():
            patched.setenv(name, value)
        made = start(tmp_path_factory.mktemp("metered") / "project", files)
    yield made
    stop(made)


@pytest.fixture(scope="module", params=PLACEMENTS)
def few(request: pytest.FixtureRequest, project: SandboxProject) -> Generator[Few]:
    stack: str = request.param
    assert project.pulumi("stack", "init", stack).returncode == 0
    done = project.pulumi("up", "--yes", "--stack", stack)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    yield Few(project, stack, project.outputs(stack))
    kind, _ = STORES[stack]
    gone = project.pulumi("destroy", "--yes", "--stack", stack)
    assert gone.returncode == 0, f"{gone.stdout[-4000:]}\n{gone.stderr[-4000:]}"
    assert project.store.all(type=kind) == []


def test_a_minimum_of_one_keeps_one_that_nobody_asked(few: Few) -> None:
    time.sleep(2.5)  # longer than an instance that nothing keeps is kept
    first(few.instances, lambda running: running == [1], "one instance", 20)


def test_a_request_ends_at_the_timeout(few: Few) -> None:
    begun = time.monotonic()
    with pytest.raises(openai.InternalServerError) as ended:
        few.ask(200)
    few.counted += 1  # the model had begun: nobody knows what it cost, so it counts
    assert (ended.value.status_code, ended.value.code) == (504, "deadline_exceeded")
    assert time.monotonic() - begun >= 8


def test_one_at_once_and_one_at_most_are_never_two_answers_at_a_time(few: Few) -> None:
    spans: list[tuple[float, float]] = []
    refused: list[int] = []

    def stream() -> None:
        try:
            with few.client().chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": "Name a river."}],
                max_tokens=12,
                stream=True,
            ) as answer:
                seen = [time.monotonic() for piece in answer if piece.choices]
            spans.append((seen[0], seen[-1]))
        except openai.RateLimitError as error:
            refused.append(error.status_code)

    threads = [threading.Thread(target=stream) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    few.counted += len(spans)
    assert (len(spans) + len(refused), len(spans) > 0) == (2, True)
    assert set(refused) <= {429}
    if len(spans) == 2:  # the platform held the second until the first was answered
        (_, first_end), (second_begin, _) = sorted(spans)
        assert second_begin > first_end - 1.5


def test_the_request_after_the_last_of_the_budget_is_refused_before_the_model_is_asked(
    few: Few,
) -> None:
    assert all(few.ask(1) for _ in range(LIMIT - few.counted))
    with pytest.raises(openai.RateLimitError) as refused:
        few.ask(1)
    assert (refused.value.status_code, refused.value.code) == (429, "insufficient_quota")
    kind, name = STORES[few.stack]
    assert [row.key.id.endswith(name) for row in few.project.store.all(type=kind)] == [True]


def test_status_says_what_the_meter_counted_where_it_can_be_read(few: Few) -> None:

    def status() -> Any:
        done = portway(few.project.folder, "status", few.stack, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    # a request's line is written a moment after its answer
    said = first(status, lambda told: "insufficient_quota" in told["errors"], "the last line")
    assert said["errors"]["insufficient_quota"] == 1
    assert said["errors"]["deadline_exceeded"] == 1
    if few.stack.endswith("kubernetes"):
        assert (said["meter"], said["meter_unread"]) == (None, INSIDE)
    else:
        assert said["meter"]["requests"] == {"used": LIMIT, "limit": LIMIT}


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
