"""``portway sandbox fault``: set, listed, cleared."""

import json
from pathlib import Path

import pytest

from portway.sandbox.layout import Layout
from portway.sandbox.rehearsals import REHEARSALS, rehearsed
from support.command_line import CommandLine


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    monkeypatch.chdir(tmp_path)
    return Layout.of_project(tmp_path).rehearsed


def test_a_fault_is_set_listed_and_cleared(folder: Path, portway: CommandLine) -> None:
    ran = portway("sandbox", "fault", "gpu-quota")
    assert (ran.code, ran.out) == (
        0,
        "set: Google lets the project have one L4 GPU in each region. It strikes: up.\n"
        "end it with  portway sandbox fault gpu-quota --clear\n",
    )
    assert rehearsed(folder) == ("gpu-quota",)
    listed = json.loads(portway("sandbox", "fault", "--json").out)["faults"]
    assert [one["name"] for one in listed] == list(REHEARSALS)
    assert [one["name"] for one in listed if one["set"]] == ["gpu-quota"]
    assert "gpu-quota" in portway("sandbox", "fault").out
    assert portway("sandbox", "fault", "gpu-quota", "--clear").out == "no longer set: gpu-quota\n"
    assert portway("sandbox", "fault", "--clear").out == "nothing was set\n"
    assert rehearsed(folder) == ()


def test_limits_are_kept_with_what_they_limit(folder: Path, portway: CommandLine) -> None:
    told = portway("sandbox", "fault", "api-refused", "--seconds", "2", "--times", "3", "--json")
    written = json.loads(told.out)
    assert (written["set"], written["file"]) == ("api-refused", str(folder / "api-refused.yaml"))
    text = Path(written["file"]).read_text()
    assert (text.count("seconds: 2"), text.count("times: 3")) == (3, 3)
    assert json.loads(portway("sandbox", "fault", "--clear", "--json").out) == {
        "cleared": ["api-refused"]
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("earthquake",), "earthquake: is none of what can be rehearsed: gpu-quota, "),
        (("gpu-quota", "--times", "2"), "gpu-quota: is a quota: it stands until it is cleared"),
        (("--times", "2"), "--times, --seconds: go with a NAME that is set"),
        (("model-access", "--times", "0"), "0 is not in the range x>=1"),
    ],
)
def test_what_cannot_be_set_is_bad_input(
    words: tuple[str, ...], said: str, folder: Path, portway: CommandLine
) -> None:
    ran = portway("sandbox", "fault", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert rehearsed(folder) == ()
