"""The tour itself: deploy on every target, ask each, and show two stacks being refused."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import openai

from portway.demo.ask import Answer, ask
from portway.engine.engine import Engine
from portway.engine.mirror import mirror
from portway.engine.stack import Pack, Stack
from portway.errors import Findings
from portway.gate.run import StackReport, load_policies, run_gate, subjects_of
from portway.gate.workshop import policies_folder, workshop
from portway.sandbox.layout import Layout
from portway.sandbox.store import Store
from portway.spec.project import stack_names

Say = Callable[[str], None]

REFUSED_STACKS = ("chat.leaking.cloud-run", "chat.greedy.cloud-run")


@dataclass(frozen=True)
class Stop:
    """One stack of the tour: where it runs, and what a client and both packs said.

    Attributes:
        up_seconds: what the update took.
    """

    stack: str
    target: str
    region: str
    endpoint: str
    model_identity: str
    answer: Answer
    up_seconds: float
    violations: int


def packs(project: Path) -> list[Pack]:
    """Both packs, with the organisation's configuration."""
    folder = project / "policies"
    return [Pack(folder / name, folder / f"{name}.json") for name in ("residency", "cost")]


def deploy_and_ask(
    project: Path, engine: Engine, environment: Mapping[str, str], say: Say
) -> list[Stop]:
    """Bring every stack of ``project`` up in the sandbox, with both packs on, and ask each a question.

    Raises:
        Findings: an update was refused or failed, or an endpoint did not answer.
    """
    layout = Layout.of_project(project)
    copy = mirror(project, layout.root / "mirror")
    return [
        _visit(Stack(copy, name, engine, environment), project, layout, say)
        for name in stack_names(project)
    ]


def _visit(stack: Stack, project: Path, layout: Layout, say: Say) -> Stop:
    _finish_what_was_interrupted(stack, layout, say)
    say(f"{stack.name}: pulumi up, both packs on")
    started_at = time.monotonic()
    done = stack.up(packs(project))
    if not done.succeeded:
        said = "\n".join([str(v["message"]).strip() for v in done.violations] or done.errors)
        raise Findings(f"{stack.name}: the update did not succeed:\n{said}")
    seconds = time.monotonic() - started_at
    outputs = stack.outputs()
    say(f"{stack.name}: asking {outputs['endpoint']}")
    try:
        answer = ask(outputs["endpoint"], outputs["apiKey"], outputs["model"])
    except openai.OpenAIError as error:
        raise Findings(f"{stack.name}: {outputs['endpoint']} did not answer: {error}") from error
    return Stop(
        stack.name, outputs["target"], outputs["region"], outputs["endpoint"],
        outputs["modelIdentity"], answer, seconds, len(done.violations),
    )  # fmt: skip


def _finish_what_was_interrupted(stack: Stack, layout: Layout, say: Say) -> None:
    """A tour that was killed goes on: what the clouds really have is adopted, the rest forgotten."""
    left = stack.unfinished()
    if not left:
        return
    rows = {row.urn: row.key.id for row in Store(layout.store).all()}
    for item in stack.resolve(rows.get):
        say(f"{stack.name}: {item.what}")


def refusals(project: Path) -> tuple[StackReport, ...]:
    """What the gate says of the two stacks of ``project`` that the tour shows being refused.

    Raises:
        Missing: there is no engine, or no packs.
    """
    policies = load_policies(policies_folder(project))
    with workshop() as place:
        return run_gate(subjects_of(project, REFUSED_STACKS), policies, place)
