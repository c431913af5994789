"""What goes wrong in real clouds, rehearsed: what is read, the cause mended, the same command again, all whole."""

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import openai
import pytest

from portway.sandbox.layout import Layout
from portway.sandbox.rehearsals import clear_rehearsals, set_rehearsal
from support.openai_clients import openai_client
from support.sandbox_project import PORTWAY, SandboxProject, portway, run, start, stop
from support.waiting import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

RUN, BEDROCK = "chat.prod.cloud-run", "chat.prod.lambda-bedrock"
SERVICE = "gcp:cloudrunv2/service:Service"
MODEL = "ministral-3-8b"
AGAIN = "again: it goes on where this one stopped"
DETAIL = "AccessDeniedException: Model access is denied due to IAM user or service role"


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    code: int
    text: str


class Rehearsed:
    """A sandbox of its own, where one thing after the other goes wrong."""

    def __init__(self, project: SandboxProject) -> None:
        self.project = project

    def portway(self, *words: str) -> Said:
        done = run((str(PORTWAY), *words), self.project.folder, self.project.environment)
        return Said(done.returncode, done.stdout + done.stderr)

    @property
    def folder(self) -> Path:
        return Layout.of_project(self.project.folder).rehearsed

    def fault(self, name: str, **limits: Any) -> None:
        """Let ``name`` go wrong from now on."""
        set_rehearsal(self.folder, name, **limits)

    def mend(self) -> None:
        """Let nothing go wrong any more."""
        clear_rehearsals(self.folder)

    def pulumi(self, *words: str) -> Said:
        done = self.project.pulumi(*words)
        return Said(done.returncode, done.stdout + done.stderr)

    def up(self, stack: str, fault: str = "", **limits: Any) -> Said:
        """What `pulumi up` says while ``fault`` is set."""
        if fault:
            self.fault(fault, **limits)
        done = self.pulumi("up", "--yes", "--skip-preview", "--stack", stack)
        self.mend()
        return done

    def logged(self, text: str) -> bool:
        """Whether a service wrote ``text``: a request's line comes after its answer."""
        folder = Layout.of_project(self.project.folder).logs
        return eventually(lambda: any(text in path.read_text() for path in folder.glob("*.log")))

    def counted(self, text: str) -> bool:
        """Whether the status of the function says ``text``: it counts what was logged."""
        return eventually(lambda: text in self.portway("status", BEDROCK, "--json").text)

    def made(self) -> Counter[str]:
        """How often each resource was created, by its type and id."""
        events = self.project.store.events()
        return Counter(f"{e['type']} {e['id']}" for e in events if e["operation"] == "create")

    def client(self, stack: str) -> openai.OpenAI:
        outputs = self.project.outputs(stack)
        return openai_client(outputs["endpoint"], outputs["apiKey"])


def ask(client: openai.OpenAI) -> str:
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Name a river."}], max_tokens=8
    )
    return answer.choices[0].message.content or ""


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rehearsed]:
    project = start(tmp_path_factory.mktemp("faults") / "project")
    for stack in (RUN, BEDROCK):
        made = project.pulumi("stack", "init", stack)
        assert made.returncode == 0, made.stderr
    yield Rehearsed(project)
    stop(project)


@pytest.fixture(scope="module")
def on_cloud_run(rehearsed: Rehearsed) -> Mapping[str, Said]:
    """One stack brought up through a quota and a missing image, each mended before the next try."""
    rehearsed.fault("gpu-quota")
    quota = rehearsed.portway("up", RUN, "--yes", "--no-color", "--", "--skip-preview")
    assert rehearsed.project.store.all(type=SERVICE) == []
    rehearsed.mend()
    return {
        "quota": quota,
        "image": rehearsed.up(RUN, "image-missing"),
        "mended": rehearsed.up(RUN),
    }


@pytest.fixture(scope="module")
def on_lambda(rehearsed: Rehearsed) -> Mapping[str, Said]:
    """One stack: refused for its credentials, then brought up through a second and a half without AWS."""
    rehearsed.fault("credentials-expired")
    expired = rehearsed.pulumi("preview", "--stack", BEDROCK)
    rehearsed.mend()
    away = rehearsed.up(BEDROCK, "api-unavailable", seconds=1.5)
    return {"expired": expired, "away": away}


def test_a_quota_for_gpus_refuses_the_service_and_says_what_to_do(
    on_cloud_run: Mapping[str, Said],
) -> None:
    quota = on_cloud_run["quota"]
    assert quota.code == 1
    assert "requested: 2 allowed: 1" in quota.text
    _, _, ours = quota.text.partition("In other words:")
    assert ours.splitlines()[1].startswith(
        f"- chat-service ({SERVICE}): scaling.max lets the service have 2 GPUs, and the project may "
        "have 1 in this region (NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion)"
    )
    assert AGAIN in ours


def test_an_image_that_is_not_there_is_named_and_what_was_made_is_gone_on_with(
    rehearsed: Rehearsed, on_cloud_run: Mapping[str, Said]
) -> None:
    assert on_cloud_run["image"].code != 0
    assert (
        "is not ready and cannot serve traffic. Image 'europe-west4-docker.pkg.dev/acme-inference/"
        in on_cloud_run["image"].text
    )
    assert on_cloud_run["mended"].code == 0, on_cloud_run["mended"].text
    assert ask(rehearsed.client(RUN))
    assert set(rehearsed.made().values()) == {1}


def test_expired_credentials_end_an_update_before_anything_is_made(
    on_lambda: Mapping[str, Said],
) -> None:
    assert on_lambda["expired"].code != 0
    assert (
        "api error ExpiredToken: The security token included in the request is expired"
        in on_lambda["expired"].text
    )


def test_an_api_that_is_away_for_a_while_is_waited_for_and_nothing_is_made_twice(
    rehearsed: Rehearsed, on_lambda: Mapping[str, Said]
) -> None:
    assert on_lambda["away"].code == 0, on_lambda["away"].text
    struck = [e for e in rehearsed.project.store.events() if e["operation"] == "fault"]
    assert {e["detail"]["kind"] for e in struck if e["type"].startswith("aws:")} == {"unavailable"}
    assert ask(rehearsed.client(BEDROCK))
    assert set(rehearsed.made().values()) == {1}


def test_a_model_without_access_is_a_403_for_clients_and_something_to_do_for_the_operator(
    rehearsed: Rehearsed, on_lambda: Mapping[str, Said]
) -> None:
    assert on_lambda["away"].code == 0
    client = rehearsed.client(BEDROCK)
    rehearsed.fault("model-access")
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(client)
    rehearsed.mend()
    assert (refused.value.code, refused.value.type) == ("permission_denied", "permission_error")
    assert "arn:" not in str(refused.value)
    assert rehearsed.logged(DETAIL)
    assert rehearsed.counted('"permission_denied": 1')
    status = rehearsed.portway("status", BEDROCK, "--json").text
    assert "permission_denied: the account or its role may not use the model" in status
    assert ask(client)


def test_a_throttled_model_is_tried_again_and_then_a_429_that_says_when(
    rehearsed: Rehearsed, on_lambda: Mapping[str, Said]
) -> None:
    assert on_lambda["away"].code == 0
    client = rehearsed.client(BEDROCK).with_options(max_retries=0)
    rehearsed.fault("bedrock-throttled", times=2)
    assert ask(client)
    rehearsed.fault("bedrock-throttled")
    with pytest.raises(openai.RateLimitError) as refused:
        ask(client)
    rehearsed.mend()
    assert refused.value.code == "rate_limit_exceeded"
    assert int(refused.value.response.headers["retry-after"]) > 0


def test_a_function_whose_credentials_have_expired_says_so_in_its_log_alone(
    rehearsed: Rehearsed, on_lambda: Mapping[str, Said]
) -> None:
    assert on_lambda["away"].code == 0
    client = rehearsed.client(BEDROCK).with_options(max_retries=0)
    rehearsed.fault("bedrock-expired", times=1)
    with pytest.raises(openai.InternalServerError) as refused:
        ask(client)
    assert "token" not in str(refused.value).lower()
    assert rehearsed.logged(
        "ExpiredTokenException: The security token included in the request is expired"
    )
    assert ask(client)


@pytest.mark.long
def test_a_start_that_never_gets_ready_or_finds_no_gpu_leaves_the_revision_before_serving(
    rehearsed: Rehearsed, on_cloud_run: Mapping[str, Said]
) -> None:
    assert on_cloud_run["mended"].code == 0
    spec = rehearsed.project.folder / "stacks" / "specs" / "chat.yaml"
    spec.write_text(spec.read_text().replace("timeout_seconds: 300", "timeout_seconds: 290"))
    assert portway(rehearsed.project.folder, "sandbox", "env").returncode == 0
    client, over, failed, answered = rehearsed.client(RUN), Event(), list[str](), list[str]()

    def keep_asking() -> None:
        while not over.is_set():
            try:
                answered.append(ask(client))
            except openai.OpenAIError as error:
                failed.append(repr(error))

    asking = Thread(target=keep_asking)
    asking.start()
    try:
        never = rehearsed.up(RUN, "probe-never-passes")
        nowhere = rehearsed.up(RUN, "gpu-capacity")
        mended = rehearsed.up(RUN)
    finally:
        over.set()
        asking.join()
    assert never.code != 0
    assert "The user-provided container failed the configured startup probe checks" in never.text
    assert nowhere.code != 0
    assert "The request was aborted because there was no available instance." in nowhere.text
    assert mended.code == 0, mended.text
    assert (failed, len(answered) > 3) == ([], True)
    assert set(rehearsed.made().values()) == {1}


@pytest.mark.long
def test_a_hub_that_is_away_lets_no_service_be_made_and_the_next_update_goes_on(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = start(tmp_path_factory.mktemp("hub") / "project")
    try:
        rehearsed = Rehearsed(project)
        assert rehearsed.pulumi("stack", "init", RUN).code == 0
        rehearsed.fault("hub-away")
        first = rehearsed.portway("up", RUN, "--yes", "--no-color", "--", "--skip-preview")
        assert first.code == 1
        assert "-task0 failed with message: The container exited with an error." in first.text
        assert "the weights were not copied into the service's bucket" in first.text
        assert project.store.all(type=SERVICE) == []
        rehearsed.mend()
        assert rehearsed.up(RUN).code == 0
        assert ask(rehearsed.client(RUN))
        assert set(rehearsed.made().values()) == {1}
    finally:
        stop(project)


@pytest.mark.long
def test_google_refuses_connections_for_ten_seconds_and_the_next_update_is_whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = start(tmp_path_factory.mktemp("refused") / "project")
    try:
        rehearsed = Rehearsed(project)
        assert rehearsed.pulumi("stack", "init", RUN).code == 0
        rehearsed.fault("api-refused")
        first = rehearsed.portway("up", RUN, "--yes", "--no-color", "--", "--skip-preview")
        assert first.code == 1
        assert "dial tcp 203.0.113.10:443: connect: connection refused" in first.text
        assert "Google's API could not be reached. What to do: look at the network" in first.text
        assert 0 < len(rehearsed.made()) < 16
        while (again := rehearsed.portway("up", RUN, "--yes", "--no-color")).code:
            assert "connection refused" in again.text  # until its ten seconds are over
        assert ask(rehearsed.client(RUN))
        assert set(rehearsed.made().values()) == {1}
        rows, state = project.store.all(), rehearsed.pulumi("stack", "--stack", RUN, "--show-urns")
        assert all(row.urn in state.text for row in rows)
    finally:
        stop(project)
