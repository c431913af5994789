"""The ready-made CI files: valid, pinned, and calling only what exists."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from portway.cli.app import app
from portway.gate.reports.markdown import MARK

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = [
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    ROOT / "examples/ci/github.yml",
]
GITLAB = ROOT / "examples" / "ci" / "gitlab-ci.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def read(file: Path) -> Any:
    return YAML(typ="safe").load(file.read_text())  # pyright: ignore[reportUnknownMemberType] - untyped


def steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in read(file)["jobs"].values():
        yield from job["steps"]


def scripts(file: Path) -> list[str]:
    if file in WORKFLOWS:
        return [step["run"] for step in steps(file) if "run" in step]
    if file == HOOKS:
        return [hook["entry"] for hook in read(file)]
    job: dict[str, list[str]] = read(file)["gate"]
    return [line for key in ("before_script", "script", "after_script") for line in job[key]]


FILES = [*WORKFLOWS, GITLAB, HOOKS]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_portway_call_is_understood(file: Path) -> None:
    calls = [
        shlex.split(line.strip())[1:]
        for script in scripts(file)
        for line in script.splitlines()
        if re.match(r"\S*\bportway (?!/)", line.strip())
    ]
    assert calls or file.name == "ci.yml"
    context = click.Context(app)
    for verb, *words in calls:
        command = app.get_command(context, verb)
        assert command is not None, verb
        command.make_context(verb, words)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_script_is_a_script(file: Path) -> None:
    for script in scripts(file):
        done = subprocess.run(
            ["bash", "-n"], input=script, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), script


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_make_target_exists(file: Path) -> None:
    named = re.findall(r"^\s*make (?:-C \S+ )?([a-z-]+)", "\n".join(scripts(file)), re.M)
    assert set(named) <= MAKE_TARGETS


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_pinned_and_every_permission_is_named(file: Path) -> None:
    used = [step["uses"] for step in steps(file) if "uses" in step]
    assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)] == []
    workflow = read(file)
    assert workflow["permissions"] == {}
    assert all("permissions" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_nothing_that_a_pull_request_says_becomes_a_script(file: Path) -> None:
    assert [script for script in scripts(file) if "${{" in script] == []


def test_the_gate_blocks_and_its_reports_are_shown_all_the_same() -> None:
    (gate,) = [s for s in steps(WORKFLOWS[1]) if "portway gate" in s.get("run", "")]
    assert WORKFLOWS[1].name == "gate.yml"
    assert "continue-on-error" not in gate
    written = re.findall(r"--(sarif|junit|markdown) (\S+)", gate["run"])
    assert [name for name, _ in written] == ["sarif", "junit", "markdown"]
    after = list(steps(WORKFLOWS[1]))
    after = after[after.index(gate) + 1 :]
    assert len(after) == 4
    assert all("!cancelled()" in step["if"] for step in after)
    assert any("upload-sarif" in step.get("uses", "") for step in after)


def test_the_comment_is_found_again_by_the_mark_it_begins_with() -> None:
    (comment,) = [step for step in steps(WORKFLOWS[1]) if "Comment" in step.get("name", "")]
    assert f'startswith("{MARK}")' in comment["run"]


def test_the_reports_that_gitlab_keeps_are_written() -> None:
    job = read(GITLAB)["gate"]
    assert job["artifacts"]["when"] == "always"
    assert all(f" {name}" in job["script"][-1] for name in job["artifacts"]["paths"])
    assert job["artifacts"]["reports"]["junit"] in job["artifacts"]["paths"]
