"""What the doctor finds, with the machine replaced; and that the verb runs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from portway.cli import doctor
from portway.cli.doctor import Check, State
from portway.engine.engine import Engine, Origin
from portway.engine.version import BUILT
from portway.errors import Missing
from portway.sandbox.layout import Layout
from portway.sandbox.store import Store


def no_engine() -> Engine:
    raise Missing("there is none; do this")


def test_an_old_python_is_missing_with_what_to_do() -> None:
    assert doctor.check_python((3, 10, 2), "/py") == Check(
        "python",
        State.MISSING,
        "3.10.2 at /py",
        "install Python 3.11 or newer and make .venv with it",
    )
    assert doctor.check_python((3, 11, 0), "/py").state is State.OK


def test_the_engine_is_named_with_its_origin_and_its_language_host(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "pulumi", BUILT, Origin.PATH)
    found, host = doctor.check_engine(lambda: engine)
    assert found.found == f"3.259.0 found on PATH, {tmp_path}/pulumi"
    assert host.found.startswith("Portway's, run by ")
    (tmp_path / "pulumi-language-python").touch()
    _, host = doctor.check_engine(lambda: engine)
    assert host.found == f"the engine's own, {tmp_path}/pulumi-language-python"


def test_no_engine_is_missing_with_what_to_do() -> None:
    assert doctor.check_engine(no_engine) == [
        Check("pulumi engine", State.MISSING, "none to use", "there is none; do this")
    ]


def test_no_go_matters_only_without_an_engine() -> None:
    told = doctor.check_go(None, str, engine_found=False)
    assert told == Check(
        "go",
        State.NOTE,
        "not on PATH",
        "only needed where the official installer cannot be reached",
    )
    assert doctor.check_go(None, str, engine_found=True).do == ""


def test_packages_are_compared_with_the_pins() -> None:
    pins = doctor.pins_of(["pulumi==3.272.0  # engine", "pulumi-aws==7.51.1", "", "-e .", "x>=1"])
    installed = {
        "pulumi": "3.272.0",
        "pulumi-aws": "7.50.0",
        "pulumi-policy": None,
        "pulumi-gcp": None,
    }
    checks = doctor.check_packages(pins, installed)
    assert [(check.name, check.state, check.found) for check in checks] == [
        ("pulumi", State.OK, "3.272.0 (as pinned)"),
        ("pulumi-aws", State.NOTE, "7.50.0, pinned is 7.51.1"),
        ("pulumi-policy", State.MISSING, "not installed"),
        ("pulumi-gcp", State.NOTE, "not installed"),
    ]


def test_little_disk_is_told_while_an_engine_may_have_to_be_built() -> None:
    (check,) = doctor.check_disk({Path("/c"): 2**30}, engine_found=False)
    assert (check.state, check.found) == (State.NOTE, "1.0 GiB at /c")
    assert "about 6 GiB" in check.do
    assert doctor.check_disk({Path("/c"): 2**30}, engine_found=True)[0].state is State.OK


def test_the_project_is_the_nearest_folder_upward(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").touch()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert doctor.find_project(inner) == tmp_path


def test_the_sandboxs_stacks_are_counted(tmp_path: Path) -> None:
    assert doctor.check_project(tmp_path)[1].found == "not made yet"
    stacks = tmp_path / ".portway" / "state" / ".pulumi" / "stacks" / "portway"
    stacks.mkdir(parents=True)
    (stacks / "chat.prod.door.json").touch()
    assert doctor.check_project(tmp_path)[1].found == f"{tmp_path}/.portway, 1 stacks"


def test_a_stack_that_is_not_at_rest_is_pointed_out(tmp_path: Path) -> None:
    layout = Layout.of_project(tmp_path)
    layout.create()
    Store(layout.store)
    assert doctor.check_rest(layout) == []
    stacks = layout.state / ".pulumi" / "stacks" / "portway"
    stacks.mkdir(parents=True)
    pending = {"type": "creating", "resource": {"urn": "urn:pulumi:a::p::t::n", "type": "t"}}
    checkpoint = {"checkpoint": {"latest": {"pending_operations": [pending]}}}
    (stacks / "chat.prod.door.json").write_text(json.dumps(checkpoint))
    (found,) = doctor.check_rest(layout)
    assert (found.name, found.state, found.found) == ("not at rest", State.NOTE, "chat.prod.door")
    assert "`portway sandbox status`" in found.do


def test_a_damaged_store_is_pointed_out(tmp_path: Path) -> None:
    layout = Layout.of_project(tmp_path)
    layout.create()
    layout.store.write_text("no database at all" * 500)
    (found,) = doctor.check_rest(layout)
    assert (found.state, "is damaged" in found.do) == (State.NOTE, True)


@pytest.mark.parametrize(("finds", "code"), [(True, 0), (False, 3)])
def test_the_exit_code_says_whether_something_is_missing(
    *, finds: bool, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = Engine(tmp_path / "pulumi", BUILT, Origin.BUILT)
    monkeypatch.setattr(doctor, "find_engine", (lambda: engine) if finds else no_engine)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(doctor.command, ["--json"])
    assert result.exit_code == code
    report = json.loads(result.stdout)
    assert report["ok"] is finds
    assert {"python", "pulumi engine", "go", "pulumi", "project", "free disk"} <= {
        check["name"] for check in report["checks"]
    }


def test_the_report_for_people_ends_with_what_to_do_and_has_no_colour_when_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "find_engine", no_engine)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(doctor.command, ["--no-color"], env={"FORCE_COLOR": "1"})
    assert "pulumi engine: there is none; do this\n" in result.stdout
    assert "\x1b[31m" not in result.stdout
