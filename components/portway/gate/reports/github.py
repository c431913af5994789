"""GitHub's workflow commands: a mark at the line of each violation."""

from collections.abc import Iterator

from portway.gate.report import GateReport, Kind
from portway.gate.reports.locate import Locator, Place

_COMMANDS = {Kind.REFUSED: "error", Kind.EXEMPT: "warning", Kind.ADVICE: "notice"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def annotations(report: GateReport, locator: Locator) -> tuple[str, ...]:
    """One command a line, the worst first; a step shows only the first few of each kind."""
    lines = tuple(_all(report, locator))
    order = ("::error", "::warning", "::notice")
    return tuple(sorted(lines, key=lambda line: order.index(line.split(" ", 1)[0])))


def _all(report: GateReport, locator: Locator) -> Iterator[str]:
    for fault in report.faults:
        yield _command("error", None, "not judged", fault)
    for stack in report.stacks:
        for fault in stack.faults:
            yield _command("error", locator.stack(stack), f"{stack.stack} was not judged", fault)
        for said in report.said(stack):
            title = f"{stack.stack}: {said.id}"
            place = locator.violation(stack, said.reported)
            yield _command(_COMMANDS[said.kind], place, title, said.reported.message)
    for note in report.notes:
        yield _command("warning", None, "about the configuration", note)


def _command(name: str, place: Place | None, title: str, message: str) -> str:
    properties = {"title": title}
    if place is not None:
        properties = {"file": place.file, "line": str(place.line), **properties}
    said = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in properties.items())
    return f"::{name} {said}::{_escaped(message, _DATA)}"


def _escaped(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(letter, letter) for letter in text)
