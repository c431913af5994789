"""Lambda with everything that its options add, through the real engine and the unmodified client."""

import json
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from portway.sandbox.layout import Layout
from support.openai_clients import openai_client
from support.sandbox_project import SandboxProject, start, stop
from support.sandbox_rows import Cloud

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

EDGE, NATIVE = "edge.prod.lambda-bedrock", "oss.prod.lambda-bedrock"
SPEC = """\
name: {name}
model: {model}
interface: openai
scaling: {{min: 0, max: 2, concurrency: 2}}
timeout_seconds: 60
access: {{auth: api-key, reach: public}}
residency: eu
"""
KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
OPTIONS = {
    EDGE: {
        "edge": "rest-api",
        "throttle": {"rate_per_second": 1, "burst": 12},
        "waf_requests_per_five_minutes": 1000,
        "cost_profile": True,
        "guardrail": {"id": "gr1a2b3c4d5e", "version": "3"},
        "kms_key_arn": KEY,
        "dashboard": True,
    },
    NATIVE: {},
}
MODELS = {EDGE: "ministral-3-8b", NATIVE: "gpt-oss-20b"}
GUARDRAIL = {
    "name": "words",
    "blockedInputMessaging": "Let us speak of something else.",
    "blockedOutputsMessaging": "No.",
    "wordPolicyConfig": {"wordsConfigs": [{"text": "mortgage"}]},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    files: dict[str, str] = {}
    for stack, model in MODELS.items():
        name = stack.partition(".")[0]
        place = {"target": "lambda-bedrock", "region": "eu-west-1", "options": OPTIONS[stack]}
        files[f"stacks/specs/{name}.yaml"] = SPEC.format(name=name, model=model)
        files[f"stacks/Pulumi.{stack}.yaml"] = json.dumps(
            {
                "config": {
                    "portway:spec": f"specs/{name}.yaml",
                    "portway:placement": place,
                    "aws:region": "eu-west-1",
                }
            }
        )
    made = start(tmp_path_factory.mktemp("options") / "project", files)
    try:
        for stack in MODELS:
            assert made.pulumi("stack", "init", stack).returncode == 0
            done = made.pulumi("up", "--yes", "--stack", stack)
            assert done.returncode == 0, f"{stack}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        yield made
    finally:
        stop(made)


def client(project: SandboxProject, stack: str, retries: int = 0) -> openai.OpenAI:
    outputs = project.outputs(stack)
    return openai_client(outputs["endpoint"], outputs["apiKey"], max_retries=retries)


def ask(one: openai.OpenAI, stack: str, text: str) -> Any:
    return one.chat.completions.create(
        model=MODELS[stack], messages=[{"role": "user", "content": text}], max_tokens=24
    )


def test_a_guardrail_that_nobody_made_refuses_and_one_that_is_there_filters(
    project: SandboxProject,
) -> None:
    one = client(project, EDGE)
    with pytest.raises(openai.BadRequestError, match="guardrail identifier or version"):
        ask(one, EDGE, "Name a river.")
    cloud = Cloud(Layout.of_project(project.folder))
    kind, scope = "aws:bedrock/guardrail:Guardrail", "111122223333:eu-west-1"
    cloud.put("aws", scope, kind, "gr1a2b3c4d5e", GUARDRAIL, {"guardrailId": "gr1a2b3c4d5e"})
    time.sleep(0.5)
    blocked = ask(one, EDGE, "What does a mortgage cost?").choices[0]
    assert (blocked.finish_reason, blocked.message.content) == (
        "content_filter",
        GUARDRAIL["blockedInputMessaging"],
    )
    answer = ask(one, EDGE, "Name a river.").choices[0]
    assert answer.finish_reason in {"stop", "length"}
    assert answer.message.content


def test_answers_stream_through_the_rest_api_and_its_stage(project: SandboxProject) -> None:
    stream = client(project, EDGE).chat.completions.create(
        model=MODELS[EDGE],
        messages=[{"role": "user", "content": "Name three rivers, and say why they matter."}],
        max_tokens=40,
        stream=True,
    )
    arrived = [time.monotonic() for piece in stream if piece.choices[0].delta.content]
    assert len(arrived) > 5
    assert arrived[-1] - arrived[0] > 0.1
    assert project.outputs(EDGE)["endpoint"].endswith("/live")


def test_outside_the_stage_the_gateway_answers_in_its_own_words(project: SandboxProject) -> None:
    endpoint: str = project.outputs(EDGE)["endpoint"]
    bare = httpx.get(endpoint.removesuffix("/live") + "/v1/models")
    assert (bare.status_code, bare.json()) == (403, {"message": "Forbidden"})
    root = httpx.get(f"{endpoint}/")
    assert (root.status_code, root.json()) == (403, {"message": "Missing Authentication Token"})


def _get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=60)


def test_more_than_the_stage_lets_in_is_told_in_the_gateway_s_words(
    project: SandboxProject,
) -> None:
    endpoint = project.outputs(EDGE)["endpoint"]
    with ThreadPoolExecutor(30) as many:
        urls = [f"{endpoint}/healthz"] * 60
        answers = list(many.map(_get, urls))
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert refused[0].json() == {"message": "Too Many Requests"}
    assert refused[0].headers["x-amzn-errortype"] == "TooManyRequestsException"
    # the unmodified client waits and tries again: a token comes back each second
    assert client(project, EDGE, retries=5).models.list().data[0].id == MODELS[EDGE]


def test_a_model_with_an_openai_endpoint_is_passed_on(project: SandboxProject) -> None:
    one = client(project, NATIVE)
    answer = ask(one, NATIVE, "Name a river.")
    assert answer.model == MODELS[NATIVE]
    assert answer.choices[0].message.content
    text = "".join(
        piece.choices[0].delta.content or ""
        for piece in one.chat.completions.create(
            model=MODELS[NATIVE],
            messages=[{"role": "user", "content": "Name a river."}],
            max_tokens=24,
            stream=True,
        )
        if piece.choices
    )
    assert text == answer.choices[0].message.content


def test_nothing_changes_when_nothing_was_changed(project: SandboxProject) -> None:
    done = project.pulumi("up", "--yes", "--expect-no-changes", "--stack", EDGE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
