"""An attestation says how a stack stands, is the same for the same stack, and holds no secret."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from portway.gate.attest.document import TABLES, attestation, installed, standing
from portway.gate.attest.gated import attest
from portway.gate.attest.hop import Verdict
from portway.gate.attest.shape import DocumentSaid
from support.attesting import (
    LAMBDA,
    LATER,
    attested,
    gate_report,
    reported,
    secret,
    stack_report,
    state,
)

LOGS = "residency-invocation-logging-is-settled"


def test_a_stack_that_passed_with_every_hop_inside_is_attested() -> None:
    made = attested()
    assert made["attested"] is True
    assert made["stacks"][0]["verdict"] == "attested"
    assert made["stacks"][0]["counts"] == {
        "inside": 3,
        "outside": 0,
        "undetermined": 0,
        "declared": 0,
    }
    assert made["stacks"][0]["without_a_hop"] == ["entry", "stores", "keys"]
    assert made["stacks"][0]["gate"] == {"passed": True, "resources_judged": 1, "advice": 0}
    assert made["tools"]["engine"] == "3.259.0"
    DocumentSaid.model_validate_json(json.dumps(made), strict=True)


def test_the_digest_is_sha256_over_sorted_keys_without_space() -> None:
    told = {key: value for key, value in attested().items() if key != "digest"}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert attested()["digest"] == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_every_table_is_named_with_its_date_and_its_digest() -> None:
    assert {name: dict(installed(name)) for name in TABLES} == attested()["tables"]
    assert len({said["sha256"] for said in attested()["tables"].values()}) == len(TABLES)


@pytest.mark.parametrize(
    ("passed", "verdicts", "expected"),
    [
        (True, ["inside"], "attested"),
        (True, ["inside", "declared"], "attested"),
        (True, [], "undetermined"),
        (True, ["inside", "undetermined"], "undetermined"),
        (True, ["inside", "outside", "undetermined"], "refused"),
        (False, ["inside"], "refused"),
        (False, [], "refused"),
    ],
)
def test_a_stack_stands_as_its_worst_hop_and_the_gate_say(
    *, passed: bool, verdicts: list[str], expected: str
) -> None:
    assert standing(has_passed=passed, verdicts=map(Verdict, verdicts)) == expected


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (
            stack_report(LAMBDA, said=[reported("residency-region-inside-boundary", "mandatory")]),
            "refused",
        ),
        (stack_report(LAMBDA, faults=["the residency pack was not run"]), "refused"),
        (stack_report(state("aws:iam/role:Role", "r", {"name": "x"})), "undetermined"),
        (stack_report(LAMBDA, said=[reported(LOGS)]), "undetermined"),
        (stack_report(state("aws:sqs/queue:Queue", "q", {"region": LATER})), "undetermined"),
        (stack_report(state("aws:sqs/queue:Queue", "q", {"region": "us-east-1"})), "refused"),
    ],
)
def test_what_is_not_wholly_known_to_be_inside_is_not_attested(
    report: object, verdict: str
) -> None:
    made = attest(gate_report(report))  # pyright: ignore[reportArgumentType] - parametrised
    assert (made["attested"], made["stacks"][0]["verdict"]) == (False, verdict)


def test_one_stack_that_is_not_attested_is_enough() -> None:
    fine, bad = stack_report(LAMBDA, name="a"), stack_report(LAMBDA, name="b", faults=["broken"])
    made = attest(gate_report(fine, bad))
    assert [one["verdict"] for one in made["stacks"]] == ["attested", "refused"]
    assert made["attested"] is False


def test_a_run_that_judged_nothing_attests_nothing() -> None:
    made = attest(gate_report())
    assert (made["attested"], made["stacks"]) == (False, [])


def test_a_stack_without_a_boundary_is_refused_and_has_no_place_inside() -> None:
    made = attest(
        gate_report(stack_report(LAMBDA, faults=["no boundary"]), config={"boundary": None})
    )
    assert made["stacks"][0]["boundary"] == []
    assert made["stacks"][0]["counts"]["inside"] == 0


def test_the_boundary_is_the_narrower_of_the_organisations_and_the_services() -> None:
    service = state("portway:index:InferenceService", "chat", {"boundary": ["ie"]})
    made = attest(gate_report(stack_report(service, LAMBDA)))
    assert made["stacks"][0]["boundary"] == ["eu", "ie"]
    assert made["stacks"][0]["verdict"] == "refused"


def test_what_configuration_says_is_counted_apart() -> None:
    report = gate_report(
        stack_report(LAMBDA, said=[reported(LOGS)]), config={"elsewhere": {LOGS: "switched off"}}
    )
    made = attest(report)
    assert made["attested"] is True
    assert made["stacks"][0]["counts"]["declared"] == 1


def test_another_configuration_has_another_digest() -> None:
    one = attest(gate_report(stack_report(LAMBDA)))["pack"]["configuration_sha256"]
    other = attest(gate_report(stack_report(LAMBDA), config={"strict": False}))["pack"]
    assert one == attested()["pack"]["configuration_sha256"] != other["configuration_sha256"]


def test_nothing_secret_is_written_down() -> None:
    variables = {
        "KEY": secret("hunter2"),
        "PLAIN": "hunter2",
        "URL": "https://user:hunter2@api.example.com/hunter2",
    }
    function = state(
        "aws:lambda/function:Function", "f",
        {"region": "eu-west-1", "description": "hunter2", "environment": {"variables": variables}, "tags": {"hunter2": "hunter2"}},
    )  # fmt: skip
    asked = state("gcp:storage/bucket:Bucket", "b", {"location": "hunter2", "name": "hunter2"})
    kept = state(
        "gcp:secretmanager/secretVersion:SecretVersion",
        "v",
        {"secret": "hunter2", "secretData": secret("hunter2")},
    )
    assert "hunter2" not in json.dumps(attest(gate_report(stack_report(function, asked, kept))))


def test_the_same_run_at_the_same_time_gives_the_same_document() -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    from portway.gate.attest.document import Made  # noqa: PLC0415 - beside its only use

    made = Made("residency", "0.1.0", ("b", "a"), {"x": 1}, "3.259.0")
    assert attestation([], made, at) == attestation([], made, at)
    assert attestation([], made, at)["issued_at"] == "2026-11-22T12:00:00Z"
    assert attestation([], made, at)["pack"]["rules"] == ["a", "b"]
