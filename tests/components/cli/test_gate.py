import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import pytest

from portway.cli import gate
from portway.gate.record import Record, Reported
from portway.gate.run import StackReport, Subject
from support.command_line import CommandLine
from support.desk import SPEC, SPEC_FILE, STACK_NAME, Desk
from support.policy_harness import pack_named

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
            },
            {
                "stack": "c.dev.paper",
                "verdict": "failed",
                "judged": 0,
                "violations": [],
                "advice": [],
                "faults": ["the program crashed"],
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
