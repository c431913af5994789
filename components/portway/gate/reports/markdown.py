"""Markdown for a pull-request comment: the verdict at a glance, the rest behind a click."""

import html
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from portway.gate.costs import Costs
from portway.gate.report import GateReport, Kind, Said
from portway.gate.reports.locate import Locator
from portway.gate.run import StackReport, Verdict
from portway.pricing.money import money_shown

MARK = "<!-- portway-gate -->"
"""By this line a later run finds the comment and rewrites it."""

LARGEST = 60_000
"""Characters; GitHub takes 65,536 in a comment, GitLab more."""

_SIGNS = {Verdict.PASSED: "✅", Verdict.REFUSED: "❌", Verdict.FAILED: "⚠️"}
_WORDS = {Verdict.PASSED: "passed", Verdict.REFUSED: "refused", Verdict.FAILED: "not judged"}
_SPECIAL = re.compile(r"([\\`*_\[\]|~$]|^[-+=#]|^\d+(?=[.)]))")
_LINKING = re.compile(r"@|://|#(?=\d)|\bwww\.", re.I)
_MOST = 25
"""Violations of one stack that are listed."""


def text(report: GateReport, locator: Locator) -> str:
    """The comment. Details are left out, last stack first, where it would grow too long."""
    sections = [_stack(report, stack, locator) for stack in report.stacks]
    head, tail = _head(report), _tail(report)
    left_out = 0
    while sections and len(head) + len(tail) + sum(map(len, sections)) > LARGEST:
        sections.pop()
        left_out += 1
    if left_out:
        sections.append(
            f"_The details of {left_out} more did not fit; the other reports have them._\n"
        )
    body = "\n".join(section for section in (head, *sections, tail) if section)
    return body[: LARGEST + 2_000]


def _head(report: GateReport) -> str:
    lines = [MARK, f"### {_SIGNS[report.verdict]} Portway gate: {_plain(report.headline)}", ""]
    lines += [f"- ⚠️ {_plain(fault)}" for fault in report.faults[:_MOST]]
    if report.faults:
        lines.append("")
    if report.stacks:
        lines += ["| stack | verdict | judged | refused | advice |", "|---|---|--:|--:|--:|"]
    for stack in report.stacks:
        counts = [said.kind for said in report.said(stack)]
        refused = counts.count(Kind.REFUSED)
        verdict = f"{_SIGNS[stack.verdict]} {_WORDS[stack.verdict]}"
        cells = (_code(stack.stack), verdict, stack.judged, refused, len(counts) - refused)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    costs = _costs(report)
    return "\n".join([*lines, *(("", *costs) if costs else ())]) + "\n"


def _costs(report: GateReport) -> list[str]:
    """What a month costs, with what it cost before where a baseline says it."""
    known = [(one.stack, one.costs) for one in report.stacks if one.costs is not None]
    if not known:
        return []
    lines = ["| a month | floor | ceiling | oldest rate |", "|---|--:|--:|---|"]
    for stack, costs in known:
        before = costs.before
        cells = (
            _code(stack),
            _amount(None if before is None else before.floor, costs.floor),
            _amount(None if before is None else before.ceiling, costs.ceiling),
            "none used" if costs.rates_as_of is None else f"{costs.rates_as_of}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    for stack, costs in known:
        lines += [f"\n{_code(stack)}: {_plain(one)}" for one in _reservations(costs)]
    return lines


def _reservations(costs: Costs) -> Iterator[str]:
    """What keeps the amounts from being the whole of it."""
    yield from (f"not in it: {one}" for one in costs.untold[:_MOST])
    if costs.before is not None and costs.before.untold:
        yield f"not in what it was: {costs.before.untold}"
    if costs.unknown:
        yield f"not compared: {costs.unknown}"


def _amount(then: Decimal | None, now: Decimal) -> str:
    if then is None or then == now:
        return money_shown(now)
    sign = "+" if now > then else "-"
    return f"{money_shown(then)} → {money_shown(now)} ({sign}{money_shown(abs(now - then))})"


def _stack(report: GateReport, stack: StackReport, locator: Locator) -> str:
    said = report.said(stack)
    refused = [one for one in said if one.kind is Kind.REFUSED]
    rest = [one for one in said if one.kind is not Kind.REFUSED]
    parts: list[str] = []
    if stack.faults:
        faults = (f"- {_plain(fault)}" for fault in stack.faults[:_MOST])
        parts.append(_details(f"{stack.stack}: not judged", faults, is_open=True))
    if refused:
        title = f"{stack.stack}: {len(refused)} refused"
        parts.append(_details(title, _list(refused, stack, locator), is_open=True))
    if rest:
        exempt = sum(one.kind is Kind.EXEMPT for one in rest)
        counts = ((exempt, "exempt"), (len(rest) - exempt, "advice"))
        title = f"{stack.stack}: {', '.join(f'{count} {what}' for count, what in counts if count)}"
        parts.append(_details(title, _list(rest, stack, locator), is_open=False))
    return "\n".join(parts)


def _list(found: list[Said], stack: StackReport, locator: Locator) -> Iterator[str]:
    for said in found[:_MOST]:
        place = locator.violation(stack, said.reported)
        kind = "" if said.kind is Kind.REFUSED else f"{said.kind}, "
        yield f"- **{_plain(said.id)}** ({kind}{said.severity}) at {_code(f'{place.file}:{place.line}')}"
        yield f"  <br>{_plain(said.reported.message)}"
    if len(found) > _MOST:
        yield f"- and {len(found) - _MOST} more"


def _tail(report: GateReport) -> str:
    lines: list[str] = []
    if report.prices:
        lines.append(_details("What promises cost", (f"- {_plain(p)}" for p in report.prices)))
    if report.notes:
        lines.append(_details("About the configuration", (f"- {_plain(n)}" for n in report.notes)))
    lines.append(f"<sub>{_plain(report.scope)}, {report.today}</sub>\n")
    return "\n".join(lines)


def _details(title: str, lines: Iterable[str], *, is_open: bool = False) -> str:
    mark = " open" if is_open else ""
    body = "\n".join(lines)
    summary = html.escape(_on_one_line(title), quote=False)
    return f"<details{mark}><summary>{summary}</summary>\n\n{body}\n\n</details>\n"


def _plain(words: str) -> str:
    """``words`` as text that formats nothing, links nowhere and calls nobody."""
    escaped = html.escape(_on_one_line(words), quote=False)
    inert = _LINKING.sub(lambda found: f"{found[0][0]}<!-- -->{found[0][1:]}", escaped)
    return _SPECIAL.sub(_escaped, inert)


def _escaped(found: re.Match[str]) -> str:
    if found[0][0].isdigit():
        return f"<!-- -->{found[0]}"
    return f"\\{found[0]}"


def _code(words: str) -> str:
    """``words`` in code type, also inside a table."""
    line = _on_one_line(words)
    if line and not set(line) & set("`|"):
        return f"`{line}`"
    return f"<code>{_plain(words)}</code>"


def _on_one_line(words: str) -> str:
    return " ".join(words.split())
