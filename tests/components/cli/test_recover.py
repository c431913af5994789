"""``portway recover``: tells, asks, does it through the engine's own commands, and says what is left."""

import io
import json
import socket
import stat
import sys
from pathlib import Path

import pytest

from support.command_line import CommandLine
from support.file_backend import OTHER, STACK, URN, Backend, operation


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))


def test_a_stack_at_rest_is_said_to_be_so(backend: Backend, portway: CommandLine) -> None:
    backend.write()
    ran = portway("recover", STACK, "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"stack {STACK} in file://{backend.folder}; its clouds are not read",
        "Nothing is left of earlier operations.",
    ]
    assert (backend.calls, backend.backups) == (["stack export"], [])


def test_without_a_word_nothing_is_done_and_both_choices_are_told(
    backend: Backend, portway: CommandLine
) -> None:
    ran = portway("recover", STACK)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines()[1:] == [
        f"- It was interrupted while creating gcp:storage/bucket:Bucket ({URN}): whether the cloud "
        "has it is not known here.",
        "  ? Look: gcloud storage buckets describe gs://acme-runtime",
        "  ? Its ID: acme-runtime",
        f"  ? The cloud has it: --adopt '{URN}=ID'",
        f"  ? The cloud does not have it: --never-happened '{URN}'",
        "Nothing was done.",
        "Unresolved: 1. Run no `pulumi up` before.",
    ]
    assert backend.latest["pending_operations"] == [operation()]
    assert backend.calls == ["stack export"]


def test_a_decision_is_no_consent(backend: Backend, portway: CommandLine) -> None:
    ran = portway("recover", STACK, "--never-happened", URN)
    assert ran.code == 1
    assert "Nothing was done; --yes does what is proposed." in ran.out
    assert backend.calls == ["stack export"]


def test_what_never_happened_is_dropped_and_the_state_was_saved_for_its_owner_only(
    backend: Backend, portway: CommandLine
) -> None:
    ran = portway("recover", STACK, "--never-happened", URN, "--yes")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "Everything was resolved.")
    (backup,) = backend.backups
    assert f"The state as it was: {backup}" in ran.out
    saved = json.loads(backup.read_text())
    assert saved["deployment"]["pending_operations"] == [operation()]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert backend.latest == {"resources": [], "pending_operations": []}
    assert "refresh --yes" not in backend.calls
    again = portway("recover", STACK, "--yes")
    assert (again.code, len(backend.backups)) == (0, 1)


def test_what_is_adopted_is_read_from_its_cloud_before_the_operation_is_dropped(
    backend: Backend, portway: CommandLine
) -> None:
    ran = portway("recover", STACK, "--adopt", f"{URN}=acme-runtime", "--yes", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert {**ran.json, "backup": ""} == {
        "stack": STACK,
        "backend": f"file://{backend.folder}",
        "clouds_read": False,
        "at_rest": True,
        "blocked": False,
        "steps": [
            {
                "do": "adopt",
                "what": f"It was interrupted while creating gcp:storage/bucket:Bucket ({URN}): "
                "whether the cloud has it is not known here.",
                "does": "It is adopted under the ID acme-runtime, and read from its cloud.",
                "urn": URN,
                "id": "acme-runtime",
            }
        ],
        "undecided": [],
        "applied": True,
        "backup": "",
        "failed": [],
        "left": [],
    }
    assert [each["id"] for each in backend.latest["resources"]] == ["acme-runtime"]
    assert backend.latest["pending_operations"] == []
    assert backend.calls == [
        "stack export", "stack export", "stack import", "refresh --yes", "stack export",
        "stack export",
    ]  # fmt: skip
    again = portway("recover", STACK, "--adopt", f"{URN}=acme-runtime", "--yes")
    assert (again.code, len(backend.backups)) == (0, 1)


def test_an_id_that_the_cloud_does_not_have_leaves_the_create_undecided(
    backend: Backend, portway: CommandLine
) -> None:
    ran = portway("recover", STACK, "--adopt", f"{URN}=ghost", "--yes")
    assert ran.code == 1
    assert f"- the cloud has nothing under ghost: {URN} is still undecided" in ran.out
    assert backend.latest == {"resources": [], "pending_operations": []}
    again = portway("recover", STACK, "--yes")
    assert again.code == 1
    assert f"It was interrupted while creating gcp:storage/bucket:Bucket ({URN})" in again.out
    assert portway("up", STACK).code == 1
    assert portway("recover", STACK, "--never-happened", URN, "--yes").code == 0
    assert portway("recover", STACK).code == 0


def test_no_create_is_settled_before_every_one_is_decided(
    backend: Backend, portway: CommandLine
) -> None:
    backend.write(operation(), operation(urn=OTHER))
    ran = portway("recover", STACK, "--never-happened", URN, "--yes")
    assert ran.code == 1
    assert backend.latest["pending_operations"] == [operation(), operation(urn=OTHER)]
    both = ("--never-happened", URN, "--never-happened", OTHER)
    assert portway("recover", STACK, *both, "--yes").code == 0
    assert backend.latest["pending_operations"] == []


def test_an_update_that_only_the_journal_remembers_is_read_again_once(
    backend: Backend, portway: CommandLine
) -> None:
    backend.write()
    (backend.folder / "recover-backups").mkdir()
    journal = backend.folder / "recover-backups" / f"desk.{STACK}.unfinished"
    journal.write_text(json.dumps([operation("updating")]))
    assert portway("recover", STACK).code == 1
    assert portway("recover", STACK, "--yes").code == 0
    assert "refresh --yes" in backend.calls
    assert not journal.exists()


def test_a_damaged_journal_is_a_clear_error(backend: Backend, portway: CommandLine) -> None:
    (backend.folder / "recover-backups").mkdir()
    (backend.folder / "recover-backups" / f"desk.{STACK}.unfinished").write_text("[{")
    ran = portway("recover", STACK, "--yes")
    assert (ran.code, ran.out) == (3, "")
    assert f"desk.{STACK}.unfinished is damaged" in ran.err


def test_what_is_not_decided_stays_while_the_rest_is_done(
    backend: Backend, portway: CommandLine
) -> None:
    backend.write(operation(), operation("updating", OTHER))
    ran = portway("recover", STACK, "--yes")
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "Unresolved: 1. Run no `pulumi up` before.")
    assert backend.latest["pending_operations"] == [operation()]


def test_a_refresh_that_fails_leaves_everything_to_be_found_again(
    backend: Backend, portway: CommandLine
) -> None:
    (backend.folder / "refresh-fails").touch()
    words = ("recover", STACK, "--adopt", f"{URN}=acme-runtime", "--yes", "--json")
    ran = portway(*words)
    assert (ran.code, ran.json["at_rest"]) == (1, False)
    assert "the cloud does not answer" in ran.json["failed"][0]
    assert len(ran.json["left"]) == 1
    (backend.folder / "refresh-fails").unlink()
    assert portway(*words).code == 0
    assert [each["id"] for each in backend.latest["resources"]] == ["acme-runtime"]
    assert backend.latest["pending_operations"] == []


def test_the_lock_of_a_process_that_is_gone_is_removed_first(
    backend: Backend, portway: CommandLine
) -> None:
    backend.lock(2**22 + 1, socket.gethostname())
    ran = portway("recover", STACK, "--never-happened", URN, "--yes")
    assert ran.code == 0, ran.out
    assert "that process is gone" in ran.out


def test_the_lock_of_a_living_process_is_never_removed(
    backend: Backend, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portway.engine.recover._runs_pulumi", lambda _pid: True)  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    held = backend.lock(4711, socket.gethostname())
    ran = portway("recover", STACK, "--never-happened", URN, "--release-lock", "--yes")
    assert ran.code == 1
    assert f"A lock of process 4711 on {socket.gethostname()}, taken 2026-" in ran.out
    assert "Nothing was done: the stack's lock comes first." in ran.out
    assert held.exists()
    assert backend.calls == ["stack export"]


def test_a_lock_from_another_host_is_removed_only_when_told(
    backend: Backend, portway: CommandLine
) -> None:
    backend.write()
    held = backend.lock(4711, "another-desk")
    refused = portway("recover", STACK, "--yes")
    assert refused.code == 1
    assert "Look on another-desk whether process 4711 runs" in refused.out
    assert held.exists()
    assert portway("recover", STACK, "--release-lock", "--yes").code == 0
    assert not held.exists()


def test_at_a_terminal_each_choice_is_asked_and_then_consent(
    backend: Backend, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.write(operation(), operation(urn=OTHER))
    type_in(monkeypatch, "acme-runtime", "never", "y")
    ran = portway("recover", STACK)
    assert ran.code == 0, ran.out
    assert "Do these 2 steps? The state is saved first" in ran.out
    assert [each["urn"] for each in backend.latest["resources"]] == [URN]
    assert backend.latest["pending_operations"] == []


@pytest.mark.parametrize("typed", [("", ""), ("never", "n")])
def test_at_a_terminal_no_is_no(
    backend: Backend,
    portway: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    typed: tuple[str, ...],
) -> None:
    type_in(monkeypatch, *typed)
    assert portway("recover", STACK).code == 1
    assert backend.calls == ["stack export"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("recover", "chat.none"), "has no stack 'chat.none'; `pulumi stack ls` lists its stacks"),
        (("recover", STACK, "--adopt", "urn:x=1"), "'urn:x=1' names no interrupted create"),
        (("recover", STACK, "--never-happened", "urn:x"), "'urn:x' names no interrupted create"),
    ],
)
def test_a_stack_or_a_urn_that_is_not_there_is_bad_input(
    backend: Backend, portway: CommandLine, words: tuple[str, ...], said: str
) -> None:
    ran = portway(*words, "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert backend.backups == []


def test_no_state_and_no_engine_are_missing(
    backend: Backend, portway: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = portway("recover", STACK, "--backend", f"file://{tmp_path}/nowhere")
    assert (nowhere.code, nowhere.out) == (3, "")
    assert f"there is no state in file://{tmp_path}/nowhere" in nowhere.err
    no_login = portway("recover", STACK, "--backend", "https://pulumi.example")
    assert no_login.code == 3
    assert "PULUMI_ACCESS_TOKEN must be set" in no_login.err
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    no_engine = portway("recover", STACK)
    assert (no_engine.code, no_engine.out) == (3, "")
    assert "there is no Pulumi engine yet" in no_engine.err
