"""What a program looks up elsewhere is not known to the gate, and its failures are its own."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from pulumi.runtime.proto import resource_pb2

from portway.gate.lookups import ENTRY, SEEN, Unseeing, entry_text
from portway.gate.staging import in_its_own_terms, looked_up, stage


class Engine:
    def RegisterResource(self, request: object) -> object:  # noqa: N802 - the stub's own name
        return request

    def ReadResource(self, request: object) -> object:  # noqa: N802 - as above
        raise AssertionError("nothing is looked up")


def test_a_read_is_answered_with_what_the_program_said_and_the_engine_never_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi.get_stack", lambda: "prod")
    monkeypatch.setattr("pulumi.get_project", lambda: "shop")
    monitor = Unseeing(Engine(), tmp_path / SEEN)
    asked = resource_pb2.ReadResourceRequest(
        type="aws:ec2/subnet:Subnet", name="one", id="subnet-1",
        parent="urn:pulumi:prod::shop::acme:index:Net::net",
    )  # fmt: skip
    asked.properties["vpcId"] = "vpc-1"
    answer = monitor.ReadResource(asked)
    assert answer.urn == "urn:pulumi:prod::shop::acme:index:Net$aws:ec2/subnet:Subnet::one"
    assert (answer.id, dict(answer.properties)) == ("subnet-1", {"vpcId": "vpc-1"})
    monitor.ReadResource(resource_pb2.ReadResourceRequest(type="t:i:T", name="two", id="2"))
    assert list(looked_up(tmp_path, "prod")) == [
        "prod: looked up elsewhere, so not known here: aws:ec2/subnet:Subnet one, t:i:T two; "
        "what a rule must know of it is refused"
    ]


def test_everything_else_is_asked_of_the_engine(tmp_path: Path) -> None:
    request = SimpleNamespace()
    assert Unseeing(Engine(), tmp_path / SEEN).RegisterResource(request) is request


def test_a_program_that_looks_nothing_up_has_no_hint(tmp_path: Path) -> None:
    assert list(looked_up(tmp_path, "prod")) == []


def test_many_lookups_are_counted(tmp_path: Path) -> None:
    (tmp_path / SEEN).write_text("".join(f"t:i:T n{number}\n" for number in range(8)))
    (hint,) = looked_up(tmp_path, "prod")
    assert "t:i:T n4 and 3 more; " in hint


def test_the_authors_main_is_what_the_entry_runs(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    file = project / "Pulumi.yaml"
    file.write_text("name: shop\nruntime: {name: python, options: {virtualenv: v}}\nmain: infra/\n")
    before = file.read_text()
    stage(project, tmp_path / "staged")
    staged = (tmp_path / "staged" / "Pulumi.yaml").read_text()
    assert f"main: {ENTRY}" in staged
    assert (tmp_path / "staged" / ENTRY).read_text() == entry_text("infra/")
    assert "'infra/'" in entry_text("infra/")
    assert "'.'" in entry_text(None)
    assert file.read_text() == before


def test_a_failure_names_the_authors_files_and_no_frame_of_this_tool() -> None:
    shown, project = Path("/tmp/gate-1/project-0"), Path("/home/ada/shop")
    fault = (
        "Program failed with an unhandled exception:\n"
        "Traceback (most recent call last):\n"
        f'  File "{shown}/{ENTRY}", line 3, in <module>\n'
        "    run(__file__, '.')\n"
        '  File "/x/portway/gate/lookups.py", line 36, in run\n'
        '    runpy.run_path(str(program), run_name="__main__")\n'
        '  File "<frozen runpy>", line 88, in _run_code\n'
        f'  File "{shown}/__main__.py", line 11, in <module>\n'
        '    raise ValueError("no")\n'
        "ValueError: no"
    )
    assert in_its_own_terms(fault, project, shown) == (
        "Program failed with an unhandled exception:\n"
        "Traceback (most recent call last):\n"
        '  File "/home/ada/shop/__main__.py", line 11, in <module>\n'
        '    raise ValueError("no")\n'
        "ValueError: no"
    )


def test_a_fault_without_frames_is_left_alone() -> None:
    assert in_its_own_terms("a\nb", Path("/p"), Path("/s")) == "a\nb"
