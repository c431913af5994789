"""A front door before all three targets: deployed by the real engine, shifted while clients stream."""

import threading
from collections.abc import Generator

import openai
import pytest

from portway.conformance.check import Ended, run_checks
from portway.conformance.endpoint import Endpoint
from portway.conformance.suite import chosen
from portway.engine.find import find_engine
from portway.engine.mirror import mirror
from portway.engine.stack import Pack, Stack
from portway.portability.door_stack import DeployedDoor
from portway.sandbox.layout import Layout
from support.openai_clients import openai_client
from support.sandbox_project import STACKS, SandboxProject

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

RUN, KUBERNETES, LAMBDA = STACKS
NAME = "chat.prod.door"
WEIGHTS = f"{{{RUN}: 100, {KUBERNETES}: 0, {LAMBDA}: 0}}"
TEXTS = {
    "cloud-run": f"""\
config:
  portway:spec: specs/chat.yaml
  portway:door:
    kind: cloud-run
    region: europe-west4
    weights: {WEIGHTS}
  gcp:project: acme-inference
""",
    "kubernetes": f"""\
config:
  portway:spec: specs/chat.yaml
  portway:door:
    kind: kubernetes
    region: europe-west4
    cluster: prod-eu
    weights: {WEIGHTS}
    options: {{networks: [10.20.0.0/24]}}
""",
}
CLIENTS = 4
PAUSE_SECONDS = 0.2
MODEL = "ministral-3-8b"


@pytest.fixture(scope="module", params=TEXTS)
def door(deployed: SandboxProject, request: pytest.FixtureRequest) -> Generator[DeployedDoor]:
    text = TEXTS[request.param]
    (deployed.folder / "stacks" / f"Pulumi.{NAME}.yaml").write_text(text)
    shown = mirror(deployed.folder, Layout.of_project(deployed.folder).root / "mirror")
    stack = Stack(shown, NAME, find_engine(), deployed.environment)
    packs = [
        Pack(deployed.folder / "policies" / name, deployed.folder / "policies" / f"{name}.json")
        for name in ("residency", "cost")
    ]
    done = stack.up(packs)
    assert done.succeeded, (done.errors, done.violations, done.stdout[-4000:])
    yield DeployedDoor(stack, packs)
    assert stack.destroy().succeeded


def client(door: DeployedDoor, key: str | None = None) -> openai.OpenAI:
    return openai_client(door.endpoint, key or door.api_key)


def stream(door: DeployedDoor) -> str:
    """One streamed answer; raises where it is not whole."""
    pieces = client(door).chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Say something."}],
        max_tokens=24, stream=True,
    )  # fmt: skip
    chunks = list(pieces)
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] is not None
    return "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)


def test_only_the_doors_own_key_is_taken(door: DeployedDoor, deployed: SandboxProject) -> None:
    assert door.weights() == {RUN: 100, KUBERNETES: 0, LAMBDA: 0}
    assert stream(door)
    end = deployed.outputs(RUN)
    assert end["apiKey"] != door.api_key
    with pytest.raises(openai.AuthenticationError):
        client(door, end["apiKey"]).models.list()


def test_streams_are_whole_while_the_weights_shift_and_the_drained_end_is_quiet(
    door: DeployedDoor,
) -> None:
    stop = threading.Event()
    answers: list[str] = []
    faults: list[str] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(stream(door))
                stop.wait(PAUSE_SECONDS)
            except (openai.OpenAIError, AssertionError, OSError) as error:
                faults.append(repr(error))
                return

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        door.set_weights({KUBERNETES: 60, LAMBDA: 40})
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert faults == []
    assert len(answers) >= CLIENTS
    assert door.weights() == {RUN: 0, KUBERNETES: 60, LAMBDA: 40}
    assert [door.in_flight(stack) for stack in STACKS] == [0, 0, 0]


def test_a_door_keeps_the_contract_of_the_ends_behind_it(door: DeployedDoor) -> None:
    with Endpoint(door.endpoint, door.api_key, MODEL) as endpoint:
        results = run_checks(endpoint, chosen(("auth-*", "error-*", "stream-*")), at_once=2)
    assert {one.check.id: one.detail for one in results if one.ended is not Ended.HELD} == {}
