"""Judging an exported state by policy packs: no program, no provider, no backend."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import cast

from portway.engine.command import ClosedCommand, Event, OutOfTime
from portway.engine.engine import Engine
from portway.engine.stack import Outcome, Pack, pack_words


def analyze(
    state: Path,
    packs: Sequence[Pack],
    engine: Engine,
    environment: Mapping[str, str],
    deadline_seconds: float | None = None,
) -> Outcome:
    """``pulumi policy analyze --file``: its violations and its summary, as the engine's own events.

    There is no event for a resource that violates nothing. Values that cannot be decrypted here reach
    the packs as the text ``[secret]``; ``stderr`` then says so.
    """
    command = ClosedCommand(engine, environment, deadline_seconds)
    with NamedTemporaryFile("w", suffix=".json") as empty:
        empty.write("{}")
        empty.flush()
        words = ["policy", "analyze", "--file", str(state.resolve()), "--json"]
        try:
            done = command.call(
                [*words, *pack_words(packs, empty.name)], state.resolve().parent, {}
            )
        except OutOfTime as error:
            late = str(error)
            return Outcome(succeeded=False, stdout="", stderr=late, events=(), out_of_time=late)
    return Outcome(done.code == 0, done.stdout, done.stderr, tuple(_events(done.stdout)))


def _events(text: str) -> list[Event]:
    lines = [line for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
    return [cast("Event", json.loads(line)) for line in lines]
