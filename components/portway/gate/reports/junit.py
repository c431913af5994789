"""JUnit XML, as CI systems show it: a suite for each stack, a test case for each rule."""

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from portway.gate.report import GateReport, Kind, Said
from portway.gate.reports.locate import Locator
from portway.gate.run import StackReport

WHOLE = "everything was judged"
"""The test case that stands for the run itself: an error says what was not judged, and why."""

_NOT_XML = re.compile(r"[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


def text(report: GateReport, locator: Locator) -> str:
    """The document. Advice and exempt violations are output, not failures."""
    root = Element("testsuites", {"name": "portway gate"})
    if report.faults or report.notes or not report.stacks:
        _run(root, report)
    for stack in report.stacks:
        _stack(root, report, stack, locator)
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _run(root: Element, report: GateReport) -> None:
    suite = SubElement(root, "testsuite", {"name": "portway gate"})
    case = SubElement(suite, "testcase", {"classname": "portway gate", "name": WHOLE})
    faults = report.faults or (() if report.stacks else ("there was no stack to judge",))
    for fault in faults:
        _because(case, "error", "not judged", fault)
    if report.notes:
        SubElement(case, "system-out").text = _clean("\n".join(report.notes))
    _count(suite)


def _stack(root: Element, report: GateReport, stack: StackReport, locator: Locator) -> None:
    suite = SubElement(root, "testsuite", {"name": _clean(stack.stack)})
    properties = SubElement(suite, "properties")
    for name, value in (("verdict", stack.verdict.value), ("judged", str(stack.judged))):
        SubElement(properties, "property", {"name": name, "value": value})
    file = locator.stack(stack).file

    def case(name: str) -> Element:
        about = {"classname": stack.stack, "name": name, "file": file}
        return SubElement(suite, "testcase", {key: _clean(value) for key, value in about.items()})

    by_rule: dict[str, list[Said]] = {name: [] for name in report.rules}
    for said in report.said(stack):
        by_rule.setdefault(said.id, []).append(said)
    whole = case(WHOLE)
    for fault in stack.faults or (() if stack.record else ("it was not judged",)):
        _because(whole, "error", "not judged", fault)
    for name, found in by_rule.items():
        _rule(case(name), found, is_judged=stack.record is not None and not stack.faults)
    _count(suite)


def _rule(case: Element, found: list[Said], *, is_judged: bool) -> None:
    refused = [said for said in found if said.kind is Kind.REFUSED]
    rest = [f"{said.kind}: {said.reported.message}" for said in found if said not in refused]
    if refused:
        # One failure a test case: consumers show the first and drop the others.
        messages = "\n".join(said.reported.message for said in refused)
        first = refused[0].reported.message
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        _because(case, "failure", refused[0].severity, messages, first + more)
    elif not is_judged:
        SubElement(case, "skipped", {"message": "the stack was not judged wholly"})
    if rest:
        SubElement(case, "system-out").text = _clean("\n".join(rest))


def _because(case: Element, tag: str, kind: str, words: str, title: str = "") -> None:
    headline = (title or words).split("\n", 1)[0]
    SubElement(case, tag, {"type": kind, "message": _clean(headline)}).text = _clean(words)


def _count(suite: Element) -> None:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(tag) is not None for case in cases)))


def _clean(words: str) -> str:
    """``words`` without what XML 1.0 cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", words)
