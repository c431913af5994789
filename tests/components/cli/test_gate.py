import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from portway.cli import gate
from portway.errors import Missing
from portway.gate.record import Record, Reported
from portway.gate.run import StackReport, Subject
from support.command_line import CommandLine
from support.desk import SPEC, SPEC_FILE, STACK_NAME, Desk
from support.packs import pack_named

BUCKET = "urn:pulumi:dev::p::gcp:storage/bucket:Bucket::data"
SAID = Reported(
    pack="residency",
    policy="residency",
    rule="residency-region-inside-boundary",
    level="mandatory",
    urn=BUCKET,
    message="gcp:storage/bucket:Bucket data is in us-central1; choose [europe-west4]",
)


def record(*said: Reported) -> Record:
    asked = {"cost": frozenset({BUCKET}), "residency": frozenset({BUCKET})}
    return Record(frozenset(asked), (BUCKET,), asked, frozenset(asked), said)


RULES = {name: [rule.id for rule in pack_named(name).rules] for name in ("residency", "cost")}
PASSED = StackReport("a.dev.paper", record(), ())
REFUSED = StackReport("b.dev.paper", record(SAID), ())
FAILED = StackReport("c.dev.paper", None, ("the program crashed",))
UNTOLD = {
    "monthly": None,
    "unpriced": ["the cost pack did not get so far"],
    "before": None,
    "rates_as_of": None,
}
"""Of a stack whose cost pack wrote nothing."""


@pytest.fixture
def reporting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the gate report the given stacks without an engine."""

    def report(*reports: StackReport) -> None:
        @contextmanager
        def no_workshop() -> Generator[None]:
            yield None

        def judged(subjects: Sequence[Subject], *_: object) -> tuple[StackReport, ...]:
            return reports

        monkeypatch.setattr(gate, "workshop", no_workshop)
        monkeypatch.setattr(gate, "run_gate", judged)

    return report


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        ((PASSED,), 0),
        ((PASSED, REFUSED), 1),
        ((REFUSED, FAILED, PASSED), 3),
    ],
)
def test_the_worst_stack_decides_the_exit_code(
    desk: Desk,
    portway: CommandLine,
    reporting: Callable[..., None],
    reports: tuple[StackReport, ...],
    code: int,
) -> None:
    desk.stack()
    reporting(*reports)
    assert portway("gate").code == code


def test_json_holds_every_violation_and_every_fault(
    desk: Desk, portway: CommandLine, reporting: Callable[..., None]
) -> None:
    desk.stack()
    reporting(PASSED, REFUSED, FAILED)
    assert json.loads(portway("gate", "--json").out) == {
        "passed": False,
        "verdict": "failed",
        "judged": 2,
        "packs": {"residency": list(RULES["residency"]), "cost": list(RULES["cost"])},
        "notes": [],
        "faults": [],
        "stacks": [
            {
                "stack": "a.dev.paper",
                "verdict": "passed",
                "judged": 1,
                "violations": [],
                "advice": [],
                "faults": [],
                **UNTOLD,
            },
            {
                "stack": "b.dev.paper",
                "verdict": "refused",
                "judged": 1,
                "violations": [
                    {
                        "rule": "residency-region-inside-boundary",
                        "pack": "residency",
                        "severity": "critical",
                        "kind": "refused",
                        "resource": "gcp:storage/bucket:Bucket data",
                        "urn": BUCKET,
                        "message": SAID.message,
                    }
                ],
                "advice": [],
                "faults": [],
                **UNTOLD,
            },
            {
                "stack": "c.dev.paper",
                "verdict": "failed",
                "judged": 0,
                "violations": [],
                "advice": [],
                "faults": ["the program crashed"],
                **UNTOLD,
            },
        ],
    }


def test_people_read_the_rule_the_whole_message_and_what_was_not_judged(
    desk: Desk, portway: CommandLine, reporting: Callable[..., None]
) -> None:
    desk.stack()
    reporting(REFUSED, FAILED)
    text = portway("gate").out
    assert f"b.dev.paper: [residency-region-inside-boundary]\n  {SAID.message}\n" in text
    assert "c.dev.paper: not judged:\n  the program crashed\n" in text


def test_a_bad_spec_is_said_before_any_engine_starts(
    desk: Desk, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_engine() -> None:
        pytest.fail("an engine was started for a spec that cannot be used")

    monkeypatch.setattr(gate, "workshop", no_engine)
    desk.stack(spec=SPEC.replace("max: 2", "max: 20"))
    ran = portway("gate", STACK_NAME)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"{SPEC_FILE}:3: scaling.max: is more than a desk holds\n"


def test_a_misspelt_configuration_is_bad_input(desk: Desk, portway: CommandLine) -> None:
    desk.stack()
    for pack in ("residency", "cost"):
        rule = f"policies/{pack}/rules/one.py"
        desk.write(
            {
                rule: "from portway.gate.rule import Rule, Severity\n"
                f"RULE = Rule('{pack}-one', Severity.HIGH, 'One.', 'Two.')\n",
                f"policies/{pack}.json": json.dumps({pack: {"stricct": True}}),
            }
        )
    ran = portway("gate")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("'stricct' is not a key; did you mean strict?") == 2


def test_reports_are_written_and_marks_are_made_whatever_the_verdict(
    desk: Desk, portway: CommandLine, reporting: Callable[..., None], tmp_path: Path
) -> None:
    desk.stack()
    reporting(PASSED, REFUSED, FAILED)
    files = {name: tmp_path / f"out.{name}" for name in ("sarif", "junit", "markdown")}
    words = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    ran = portway("gate", *words, "--annotations", "--json")
    assert ran.code == 3
    assert json.loads(ran.out)["verdict"] == "failed"
    assert json.loads(files["sarif"].read_text())["runs"][0]["properties"]["judged"] == 2
    assert "1 of 3 stacks not judged, 1 refused" in files["markdown"].read_text()
    assert "<testsuites" in files["junit"].read_text()
    assert [line.split(" ")[0] for line in ran.err.splitlines()] == ["::error", "::error"]


@pytest.mark.parametrize(("inside", "option", "marks"), [
    ("true", None, 1), ("", None, 0), ("true", "--no-annotations", 0), ("", "--annotations", 1),
])  # fmt: skip
def test_marks_are_made_by_themselves_only_inside_github(
    desk: Desk,
    portway: CommandLine,
    reporting: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    inside: str,
    option: str | None,
    marks: int,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", inside)
    desk.stack()
    reporting(REFUSED)
    assert portway("gate", *([option] if option else [])).err.count("::error") == marks


def test_a_run_that_could_not_begin_still_leaves_its_reports(
    desk: Desk, portway: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_engine() -> None:
        raise Missing("there is no engine; run make engine")

    monkeypatch.setattr(gate, "workshop", no_engine)
    desk.stack()
    file = tmp_path / "out.sarif"
    ran = portway("gate", "--sarif", str(file))
    assert (ran.code, ran.out) == (3, "")
    (invocation,) = json.loads(file.read_text())["runs"][0]["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == (
        "there is no engine; run make engine"
    )


def test_a_report_that_cannot_be_written_stops_the_gate_before_it_begins(
    desk: Desk, portway: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_engine() -> None:
        pytest.fail("an engine was started for a report that cannot be written")

    monkeypatch.setattr(gate, "workshop", no_engine)
    desk.stack()
    file = tmp_path / "none" / "out.sarif"
    ran = portway("gate", "--sarif", str(file))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"{file}: --sarif: its folder does not exist; make it first\n"


def test_a_state_cannot_be_judged_together_with_a_program(
    desk: Desk, portway: CommandLine, tmp_path: Path
) -> None:
    desk.stack()
    file = tmp_path / "state.json"
    file.write_text("{}")
    ran = portway("gate", STACK_NAME, "--state", str(file))
    assert (ran.code, ran.out) == (2, "")
    assert "leave out STACKS and --program" in ran.err


def test_a_state_that_is_none_is_bad_input(
    desk: Desk, portway: CommandLine, tmp_path: Path
) -> None:
    desk.stack()
    file = tmp_path / "state.json"
    file.write_text('{"version": 3,')
    ran = portway("gate", "--state", str(file))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"{file}: is truncated")


def test_a_repository_without_packs_has_its_own_configuration_of_ours(
    portway: CommandLine,
    reporting: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    program = tmp_path / "infra"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "residency.json").write_text('{"residency": {"boundry": "eu"}}')
    monkeypatch.chdir(tmp_path)
    reporting(PASSED)
    ran = portway("gate", "--program", "infra")
    assert ran.code == 2
    assert "policies/residency.json: boundry: 'boundry' is not a key" in ran.err


def test_a_program_that_knows_nothing_of_us_is_told_how_it_is_judged(
    portway: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  gcp:project: acme\n")
    monkeypatch.chdir(tmp_path)
    ran = portway("gate")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"{tmp_path}: no stack here names a spec; to judge a program of any kind: "
        "portway gate --program .\n"
    )
