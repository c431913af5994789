"""A whole move in a sandbox of its own, under load, before anything real is touched."""

import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any, Final, cast

from ruamel.yaml import YAML

from portway.engine.mirror import mirror
from portway.portability.clients import Counts, asking
from portway.portability.journal import Journal
from portway.portability.keeping import Kept
from portway.portability.migrate import Tell, Told, begin, run
from portway.portability.migration import Outcome
from portway.portability.move import Move
from portway.portability.move_plan import MovePlan
from portway.portability.world import End, Tools
from portway.sandbox import control
from portway.sandbox.layout import Layout
from portway.spec.project import stack_file
from portway.spec.stack_file import DOOR_KEY

_FOLDER: Final = "rehearsal"
_SETTLING_SECONDS: Final = 1.0
_HOUR_SECONDS: Final = 3600


@dataclass(frozen=True)
class Rehearsed:
    """What is to be expected of the move.

    Attributes:
        counts: what the clients saw.
        seconds: what each step took, here; real clouds take longer to create.
        cost_at_most_usd: of both ends, for as long as it took here; None where a rate is unknown.
    """

    outcome: Outcome
    counts: Counts
    seconds: dict[str, float]
    cost_at_most_usd: Decimal | None

    @property
    def is_good(self) -> bool:
        """Whether the move ended at the destination, and no client noticed."""
        return self.outcome is Outcome.MOVED and self.counts.wrong == 0 and self.counts.answered > 0


@contextmanager
def copied(project: Path, move: Move, say: Callable[[str], object]) -> Generator[Path]:
    """A copy of the project with a running sandbox of its own, which is taken away in the end.

    Secrets are not copied; the door's weights begin with everything at the source.
    """
    folder = project.resolve() / ".portway" / _FOLDER
    _remove(folder)
    shown = mirror(project, folder / "project")
    _all_to_the_source(shown, move)
    try:
        control.start(shown, say)
        yield shown
    finally:
        _remove(folder)


def backend_of(copy: Path) -> str:
    """The backend of a copy's sandbox, as ``pulumi login`` takes it."""
    return f"file://{Layout.of_project(copy).state}"


def rehearse(
    copy: Path, plan: MovePlan, tools: Tools, clients: int, tell: Tell, say: Callable[[str], object]
) -> Rehearsed:
    """Deploy source and door of ``copy``, and move while ``clients`` ask all the time.

    Raises:
        Findings: the source or the door cannot be brought up, or the move stands still.
    """
    move = plan.move
    for stack in (move.source, move.door):
        say(f"bringing up {stack}")
        tools.cloud.up(stack)
    door = cast("End", tools.cloud.end(move.door))
    journal: Journal = Kept.of(copy, move.service, move.environment).make(move)
    begin(journal, move, tools.lease.token)
    watch = _Watch(tell)
    say(f"{clients} clients begin to ask {move.door}")
    with asking(door.url, door.key, door.model, clients) as counts:
        time.sleep(_SETTLING_SECONDS)
        outcome = run(journal, tools, watch)
        time.sleep(_SETTLING_SECONDS)
    return Rehearsed(outcome, counts, watch.seconds, _cost(plan, sum(watch.seconds.values())))


def for_rehearsal(plan: MovePlan) -> MovePlan:
    """The same move, with its source retired: a rehearsal shows that, too."""
    return replace(plan, move=replace(plan.move, keep_source=False))


class _Watch:
    """Passes on what it is told, and counts how long each step takes."""

    def __init__(self, tell: Tell) -> None:
        self.seconds: dict[str, float] = {}
        self._tell = tell
        self._began = 0.0

    def __call__(self, told: Told) -> None:
        if told.state == "begun":
            self._began = time.monotonic()
        elif told.step != "migration":
            self.seconds[told.step] = round(time.monotonic() - self._began, 1)
        self._tell(told)


def _cost(plan: MovePlan, seconds: float) -> Decimal | None:
    hourly = plan.at_most_usd_per_hour
    if hourly is None:
        return None
    return (hourly * Decimal(str(seconds)) / _HOUR_SECONDS).quantize(Decimal("0.01"), ROUND_UP)


def _all_to_the_source(copy: Path, move: Move) -> None:
    file = stack_file(copy, move.door)
    yaml = YAML()
    loaded: Any = yaml.load(file.read_text(encoding="utf-8"))  # pyright: ignore[reportUnknownMemberType] - ruamel is untyped
    loaded["config"][DOOR_KEY]["weights"] = {move.source: 100}
    part = file.with_name(f"{file.name}.part")
    with part.open("w", encoding="utf-8") as text:
        yaml.dump(loaded, text)  # pyright: ignore[reportUnknownMemberType] - as above
    part.replace(file)


def _remove(folder: Path) -> None:
    """Also what a rehearsal left that was killed: its sandbox is stopped first."""
    if (folder / "project").is_dir():
        control.stop(folder / "project")
    shutil.rmtree(folder, ignore_errors=True)
