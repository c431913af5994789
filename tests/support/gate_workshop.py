"""What the gate's end-to-end tests share: one closed workshop, and small programs to judge."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from textwrap import dedent

from portway.gate.run import (
    Policies,
    StackReport,
    Subject,
    Workshop,
    load_policies,
    run_gate,
    subjects_of,
)
from portway.gate.workshop import workshop as made_workshop
from support.engine_projects import the_engine
from support.packs import POLICIES

ROOT = Path(__file__).parents[2]


@contextmanager
def workshop() -> Generator[Workshop]:
    """A closed workshop, with an engine got for it if this machine had none."""
    the_engine()
    with made_workshop() as made:
        yield made


@cache
def policies() -> Policies:
    """The repository's own packs and configuration."""
    return load_policies(POLICIES)


def program(folder: Path, text: str) -> Path:
    """A Pulumi Python program that uses none of our components."""
    folder.mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: foreign\nruntime: python\n")
    (folder / "__main__.py").write_text(dedent(text))
    return folder


def our_project(folder: Path, stacks: dict[str, str], spec: str) -> Path:
    """Our own entry program with the given stack files and the one spec ``chat``."""
    (folder / "stacks" / "specs").mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / "stacks" / "specs" / "chat.yaml").write_text(dedent(spec))
    for name, text in stacks.items():
        (folder / "stacks" / f"Pulumi.{name}.yaml").write_text(dedent(text))
    return folder


def judged(going: Workshop, subjects: Sequence[Subject]) -> dict[str, StackReport]:
    """The gate's reports by stack."""
    return {report.stack: report for report in run_gate(subjects, policies(), going)}


def judged_program(going: Workshop, folder: Path) -> StackReport:
    """The gate's report on a program's only stack."""
    (report,) = run_gate(subjects_of(folder), policies(), going)
    return report


def refusals(report: StackReport) -> list[tuple[str, str]]:
    """Rule and resource of every refusal, sorted."""
    assert report.record is not None, report.faults
    return sorted((one.rule, one.resource) for one in report.record.refusals)
