"""Stacks as the engine sees them: gated, brought to rest, brought up and taken down for a migration."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

from pulumi.automation.errors import CommandError

from portway.engine.evidence import Decisions, Evidence, resources
from portway.engine.recover import Unresolved
from portway.engine.recovery import Recovery, plan_recovery
from portway.engine.stack import Outcome, Pack, Stack
from portway.engine.state import NoStack, NoState, State
from portway.errors import Findings, Missing
from portway.gate.run import (
    DEADLINE_SECONDS,
    PACKS,
    StackReport,
    Subject,
    Verdict,
    load_policies,
    run_gate,
)
from portway.gate.workshop import config_files, policies_folder, workshop
from portway.portability.told import what_failed
from portway.portability.world import End

_PATIENCE_SECONDS: Final = 900.0
"""How long an engine that outlived its controller is waited for: a node pool takes minutes."""
_POLL_SECONDS: Final = 1.0
_ATTEMPTS: Final = 3
_OWN: Final = "pulumi:"


class Place(Protocol):
    """Where one stack's state is; ``portway.cli.stack_place.StackPlace`` is one."""

    @property
    def state(self) -> State:
        """The state."""
        ...

    @property
    def backups(self) -> Path:
        """Where the state is saved before it is changed."""
        ...

    def look(self) -> tuple[dict[str, Any], Evidence]:
        """The state's document, and everything that was seen."""
        ...


class EngineCloud:
    """As ``world.Cloud``, with the real engine; in the sandbox or in real clouds."""

    def __init__(self, project: Path, place_of: Callable[[str], Place]) -> None:
        """``place_of`` says where a stack's state is, by its name."""
        self._project = project
        self._place_of = cache(place_of)
        self._stack = cache(self._opened)
        self._ends: dict[str, End | None] = {}

    def gate(self, stacks: Sequence[str]) -> tuple[str, ...]:
        """Previews in a folder that is thrown away: no login, no credentials, nothing created."""
        policies = load_policies(policies_folder(self._project), config_files([self._project]))
        subjects = [Subject(self._project, stack) for stack in stacks]
        with workshop() as place:
            reports = run_gate(subjects, policies, place, deadline_seconds=DEADLINE_SECONDS)
        return tuple(text for report in reports for text in _refusals(report))

    def unfinished(self, stack: str) -> tuple[str, ...]:
        """As ``world.Cloud``."""
        made = self._recovery(stack)[0]
        return tuple(f"{stack}: {each.what}" for each in (*made.steps, *made.left))

    def bring_to_rest(self, stack: str) -> tuple[str, ...]:
        """As ``world.Cloud``: adopts what the cloud has, forgets what it does not have."""
        done: list[str] = []
        for _ in range(_ATTEMPTS):
            made, seen, document = self._at_standstill(stack)
            if made.at_rest:
                return tuple(done)
            if made.left:
                what = "\n".join(f"- {each.what}" for each in made.left)
                raise Unresolved(
                    f"{stack}: an earlier operation did not end, and only you can say what became of "
                    f"it:\n{what}\n`portway recover {stack}` tells how; then --resume or --rollback"
                )
            place = self._place_of(stack)
            place.state.save(document, place.backups)
            failed = place.state.bring_to_rest(made, seen.deployment, document, place.backups)
            if failed:
                raise Unresolved(f"{stack} could not be brought to rest: {'; '.join(failed)}")
            done += [f"{step.what} {step.does}" for step in made.steps]
        raise Unresolved(f"{stack}: something works on the stack; try again when it has ended")

    def exists(self, stack: str) -> bool:
        """Whether its state has any resource beside Pulumi's own."""
        try:
            document = self._place_of(stack).state.read()
        except (NoStack, NoState):
            return False
        known = resources(document["deployment"] or {})
        return any(not str(each["type"]).startswith(_OWN) for each in known)

    def up(self, stack: str) -> None:
        """As ``world.Cloud``."""
        self._ends.clear()
        with _words(stack):
            _succeeded(stack, "update", self._stack(stack).up(self.packs()))

    def destroy(self, stack: str) -> None:
        """As ``world.Cloud``; the stack itself stays, empty, with its history."""
        self._ends.clear()
        with _words(stack):
            _succeeded(stack, "destroy", self._stack(stack).destroy())

    def end(self, stack: str) -> End | None:
        """As ``world.Cloud``; remembered until something is changed from here."""
        if stack not in self._ends:
            self._ends[stack] = self._end(stack) if self.exists(stack) else None
        return self._ends[stack]

    def packs(self) -> list[Pack]:
        """Both packs, with the organisation's configuration."""
        folder, configured = policies_folder(self._project), config_files([self._project])
        return [Pack(folder / name, configured.get(name)) for name in PACKS]

    def _end(self, stack: str) -> End | None:
        with _words(stack):
            outputs = self._stack(stack).outputs()
        if not outputs.get("endpoint"):
            return None
        return End(
            stack, str(outputs["endpoint"]), str(outputs.get("apiKey") or ""), str(outputs["model"])
        )

    def _opened(self, stack: str) -> Stack:
        state = self._place_of(stack).state
        return Stack(state.folder, stack, state.engine, state.environment)

    def _recovery(self, stack: str) -> tuple[Recovery, Evidence, Mapping[str, Any]]:
        try:
            document, seen = self._place_of(stack).look()
        except (NoStack, NoState):
            return Recovery(stack), Evidence({}), {}
        return plan_recovery(stack, seen, Decisions()), seen, document

    def _at_standstill(self, stack: str) -> tuple[Recovery, Evidence, Mapping[str, Any]]:
        """What is left once every process that works on the stack from this machine has ended."""
        end_seconds = time.monotonic() + _PATIENCE_SECONDS
        while True:
            made, seen, document = self._recovery(stack)
            if not any(lock.alive for lock in seen.locks) or time.monotonic() > end_seconds:
                return made, seen, document
            time.sleep(_POLL_SECONDS)


@contextmanager
def _words(stack: str) -> Generator[None]:
    """What the engine's command line says when it fails may hold outputs: it is not passed on.

    Raises:
        Missing: it failed.
    """
    try:
        yield
    except CommandError as error:
        kind = type(error).__name__
        raise Missing(
            f"{stack}: the engine cannot work with the stack ({kind}); `pulumi stack --stack {stack}` says why"
        ) from None


class SystemClock:
    """As ``world.Clock``."""

    def now_seconds(self) -> float:
        """Since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def _refusals(report: StackReport) -> list[str]:
    if report.verdict is Verdict.PASSED:
        return []
    if report.record is None or report.faults:
        faults = report.faults or ("nobody said why",)
        return [f"{report.stack} could not be judged: {fault}" for fault in faults]
    return [f"{report.stack}: [{one.rule}] {one.message}" for one in report.record.refusals]


def _succeeded(stack: str, what: str, outcome: Outcome) -> None:
    """Raises: Findings: it did not; says what the packs or the engine said, and what is known of that."""
    if outcome.succeeded:
        return
    refused = "; ".join(str(each["message"]).strip() for each in outcome.violations)
    raise Findings(f"{stack}: the {what} did not succeed: {refused or what_failed(stack, outcome)}")
