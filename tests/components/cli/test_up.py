"""``portway up``: never over what an interrupted update left; else the engine with both packs."""

import json
from pathlib import Path

from support.command_line import CommandLine
from support.file_backend import STACK, URN, Backend

CONFIG = "policies/cost.json"


def test_over_an_unresolved_create_nothing_is_started(
    backend: Backend, portway: CommandLine
) -> None:
    ran = portway("up", STACK, "--yes")
    assert (ran.code, ran.out) == (1, "")
    assert f"It was interrupted while creating gcp:storage/bucket:Bucket ({URN})" in ran.err
    assert f"--never-happened '{URN}'" in ran.err
    assert ran.err.splitlines()[-1] == f"Nothing was started. `portway recover {STACK}` settles it."
    assert backend.calls == ["stack export"]


def test_over_the_lock_of_another_process_nothing_is_started(
    backend: Backend, portway: CommandLine
) -> None:
    backend.write()
    backend.lock(4711, "another-desk")
    ran = portway("up", STACK, "--yes")
    assert ran.code == 1
    assert "process 4711 on another-desk" in ran.err
    assert backend.calls == ["stack export"]


def test_a_stack_at_rest_is_updated_with_both_packs_and_what_the_user_gave(
    backend: Backend, portway: CommandLine, tmp_path: Path
) -> None:
    backend.write()
    (tmp_path / "policies").mkdir()
    (tmp_path / CONFIG).write_text("{}")
    assert portway("up", STACK, "--yes", "--", "--parallel", "4").code == 0
    words = json.loads((backend.folder / "ups").read_text())
    assert words[:3] == ["up", "--stack", STACK]
    assert words[-3:] == ["--yes", "--parallel", "4"]
    packs = [Path(words[at + 1]) for at, word in enumerate(words) if word == "--policy-pack"]
    assert [pack.name for pack in packs] == ["residency", "cost"]
    assert all((pack / "PulumiPolicy.yaml").is_file() for pack in packs)
    given = [words[at + 1] for at, word in enumerate(words) if word == "--policy-pack-config"]
    assert (len(given), given[1]) == (2, str(tmp_path / CONFIG))
    # The packs compare with what is deployed, where nobody names another baseline.
    told = json.loads((backend.folder / f"deployed-{STACK}.json").read_text())
    assert told == {"version": 3, "deployment": backend.latest}


def test_an_update_that_does_not_succeed_is_exit_1(backend: Backend, portway: CommandLine) -> None:
    backend.write()
    (backend.folder / "up-fails").touch()
    assert portway("up", STACK).code == 1


def test_a_stack_without_a_file_is_bad_input(backend: Backend, portway: CommandLine) -> None:
    ran = portway("up", "chat.none.paper")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no stack 'chat.none.paper'" in ran.err
