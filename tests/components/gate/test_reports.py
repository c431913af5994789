"""What holds for every report: written whole or not at all, to where it can be, whatever it says."""

import json
from dataclasses import replace as replaced
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from portway.errors import BadInput
from portway.gate.baseline import Earlier, read_baselines
from portway.gate.costs import Costs
from portway.gate.report import Kind
from portway.gate.reports import FORMATS, ready, replace, write
from portway.gate.reports.json import document
from portway.gate.run import StackReport, Verdict
from support.gate_reports import (
    GPUS,
    REGION,
    everything,
    nowhere,
    run_of,
    said,
    stack_report,
)


def test_the_worst_stack_is_the_verdict_and_the_headline() -> None:
    passed, refused = stack_report(stack="dev"), stack_report(said())
    failed = StackReport("late", None, ("it crashed",))
    rows = [
        (run_of(passed), Verdict.PASSED, 0, "1 stack passed"),
        (run_of(passed, passed), Verdict.PASSED, 0, "2 stacks passed"),
        (run_of(passed, refused), Verdict.REFUSED, 1, "1 of 2 stacks refused"),
        (run_of(passed, refused, failed), Verdict.FAILED, 3, "1 of 3 stacks not judged, 1 refused"),
        (run_of(), Verdict.FAILED, 3, "nothing was judged"),
        (run_of(faults=("no engine",)), Verdict.FAILED, 3, "nothing was judged"),
    ]
    told = [(one.verdict, one.exit_code, one.headline) for one, *_ in rows]
    assert told == [tuple(rest) for _, *rest in rows]


def test_an_exemption_is_told_from_other_advice_and_counts_the_same_rule_twice() -> None:
    report = everything()
    assert [(one.id, one.kind, one.number) for one in report.said(report.stacks[1])] == [
        (REGION, Kind.REFUSED, 0),
        (REGION, Kind.REFUSED, 1),
        (GPUS, Kind.REFUSED, 0),
        ("not-ours", Kind.REFUSED, 0),
        (REGION, Kind.EXEMPT, 0),
        (GPUS, Kind.ADVICE, 0),
    ]


def test_packs_are_told_in_one_order_whichever_speaks_first() -> None:
    first, second = said(), said(message="its replica is in us-east1")
    dear = said("old", "holds 8 GPUs", rule=GPUS)
    theirs = said("old", "is not theirs", rule="not-ours")
    expected = ["is in us-central1 (location), outside the boundary eu", second.message]
    expected += [dear.message, theirs.message]
    for spoken in (
        (first, second, dear, theirs),
        (theirs, dear, first, second),
        (first, theirs, dear, second),
    ):
        (stack,) = (report := run_of(stack_report(*spoken))).stacks
        assert [one.reported.message for one in report.said(stack)] == expected


def test_the_document_for_programs_keeps_refusals_and_advice_apart() -> None:
    refused = document(everything())["stacks"][1]  # pyright: ignore[reportIndexIssue, reportUnknownVariableType] - JSON
    assert [len(refused[key]) for key in ("violations", "advice", "faults")] == [4, 2, 0]  # pyright: ignore[reportUnknownArgumentType] - JSON
    assert {one["severity"] for one in refused["violations"]} == {"critical", "high"}  # pyright: ignore[reportUnknownVariableType] - JSON


def test_every_report_is_written_whole(tmp_path: Path) -> None:
    files = {name: tmp_path / f"out.{name}" for name in FORMATS}
    files["sarif"].write_text("an older one")
    ready(files)
    assert files["sarif"].read_text() == "an older one"
    assert not files["junit"].exists()
    write(files, everything(), nowhere())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f.name for f in files.values()
    )
    assert all(len(path.read_text()) > 1000 for path in files.values())


def test_a_report_that_cannot_be_written_is_said_before_anything_is_judged(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    files = {
        "sarif": tmp_path / "folder",
        "junit": tmp_path / "none" / "j.xml",
        "markdown": tmp_path / "file" / "m.md",
    }
    with pytest.raises(BadInput) as refusal:
        ready(files)
    assert [(problem.path, problem.message) for problem in refusal.value.problems] == [
        ("--sarif", "is a folder; name a file"),
        ("--junit", "its folder does not exist; make it first"),
        ("--markdown", "its folder does not exist; make it first"),
    ]


def test_two_reports_cannot_share_a_file(tmp_path: Path) -> None:
    same = tmp_path / "out"
    with pytest.raises(BadInput, match="is where the sarif report goes"):
        ready({"sarif": same, "junit": tmp_path / "." / "out"})


def test_a_report_that_fails_half_way_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out"
    file.write_text("older")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        replace(file, "newer")
    assert (file.read_text(), list(tmp_path.iterdir())) == ("older", [file])


def test_the_document_for_programs_says_what_a_month_costs_and_is_a_baseline(
    tmp_path: Path,
) -> None:
    before = Earlier("prod", "shop", "old.json", Decimal(1), Decimal(2))
    told = Costs("shop", Decimal(3), Decimal(4), Decimal(5), (), date(2026, 8, 1), "", before)
    dear = replaced(stack_report(), costs=told)
    partly = replaced(stack_report(stack="dev"), costs=replaced(told, untold=("a db: no rate",)))
    unseen = stack_report(stack="late")
    found = cast("dict[str, Any]", document(run_of(dear, partly, unseen)))
    first, second, third = found["stacks"]
    assert first["monthly"] == {"floor": "3.00", "expected": "4.00", "ceiling": "5.00"}
    assert first["before"] == {"floor": "1.00", "ceiling": "2.00", "source": "old.json"}
    assert (first["project"], first["rates_as_of"]) == ("shop", "2026-08-01")
    assert (second["monthly"], second["unpriced"]) == (None, ["a db: no rate"])
    assert (third["monthly"], third["before"]) == (None, None)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(found))
    assert read_baselines([file]) == (
        Earlier("prod", "shop", str(file), Decimal("3.00"), Decimal("5.00")),
        Earlier("dev", "shop", str(file), Decimal(0), Decimal(0), "a db: no rate"),
        Earlier("late", None, str(file), Decimal(0), Decimal(0), *third["unpriced"]),
    )
