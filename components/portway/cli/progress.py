"""How far a long run is, on stderr, for a person."""

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from portway.cli.output import is_plain


@contextmanager
def progress(total: int, doing: str, *, no_color: bool) -> Generator[Callable[[str], None]]:
    """A bar of ``total`` steps; nothing at all where stderr is no terminal.

    What it gives is called after each step, from any thread, with a line of markup to leave behind, or
    with "".
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that not every verb needs
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    err = Console(stderr=True, no_color=is_plain(no_color=no_color) or None)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    lock = threading.Lock()
    with Progress(*columns, console=err, transient=True) as shown:
        task = shown.add_task(doing, total=total)

        def step(line: str) -> None:
            with lock:
                if line:
                    shown.console.print(line, highlight=False)
                shown.advance(task)

        yield step
