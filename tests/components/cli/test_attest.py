"""``portway gate --attest`` writes evidence, and ``portway verify`` judges it again."""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from portway.cli import gate
from portway.errors import Missing
from portway.gate.run import StackReport, Subject
from support.attesting import LAMBDA, LATER, reported, stack_report, state
from support.command_line import CommandLine
from support.desk import Desk

PASSED = stack_report(LAMBDA, name="a.dev.paper")
REFUSED = stack_report(
    LAMBDA, name="b.dev.paper", said=[reported("residency-region-inside-boundary", "mandatory")]
)
OPEN = stack_report(state("aws:sqs/queue:Queue", "q", {"region": LATER}), name="c.dev.paper")


@pytest.fixture
def gating(
    desk: Desk, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CommandLine]:
    """Let the gate report the given stacks without an engine."""
    desk.stack()

    def report(*reports: StackReport) -> CommandLine:
        @contextmanager
        def no_workshop() -> Generator[None]:
            yield None

        def judged(_subjects: Sequence[Subject], *_: object) -> tuple[StackReport, ...]:
            return reports

        monkeypatch.setattr(gate, "workshop", no_workshop)
        monkeypatch.setattr(gate, "run_gate", judged)
        return portway

    return report


def test_what_the_gate_writes_is_verified(
    gating: Callable[..., CommandLine], tmp_path: Path
) -> None:
    file = tmp_path / "attestation.json"
    portway = gating(PASSED)
    assert portway("gate", "--attest", str(file)).code == 0
    ran = portway("verify", str(file))
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(file.read_text())
    assert ran.out.splitlines() == [
        "a.dev.paper: attested, 3 hops of eu (3 inside)",
        f"holds: {document['digest']}",
    ]


@pytest.mark.parametrize(
    ("reports", "code", "verdicts"),
    [
        ((PASSED, REFUSED), 1, ["attested", "refused"]),
        ((OPEN,), 1, ["undetermined"]),
        ((PASSED, OPEN), 1, ["attested", "undetermined"]),
    ],
)
def test_what_is_not_attested_never_ends_with_0(
    gating: Callable[..., CommandLine],
    tmp_path: Path,
    reports: tuple[StackReport, ...],
    code: int,
    verdicts: list[str],
) -> None:
    file = tmp_path / "attestation.json"
    portway = gating(*reports)
    ran = portway("gate", "--attest", str(file))
    assert ran.code == code
    assert f"{verdicts[-1]}, not attested" in ran.err
    document = json.loads(file.read_text())
    assert (document["attested"], [one["verdict"] for one in document["stacks"]]) == (
        False,
        verdicts,
    )
    again = portway("verify", str(file), "--json")
    assert (again.code, again.json["holds"]) == (1, False)


def test_without_the_option_an_open_hop_does_not_fail_the_gate(
    gating: Callable[..., CommandLine],
) -> None:
    assert gating(OPEN)("gate").code == 0


def test_an_older_attestation_does_not_outlive_a_run_that_could_not_begin(
    gating: Callable[..., CommandLine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "attestation.json"
    portway = gating(PASSED)
    portway("gate", "--attest", str(file))

    @contextmanager
    def no_engine() -> Generator[None]:
        raise Missing("there is no engine")
        yield None

    monkeypatch.setattr(gate, "workshop", no_engine)
    assert portway("gate", "--attest", str(file)).code == 3
    assert json.loads(file.read_text())["attested"] is False
    ran = portway("verify", str(file))
    assert ran.code == 1
    assert "attests nothing" in ran.out


def test_a_file_that_cannot_be_written_is_said_before_anything_is_judged(
    gating: Callable[..., CommandLine], tmp_path: Path
) -> None:
    ran = gating(PASSED)("gate", "--attest", str(tmp_path / "nowhere" / "a.json"))
    assert ran.code == 2
    assert "--attest" in ran.err


def test_json_of_verify_names_every_finding(
    gating: Callable[..., CommandLine], tmp_path: Path
) -> None:
    file = tmp_path / "attestation.json"
    portway = gating(PASSED)
    portway("gate", "--attest", str(file))
    file.write_text(file.read_text().replace('"eu-west-1"', '"us-east-1"', 1))
    said = portway("verify", str(file), "--json").json
    assert said["holds"] is False
    assert said["findings"][0].startswith("digest: the document was changed")
    assert said["stacks"] == [
        {"stack": "a.dev.paper", "verdict": "attested", "boundary": ["eu"], "hops": 3}
    ]


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [("{", 2, "is not JSON"), ("{}", 2, "is no attestation"), (None, 3, "cannot be read")],
)
def test_what_cannot_be_verified_is_said_without_a_traceback(
    portway: CommandLine, tmp_path: Path, content: str | None, code: int, says: str
) -> None:
    file = tmp_path / "a.json"
    if content is not None:
        file.write_text(content)
    ran = portway("verify", str(file))
    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err
    assert "Traceback" not in ran.err
