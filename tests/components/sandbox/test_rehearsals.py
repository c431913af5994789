from pathlib import Path

import pytest

from portway.errors import BadInput
from portway.sandbox.faults import Fault, FaultKind, Faults
from portway.sandbox.rehearsals import (
    REHEARSALS,
    clear_rehearsals,
    rehearsed,
    set_rehearsal,
)
from portway.sandbox.store import Store


def load(folder: Path) -> Faults:
    return Faults.load(folder.parent / "faults.yaml", Store(folder.parent / "cloud.db"), folder)


@pytest.mark.parametrize("name", REHEARSALS)
def test_whatever_can_be_rehearsed_is_a_file_of_faults_that_can_be_read(
    name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "faults.d"
    set_rehearsal(folder, name)
    found = load(folder)
    assert (bool(found.rules), bool(found.quotas)) == (
        bool(REHEARSALS[name].faults), bool(REHEARSALS[name].quotas),
    )  # fmt: skip
    assert rehearsed(folder) == (name,)
    assert clear_rehearsals(folder, name) == (name,)
    assert load(folder).rules == ()


def test_limits_go_to_every_rule_of_a_rehearsal(tmp_path: Path) -> None:
    folder = tmp_path / "faults.d"
    set_rehearsal(folder, "bedrock-throttled", times=2)
    (rule,) = load(folder).rules
    assert rule == Fault(
        FaultKind.THROTTLED, "aws:bedrock/model", "invoke", times=2, since=rule.since
    )
    set_rehearsal(folder, "api-refused", seconds=1.5)
    assert [one.seconds for one in load(folder).rules] == [1.5, 1.5, 1.5, None]


def test_what_strikes_once_strikes_once_more_when_it_is_set_again(tmp_path: Path) -> None:
    folder = tmp_path / "faults.d"
    for _ in range(2):
        set_rehearsal(folder, "bedrock-throttled", times=1)
        struck = [len(load(folder).due("invoke", "aws:bedrock/model", "m")) for _ in range(2)]
        assert struck == [1, 0]


def test_everything_that_is_set_can_be_ended_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "faults.d"
    assert clear_rehearsals(folder) == ()
    set_rehearsal(folder, "model-access")
    set_rehearsal(folder, "gpu-quota")
    assert clear_rehearsals(folder) == ("gpu-quota", "model-access")
    assert rehearsed(folder) == ()


def test_what_cannot_be_rehearsed_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="earthquake: is none of what can be rehearsed: gpu-quota, "):
        set_rehearsal(tmp_path, "earthquake")
    with pytest.raises(BadInput, match="earthquake: is none"):
        clear_rehearsals(tmp_path, "earthquake")
    with pytest.raises(BadInput, match="gpu-quota: is a quota: it stands until it is cleared, so"):
        set_rehearsal(tmp_path, "gpu-quota", times=1)
    assert list(tmp_path.iterdir()) == []
