"""How a migration is told: its plan, its progress while it runs, and how far it is."""

import json
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from portway.cli.output import is_plain, say
from portway.portability.journal import Journal
from portway.portability.migration import Kind, Story, fold, next_step
from portway.portability.move import Step, every_step_back
from portway.portability.move_plan import MovePlan

if TYPE_CHECKING:
    from portway.portability.migrate import Told

_MARKS: Final = {"done": "✓", "failed": "✗", "turned": "↩", "held": "‖", "ended": "■"}
_STYLES: Final = {"done": "green", "failed": "red", "turned": "yellow", "held": "yellow", "ended": "bold"}  # fmt: skip


def plan_text(plan: MovePlan) -> Iterator[str]:
    """The plan, for people: steps, money, what moves along, what stands against it."""
    move, document = plan.move, plan.as_document()
    money = document["usd_per_hour"]
    yield f"{move.source} → {move.destination}, behind {move.door}"
    yield ""
    for number, step in enumerate(plan.steps, 1):
        yield f"{number:>2}. {step.id}: {step.does}"
        yield from _details(step, _usd(document["steps"][number - 1]["usd_per_hour"]))
    yield ""
    yield "To undo it, from wherever it is:"
    for step in every_step_back(move):
        yield f"    {step.id}: {step.does}"
    yield ""
    yield "USD an hour, with the declared traffic:"
    yield f"    before {_usd(money['source'])}, after {_usd(money['destination'])}"
    at_most = _usd(money["both_at_most"])
    yield f"    while both run {_usd(money['both'])}, {at_most} at most"
    yield ""
    yield "Beside the traffic:"
    for one in plan.named:
        yield f"    {one.what} ({one.fate.value}): {one.how}"
    yield from _section("Worth knowing:", plan.told)
    yield from _section("The move must not begin:", plan.objections)


def _details(step: Step, cost: str) -> Iterator[str]:
    if step.changes:
        yield f"      changes: {step.changes}"
        yield f"      undone:  {step.undone}"
    yield f"      guard:   {step.guard}"
    yield f"      costs:   {cost} USD an hour while it stands"


def _section(title: str, texts: tuple[str, ...]) -> Iterator[str]:
    if texts:
        yield ""
        yield title
        yield from (f"    {text}" for text in texts)


def _usd(amount: str | None) -> str:
    return "unpriced" if amount is None else amount


@contextmanager
def follower(*, no_color: bool) -> Generator[Callable[["Told"], None]]:
    """Progress on stderr: a live line and one for each step that ended; plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield lambda told: click.echo(
            f"{told.step} {told.state}: {told.detail}".rstrip(": "), err=True
        )
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that not every verb needs

    err = Console(
        stderr=True, highlight=False, emoji=False, no_color=is_plain(no_color=no_color) or None
    )
    began = time.monotonic()
    with err.status("beginning") as live:

        def tell(told: "Told") -> None:
            nonlocal began
            if told.state == "begun":
                began = time.monotonic()
                live.update(f"[bold]{told.step}[/]: {told.detail}")
                return
            seconds = f"{time.monotonic() - began:5.1f} s"
            mark, style = _MARKS.get(told.state, "·"), _STYLES.get(told.state, "")
            err.print(
                f"[{style}]{mark}[/] {told.step:<10} [dim]{seconds}[/]  {told.detail}",
                soft_wrap=True,
            )

        yield tell


class EventLog:
    """One JSON line for whatever happens, appended to a file; nothing where there is none."""

    def __init__(self, file: Path | None) -> None:
        """``file`` is made where it is missing."""
        self._file = file

    def __call__(self, told: "Told") -> None:
        """Append ``told``. A log that cannot be written stops no migration: it is said, once."""
        if self._file is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"step": told.step, "state": told.state, "at": at, "detail": told.detail}
        try:
            with self._file.open("a", encoding="utf-8") as text:
                text.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as error:
            click.echo(f"{self._file}: {error.strerror}; no more events are written", err=True)
            self._file = None


def status_document(journal: Journal | None) -> dict[str, Any]:
    """How far a migration is, for programs."""
    if journal is None:
        return {"migration": None}
    story = fold(journal.records)
    step = next_step(story)
    return {
        "migration": {
            "journal": journal.name,
            "from": story.move.source,
            "to": story.move.destination,
            "door": story.move.door,
            "keep_source": story.move.keep_source,
            "began": journal.records[0].at,
            "state": _state(story),
            "why": story.why or None,
            "next": None if step is None else step.id,
            "failed": None
            if story.failed is None
            else dict(zip(("step", "why"), story.failed, strict=True)),
            "steps": _steps(journal),
        }
    }


def print_status(journal: Journal | None, service: str, *, no_color: bool) -> None:
    """How far it is, for people."""
    if journal is None:
        say(f"No migration of {service} was ever begun here.", no_color=no_color)
        return
    story = fold(journal.records)
    move = story.move
    say(f"{move.source} → {move.destination}: {_state(story)}", no_color=no_color, bold=True)
    for step in _steps(journal):
        mark = _MARKS.get(step["state"], "·")
        say(f"  {mark} {step['step']:<10} {step['at']}  {step['state']}", no_color=no_color)
    if story.why:
        say(f"turned back: {story.why}", no_color=no_color)
    step = next_step(story)
    if step is not None:
        say(f"next: {step.id}: {step.does}", no_color=no_color)
        words = f"portway migrate {move.source} {move.destination}"
        say(f"{words} --resume, or {words} --rollback", no_color=no_color)
    say(f"journal: {journal.name}", no_color=no_color)


def _state(story: Story) -> str:
    if story.outcome is not None:
        return story.outcome.value
    return "being rolled back" if story.going_back else "unfinished"


def _steps(journal: Journal) -> list[dict[str, str]]:
    """Every step that was begun, with how it ended; the newest attempt of each, in order."""
    states = {Kind.INTENT: "begun", Kind.DONE: "done", Kind.FAILED: "failed"}
    found: dict[str, dict[str, str]] = {}
    for record in journal.records:
        if record.kind in states:
            state = {"step": record.step, "state": states[record.kind], "at": record.at}
            found[record.step] = state
    return list(found.values())
