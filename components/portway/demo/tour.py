"""The tour itself: deploy on every target, ask each, and show two stacks being refused."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import openai

from portway.demo.ask import Answer, ask
from portway.engine.engine import Engine
from portway.engine.mirror import mirror
from portway.engine.recover import Unresolved
from portway.engine.stack import Outcome, Pack, Stack
from portway.errors import Findings
from portway.gate.run import StackReport, load_policies, run_gate, subjects_of
from portway.gate.workshop import policies_folder, workshop
from portway.registry import registered
from portway.sandbox.controlplane.connect import remove
from portway.sandbox.layout import Layout
from portway.sandbox.store import Store
from portway.sandbox.unfinished import stack_files, stack_of, strays
from portway.spec.project import stack_file

Say = Callable[[str], None]

ATTEMPTS = 3
STACKS = tuple(f"chat.prod.{target}" for target in registered())
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
    """Bring the example's stacks up in the sandbox, with both packs on, and ask each a question.

    Stacks that people added are left alone.

    Raises:
        BadInput: the project does not have one of the example's stacks.
        Findings: an update was refused or failed, or an endpoint did not answer.
    """
    for name in STACKS:
        stack_file(project, name)
    layout = Layout.of_project(project)
    copy = mirror(project, layout.root / "mirror")
    return [_visit(Stack(copy, name, engine, environment), project, layout, say) for name in STACKS]


def _visit(stack: Stack, project: Path, layout: Layout, say: Say) -> Stop:
    started_at = time.monotonic()
    done = bring_up(stack, project, layout, say)
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


def bring_up(stack: Stack, project: Path, layout: Layout, say: Say) -> Outcome:
    """Update ``stack`` with both packs on, over whatever a tour or an engine that was killed left.

    Raises:
        Unresolved: what was left cannot be settled; says what happened and what to do.
    """
    for _ in range(ATTEMPTS - 1):
        _finish_what_was_interrupted(stack, layout, say)
        say(f"{stack.name}: pulumi up, both packs on")
        try:
            return stack.up(packs(project))
        except Unresolved:
            continue  # one that still ran has got in between
    _finish_what_was_interrupted(stack, layout, say)
    return stack.up(packs(project))


def _finish_what_was_interrupted(stack: Stack, layout: Layout, say: Say) -> None:
    """A tour that was killed goes on: what the clouds really have is adopted, the rest forgotten.

    What they have although no state knows it (a plugin ended in the middle) is removed: the update
    makes it again.
    """
    store = Store(layout.store)
    if (other := stack.at_work()) is not None:
        say(f"{stack.name}: waiting for process {other}, which works on the stack")
    if stack.unfinished():

        def find_id(urn: str) -> str | None:
            # looked up late: whoever still works on the stack is waited for first
            return {row.urn: row.key.id for row in store.all()}.get(urn)

        for item in stack.resolve(find_id):
            say(f"{stack.name}: {item.what}")
    for row in strays(store.all(), stack_files(layout.state)):
        if stack_of(row) == stack.name:
            say(f"{stack.name}: {row.key.id} is in the cloud, but in no state; removing it")
            remove(layout, store, row)


def refusals(project: Path) -> tuple[StackReport, ...]:
    """What the gate says of the two stacks of ``project`` that the tour shows being refused.

    Raises:
        Missing: there is no engine, or no packs.
    """
    policies = load_policies(policies_folder(project))
    with workshop() as place:
        return run_gate(subjects_of(project, REFUSED_STACKS), policies, place)
