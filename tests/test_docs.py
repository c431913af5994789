"""What README and docs show is what happens: their code blocks run, their links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from portway.cli.app import app
from portway.sandbox.faults import FaultKind
from portway.sandbox.faults_file import parse
from portway.sandbox.rehearsals import REHEARSALS
from portway.sayings import explain
from portway.spec.load import load_spec

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"),
                *(ROOT / "components").rglob("README.md")])  # fmt: skip
BLOCK = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
# `portway` verbs that need neither an engine nor a network: these run here, word for word
PURE = {
    "check",
    "plan",
    "price",
    "advise",
    "compare",
    "models",
    "guardrails",
    "--help",
    "--version",
}
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


@dataclass(frozen=True)
class Command:
    page: Path
    line: str
    shown: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line, comments=True)

    @property
    def is_pure(self) -> bool:
        words = self.words
        return words[:1] == ["portway"] and len(words) > 1 and words[1] in PURE


def commands() -> list[Command]:
    found: list[Command] = []
    for page in PAGES:
        for language, body in BLOCK.findall(page.read_text()):
            if language != "console":
                continue
            for chunk in re.split(r"^\$ ", body, flags=re.M)[1:]:
                first, *rest = chunk.rstrip("\n").split("\n")
                found.append(Command(page, first, tuple(rest)))
    return found


CALENDAR = " rates used are older than "
"""In a line that changes with the day it is read."""


def run_pure(command: Command) -> list[str]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # fmt: skip
    done = subprocess.run(
        command.words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    said = (done.stdout + done.stderr).rstrip("\n").split("\n")
    return [line.rstrip() for line in said if CALENDAR not in line]


@pytest.mark.parametrize(
    "command", [c for c in commands() if c.is_pure and c.shown], ids=lambda c: c.line
)
def test_a_shown_output_is_the_real_one(command: Command) -> None:
    shown = [line.rstrip() for line in command.shown]
    pattern = "\n".join(".*" if line == "…" else re.escape(line) for line in shown)
    assert re.fullmatch(pattern, "\n".join(run_pure(command)), re.S)


def test_every_make_target_that_is_named_exists() -> None:
    named = {w[1] for c in commands() if (w := c.words)[:1] == ["make"] and len(w) > 1}
    assert named <= MAKE_TARGETS


def test_every_portway_verb_that_is_named_exists() -> None:
    known = set(app.list_commands(None)) | {"--help", "--version"}  # pyright: ignore[reportArgumentType] - the table needs no context
    named = {w[1] for c in commands() if (w := c.words)[:1] == ["portway"] and len(w) > 1}
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = [t for t in LINK.findall(page.read_text()) if not (page.parent / t).exists()]
    assert broken == []


def test_every_spec_that_is_shown_is_valid(tmp_path: Path) -> None:
    shown = [
        body
        for page in PAGES
        for language, body in BLOCK.findall(page.read_text())
        if language == "yaml" and re.search(r"^scaling:", body, re.M)
    ]
    assert shown, "the README shows a spec"
    for number, body in enumerate(shown):
        path = tmp_path / f"{number}.yaml"
        path.write_text(body)
        load_spec(path)


def test_the_architecture_picture_is_drawn_from_its_text() -> None:
    labels = re.findall(r'label="([^"\\]+)', (ROOT / "docs" / "architecture.dot").read_text())
    drawn = (ROOT / "docs" / "architecture.svg").read_text()
    assert [label for label in labels if label.replace("&", "&amp;") not in drawn] == []


def test_the_faults_that_are_shown_are_understood(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text()
    shown = [body for language, body in BLOCK.findall(page) if language == "yaml"]
    assert len(shown) == 1
    path = tmp_path / "faults.yaml"
    path.write_text(shown[0])
    rules, quotas = parse(path)
    assert {rule.kind for rule in rules} == set(FaultKind) - {FaultKind.HALF_CREATE}
    assert quotas


def test_every_fault_that_can_be_rehearsed_has_its_row() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    assert [name for name, *_ in rows] == list(REHEARSALS)
    stack = "chat.prod.cloud-run"
    told = [words for name, words, *_ in rows if REHEARSALS[name].strikes != "each call"]
    quoted = [text.replace("…", "x") for words in told for text in re.findall(r"`([^`]+)`", words)]
    # what is read in an `up` is what `portway up` has words for, as it stands in the cloud's sentence
    sentences = [f'Post "https://run.googleapis.com/": {text}, https' for text in quoted]
    assert len(sentences) == 10
    assert [one for one in sentences if not explain([("", one)], stack)] == []


def test_the_programs_that_are_shown_in_other_languages_are_those_of_the_examples() -> None:
    shown = dict(BLOCK.findall((ROOT / "docs" / "components.md").read_text()))
    for language, path in (("ts", "typescript/index.ts"), ("go", "go/main.go")):
        assert shown[language] == (ROOT / "examples" / path).read_text()
    whole = (ROOT / "examples" / "yaml" / "Pulumi.yaml").read_text()
    assert whole.endswith(shown["yaml"])
