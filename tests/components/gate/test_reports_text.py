"""JUnit, Markdown, GitHub's marks: what CI shows, with nothing that the words could break."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from portway.gate.baseline import Earlier
from portway.gate.costs import Costs
from portway.gate.report import GateReport
from portway.gate.reports import github, junit, markdown
from portway.gate.run import StackReport
from support.gate_reports import (
    GPUS,
    NASTY,
    REGION,
    URN,
    everything,
    nowhere,
    run_of,
    said,
    stack_report,
)

WORDS = st.text(max_size=60) | st.sampled_from(
    [NASTY, "", "::error::x", "]]>", "</details>", "```"]
)


def tree(report: GateReport) -> ET.Element:
    return ET.fromstring(junit.text(report, nowhere()))


def test_junit_has_a_case_for_every_rule_and_every_stack() -> None:
    report = everything()
    names = [junit.WHOLE, *report.rules]
    suites = {suite.get("name"): suite for suite in tree(report)}
    assert set(suites) == {"portway gate", "dev", "prod", "late"}
    assert [case.get("name") for case in suites["dev"].findall("testcase")] == names
    assert [case.get("name") for case in suites["prod"].findall("testcase")] == [*names, "not-ours"]
    assert {case.get("classname") for case in suites["prod"].findall("testcase")} == {"prod"}


def test_junit_counts_what_it_holds() -> None:
    report = everything()
    root = tree(report)
    rules = len(report.rules)
    assert [root.get(key) for key in ("tests", "failures", "errors", "skipped")] == [
        str(1 + 3 * (1 + rules) + 1),
        "3",
        "1",
        str(rules),
    ]
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))


def test_junit_gathers_the_violations_of_one_rule_in_one_failure() -> None:
    (failure,) = tree(everything()).findall(
        f"testsuite[@name='prod']/testcase[@name='{REGION}']/failure"
    )
    assert failure.get("type") == "critical"
    assert failure.get("message") == f"{said().message} (and 1 more)"
    assert failure.text == f"{said().message}\nits replica is in us-east1"


def test_junit_reports_a_fault_as_an_error_and_leaves_the_rules_unjudged() -> None:
    suite = next(suite for suite in tree(everything()) if suite.get("name") == "late")
    (error,) = suite.findall("testcase/error")
    assert (error.text or "").startswith("the program crashed")
    assert len(suite.findall("testcase/skipped")) == len(everything().rules)
    assert tree(run_of()).get("errors") == "1"


def test_junit_keeps_advice_out_of_the_failures() -> None:
    report = run_of(stack_report(said(level="advisory"), said("old", level="advisory")))
    root = tree(report)
    assert root.get("failures") == "0"
    (out,) = root.findall("testsuite/testcase/system-out")
    assert out.text == f"advice: {said().message}\nexempt: {said().message}"


@given(WORDS, WORDS)
def test_junit_is_xml_whatever_is_said(message: str, fault: str) -> None:
    report = run_of(stack_report(said(message=message)), faults=(fault,), notes=(message,))
    assert tree(report).get("errors") == "1"


def shown(report: GateReport) -> str:
    """As a code host shows it."""
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(
        markdown.text(report, nowhere())
    )


def test_markdown_says_the_verdict_first_and_each_stack_in_one_line() -> None:
    lines = markdown.text(everything(), nowhere()).splitlines()
    assert lines[:2] == [
        "<!-- portway-gate -->",
        "### ⚠️ Portway gate: 1 of 3 stacks not judged, 1 refused",
    ]
    assert lines[3:8] == [
        "| stack | verdict | judged | refused | advice |",
        "|---|---|--:|--:|--:|",
        "| `dev` | ✅ passed | 2 | 0 | 0 |",
        "| `prod` | ❌ refused | 2 | 4 | 2 |",
        "| `late` | ⚠️ not judged | 0 | 0 | 0 |",
    ]
    assert lines[-1].startswith("<sub>4 resources judged by ")


def test_markdown_opens_what_must_be_read_and_closes_the_rest() -> None:
    text = markdown.text(everything(), nowhere())
    assert re.findall(r"<details(?: open)?><summary>[^<]+", text) == [
        "<details open><summary>prod: 4 refused",
        "<details><summary>prod: 1 exempt, 1 advice",
        "<details open><summary>late: not judged",
        "<details><summary>About the configuration",
    ]


def test_a_passed_run_is_short() -> None:
    text = markdown.text(run_of(stack_report()), nowhere())
    assert len(text.splitlines()) == 8
    assert "### ✅ Portway gate: 1 stack passed" in text


@given(WORDS)
def test_markdown_formats_nothing_of_what_is_said(message: str) -> None:
    report = run_of(stack_report(said(message=f"it {message}")))
    html = shown(report)
    for tag in ("em", "strong", "a ", "img", "pre", "h1", "del", "script"):
        assert html.count(f"<{tag}") == shown(run_of(stack_report(said(message="it")))).count(
            f"<{tag}"
        )
    assert html.count("<details") == html.count("</details>") == 1


def test_markdown_calls_nobody_and_links_nowhere() -> None:
    text = markdown.text(run_of(stack_report(said(message=NASTY))), nowhere())
    assert "@ann" not in text
    assert "https://" not in text
    assert "#12" not in text
    assert "<b>" not in text


def test_a_comment_never_grows_too_long_and_says_what_it_left_out() -> None:
    many = [said(f"n{number}", "x" * 900) for number in range(200)]
    report = run_of(*(stack_report(*many, stack=f"s{number}") for number in range(9)))
    text = markdown.text(report, nowhere())
    assert len(text) < 65_536
    assert "and 175 more" in text
    assert "The details of 7 more did not fit" in text
    assert text.count("❌ refused") == 9


def test_github_marks_the_line_of_each_violation_the_worst_first() -> None:
    urn = URN.format(stack="prod", name="data")
    lines = github.annotations(
        run_of(stack_report(said("old", level="advisory"), said())), nowhere()
    )
    assert urn
    assert lines == (
        f"::error file=Pulumi.yaml,line=1,title=prod%3A {REGION}::{said().message}",
        f"::warning file=Pulumi.yaml,line=1,title=prod%3A {REGION}::{said().message}",
    )


def test_github_shows_faults_advice_and_notes() -> None:
    lines = github.annotations(everything(), nowhere())
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 5 + ["::warning"] * 2 + [
        "::notice"
    ]
    assert lines[-1].endswith(f"title=prod%3A {GPUS}::somebody might")


@given(WORDS, WORDS)
def test_one_violation_is_one_command_whatever_is_said(message: str, stack: str) -> None:
    failed = StackReport(stack or "s", None, (message or "x",))
    (line,) = github.annotations(run_of(failed), nowhere())
    properties, _, data = line.removeprefix("::error ").partition("::")
    assert "\n" not in line.replace("\x0b", "")
    assert "\r" not in line
    read = data.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    assert read == (message or "x")
    assert properties.count(",") == 2


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("50% of\r\na: b, c", "50%25 of%0D%0Aa: b, c"), ("::x::", "::x::")],
)
def test_github_reads_a_message_back_as_it_was(text: str, escaped: str) -> None:
    (line,) = github.annotations(run_of(faults=(text,)), nowhere())
    assert line == f"::error title=not judged::{escaped}"


def test_markdown_shows_what_a_month_costs_and_what_it_was() -> None:
    before = Earlier("prod", "shop", "old.json", Decimal(100), Decimal(500))
    told = Costs(
        "shop", Decimal(100), Decimal(900), Decimal(1742), (), date(2026, 8, 1), "", before
    )
    text = markdown.text(run_of(replace(stack_report(), costs=told)), nowhere())
    assert (
        "| a month | floor | ceiling | oldest rate |\n|---|--:|--:|---|\n"
        "| `prod` | 100 USD | 500 USD → 1,742 USD (+1,242 USD) | 2026-08-01 |\n"
    ) in text


def test_markdown_names_what_is_not_in_the_amounts() -> None:
    before = Earlier("prod", "shop", "old.json", Decimal(100), Decimal(500), "a *cache*")
    told = Costs("shop", Decimal(0), Decimal(0), Decimal(0), (NASTY,), None, "", before, "no such")
    text = markdown.text(run_of(replace(stack_report(), costs=told)), nowhere())
    assert "| `prod` | 100 USD → 0.00 USD (-100 USD) | 500 USD → 0.00 USD (-500 USD) | none" in text
    assert "\n`prod`: not in it: is in " in text
    assert "\n`prod`: not in what it was: a \\*cache\\*\n" in text
    assert "\n`prod`: not compared: no such\n" in text
