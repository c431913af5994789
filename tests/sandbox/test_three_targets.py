"""The same service on all three targets, through the real engine and the unmodified client."""

import json
import time
from collections import Counter
from typing import Any

import httpx
import openai
import pytest

from support.command_line import CommandLine
from support.openai_clients import openai_client
from support.sandbox_project import STACKS, SandboxProject
from support.waiting import first

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

MODEL = "ministral-3-8b"
MESSAGES: Any = [{"role": "user", "content": "Name three rivers, and say why they matter."}]


def client(outputs: dict[str, Any], api_key: str | None = None) -> openai.OpenAI:
    return openai_client(outputs["endpoint"], api_key or outputs["apiKey"])


def say(outputs: dict[str, Any]) -> str | None:
    """The whole answer to ``MESSAGES``, not streamed."""
    answer = client(outputs).chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=24)
    return answer.choices[0].message.content


@pytest.fixture
def portway(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)


@pytest.fixture(params=STACKS)
def outputs(request: pytest.FixtureRequest, deployed: SandboxProject) -> dict[str, Any]:
    return deployed.outputs(request.param)


def test_the_three_stacks_export_the_same_outputs(deployed: SandboxProject) -> None:
    names = {"endpoint", "apiKey", "target", "region", "model", "modelIdentity", "service"}
    found = {stack: deployed.outputs(stack) for stack in STACKS}
    assert {stack: set(each) for stack, each in found.items()} == dict.fromkeys(STACKS, names)
    assert {(each["service"], each["model"]) for each in found.values()} == {("chat", MODEL)}
    assert [each["target"] for each in found.values()] == [s.rpartition(".")[2] for s in STACKS]


def test_model_identity_is_equal_exactly_where_it_is_known_to_be(deployed: SandboxProject) -> None:
    run, kubernetes, bedrock = (deployed.outputs(stack)["modelIdentity"] for stack in STACKS)
    assert run == kubernetes
    assert bedrock != run


def test_an_answer_and_its_usage(outputs: dict[str, Any]) -> None:
    answer = client(outputs).chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=24)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_first_chunk_arrives_before_the_answer_is_complete(outputs: dict[str, Any]) -> None:
    stream = client(outputs).chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=60, stream=True
    )
    arrived_seconds = [time.monotonic() for c in stream if c.choices and c.choices[0].delta.content]
    assert len(arrived_seconds) > 5
    assert arrived_seconds[-1] - arrived_seconds[0] > 0.1


def test_a_stream_says_what_the_whole_answer_says(outputs: dict[str, Any]) -> None:
    stream = client(outputs).chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=24, stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(pieces) == say(outputs)


def test_the_same_weights_give_the_same_text(deployed: SandboxProject) -> None:
    run, kubernetes, _ = (say(deployed.outputs(stack)) for stack in STACKS)
    assert run == kubernetes


def test_models_lists_the_one_model(outputs: dict[str, Any]) -> None:
    assert [model.id for model in client(outputs).models.list()] == [MODEL]
    assert client(outputs).models.retrieve(MODEL).id == MODEL


def test_a_wrong_key_is_401_with_an_error_object(outputs: dict[str, Any]) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client(outputs, api_key="pw-wrong").models.list()
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "invalid_request_error")


def test_an_unknown_model_is_404_with_an_error_object(outputs: dict[str, Any]) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client(outputs).chat.completions.create(model="gpt-9", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def _bad_bodies(outputs: dict[str, Any]) -> list[tuple[int, Any]]:
    headers = {"authorization": f"Bearer {outputs['apiKey']}", "content-type": "application/json"}
    bodies = ["{", "[]", '{"model": "ministral-3-8b"}', json.dumps({"messages": MESSAGES}),
              json.dumps({"model": MODEL, "messages": "hello"}),
              json.dumps({"model": MODEL, "messages": MESSAGES, "max_tokens": "many"})]  # fmt: skip
    found: list[tuple[int, Any]] = []
    for body in bodies:
        answer = httpx.post(
            f"{outputs['endpoint']}/v1/chat/completions", content=body, headers=headers, timeout=60
        )
        error = answer.json()["error"]
        found.append((answer.status_code, {k: error[k] for k in ("type", "param", "code")}))
    return found


def test_bad_bodies_are_400_with_the_same_error_objects_on_all_three(
    deployed: SandboxProject,
) -> None:
    first, *others = (_bad_bodies(deployed.outputs(stack)) for stack in STACKS)
    assert {status for status, _ in first} == {400}
    assert others == [first, first]


@pytest.mark.parametrize("stack", STACKS)
def test_status_counts_exactly_what_was_asked_whatever_keeps_the_counts(
    stack: str, deployed: SandboxProject, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(deployed.folder)
    outputs = deployed.outputs(stack)
    before = portway("status", stack, "--json").json
    asked = client(outputs)
    for _ in range(2):
        asked.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=6)
    with asked.chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=6, stream=True
    ) as stream:
        assert list(stream)
    with pytest.raises(openai.AuthenticationError):
        client(outputs, "pw-wrong").chat.completions.create(model=MODEL, messages=MESSAGES)
    with pytest.raises(openai.BadRequestError):
        asked.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=10**9)
    asked.models.list()  # asks no model: not counted
    after: Any = first(
        lambda: portway("status", stack, "--json").json,
        lambda told: told["requests"] >= before["requests"] + 5,
        "the lines of all five, written a moment after their answers",
    )
    errors: Counter[str] = Counter(after["errors"])
    errors.subtract(before["errors"])
    assert (after["requests"] - before["requests"], +errors) == (
        5, {"invalid_api_key": 1, "context_length_exceeded": 1},
    )  # fmt: skip
    assert after["tokens"]["output"] - before["tokens"]["output"] == 18
    read = after["tokens"]["input"] - before["tokens"]["input"]
    assert read > 0
    assert read % 3 == 0
    assert 0 < after["first_token_seconds"]["p50"] <= after["first_token_seconds"]["p95"] < 10
    assert after["target"] == stack.rpartition(".")[2]
    assert after["instances"] >= 1  # a function keeps as many as others asked it at once
    assert (after["model"], after["endpoint"]) == (MODEL, outputs["endpoint"])
    assert outputs["apiKey"] not in json.dumps(after)


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_up_changes_nothing_and_refresh_finds_nothing(
    stack: str, deployed: SandboxProject
) -> None:
    again = deployed.pulumi("up", "--yes", "--stack", stack, "--expect-no-changes")
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    refreshed = deployed.pulumi("refresh", "--yes", "--stack", stack, "--expect-no-changes")
    assert refreshed.returncode == 0, refreshed.stdout[-3000:] + refreshed.stderr[-3000:]


def test_no_key_is_in_the_state_in_the_clear(deployed: SandboxProject) -> None:
    keys = {deployed.outputs(stack)["apiKey"] for stack in STACKS}
    states = list((deployed.folder / ".portway" / "state").rglob("*.json"))
    assert len(states) >= len(STACKS)
    leaking = [path.name for path in states for key in keys if key[3:] in path.read_text()]
    assert leaking == []


def test_no_key_is_in_the_logs(deployed: SandboxProject) -> None:
    keys = [deployed.outputs(stack)["apiKey"][3:] for stack in STACKS]
    logs = [path for path in (deployed.folder / ".portway" / "logs").rglob("*") if path.is_file()]
    assert logs
    leaking = [p.name for p in logs for key in keys if key in p.read_text(errors="replace")]
    assert leaking == []


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_was_created_twice(stack: str, deployed: SandboxProject) -> None:
    project = f"urn:pulumi:{stack}::"
    made = [
        event["urn"]
        for event in deployed.store.events()
        if event["operation"] == "create" and event["urn"].startswith(project)
    ]
    assert len(made) > 5
    assert len(made) == len(set(made))


@pytest.mark.parametrize("stack", STACKS)
def test_destroy_leaves_nothing_in_the_cloud(stack: str, deployed: SandboxProject) -> None:
    """The last test here: what the others asked is gone afterwards."""
    gone = deployed.pulumi("destroy", "--yes", "--stack", stack)
    assert gone.returncode == 0, gone.stdout[-3000:] + gone.stderr[-3000:]
    left = [row.urn for row in deployed.store.all() if row.urn.startswith(f"urn:pulumi:{stack}::")]
    assert left == []
