"""Exported states: what can be judged, and a clear word on what cannot."""

import json
from pathlib import Path
from typing import Any

import pytest

from portway.engine.engine import Engine, Origin
from portway.engine.stack import Outcome
from portway.engine.version import MINIMUM
from portway.errors import BadInput
from portway.gate import state as room
from portway.gate.exported import read_states
from portway.gate.run import StackReport, Verdict, Workshop, load_policies
from portway.gate.state import judge_states
from portway.sandbox.layout import Layout
from support.packs import POLICIES

URN = "urn:pulumi:prod::shop::"
BUCKET: dict[str, Any] = {
    "urn": f"{URN}gcp:storage/bucket:Bucket::data",
    "type": "gcp:storage/bucket:Bucket",
    "custom": True,
    "inputs": {"location": "us-central1"},
}
STACK: dict[str, Any] = {
    "urn": f"{URN}pulumi:pulumi:Stack::shop-prod",
    "type": "pulumi:pulumi:Stack",
    "custom": False,
}
SECRET = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "v1:abc",
}
SUMMARY = {"PolicyPacks": {"portway-cost": "1", "portway-residency": "1"}}


def export(*rows: dict[str, Any], version: object = 3) -> dict[str, Any]:
    return {"version": version, "deployment": {"resources": [STACK, *rows]}}


def written(tmp_path: Path, content: object, name: str = "state.json") -> Path:
    file = tmp_path / name
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


WHOLE = json.dumps(export(BUCKET))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; write it again with `pulumi stack export --file state.json`"),
        (" \n", "is empty"),
        (WHOLE[:-1], "is truncated"),
        (WHOLE[: len(WHOLE) // 2], "is truncated"),
        (WHOLE[:40], "is truncated"),
        ("hello: world", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        (b"\xff\xfe\x00", "is encrypted, or no text; decrypt the file first"),
        (b"age-encryption.org/v1\n", "is encrypted"),
        ("$ANSIBLE_VAULT;1.1;AES256\n", "is encrypted"),
        ("-----BEGIN PGP MESSAGE-----\n", "is encrypted"),
        ({"sops": {}, "version": 3}, "is encrypted by sops"),
        ({"version": 3, "deployment": "v1:abc:def"}, "is encrypted as a whole"),
        ({"version": 4, "terraform_version": "1.9"}, "is a state of Terraform"),
        ({"version": 3, "checkpoint": {}}, "is a backend's own file"),
        ([], "is no exported state"),
        ({"resources": []}, "is no exported state"),
        ({"version": 3, "deployment": None}, "holds nothing: the stack was never deployed"),
        ({"version": 3, "deployment": {"resources": {}}}, "must be a list"),
        (export(BUCKET, version=1), "is 1, an older version; 3 and 4 can be read"),
        (export(BUCKET, version=2), "is 2, an older version"),
        (export(BUCKET, version=9), "is 9, no version that is known"),
        (export(BUCKET, version=True), "no version that is known"),
        (export(BUCKET, version=None), "no version that is known"),
        (export({"urn": "data", "type": "x"}), "is no resource with a urn and a type"),
        (export({"urn": BUCKET["urn"]}), "is no resource with a urn and a type"),
    ],
)
def test_what_is_no_state_is_said_to_be_none_and_why(
    tmp_path: Path, content: object, message: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(BadInput) as refusal:
        read_states([file])
    (problem,) = refusal.value.problems
    assert problem.where == str(file)
    assert message in problem.message


def test_all_states_that_cannot_be_used_are_named_at_once(tmp_path: Path) -> None:
    files = [written(tmp_path, "", f"{name}.json") for name in ("a", "b")]
    with pytest.raises(BadInput) as refusal:
        read_states(files)
    assert [problem.where for problem in refusal.value.problems] == list(map(str, files))


def test_a_state_is_called_as_its_stack_is(tmp_path: Path) -> None:
    leaving = BUCKET | {"delete": True}
    secret = BUCKET | {"inputs": {"a": [SECRET, {"b": SECRET}], "c": SECRET | {"plaintext": "1"}}}
    (state,) = read_states([written(tmp_path, export(BUCKET, leaving, secret, version=4))])
    assert (state.stack, state.secrets, state.leaving) == ("prod", 3, (BUCKET["urn"],))


def test_states_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    files = [written(tmp_path, export(BUCKET), name) for name in ("a.json", "b.json")]
    assert [state.stack for state in read_states(files)] == [f"prod ({file})" for file in files]


def judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, outcome: Outcome
) -> StackReport:
    """The report on a state of which the engine says ``outcome``."""

    def analyzed(*_: object) -> Outcome:
        return outcome

    monkeypatch.setattr(room, "analyze", analyzed)
    place = Workshop(Engine(tmp_path / "pulumi", MINIMUM, Origin.PATH), Layout(tmp_path / "box"))
    (report,) = judge_states(
        read_states([written(tmp_path, content)]), load_policies(POLICIES), place
    )  # fmt: skip
    return report


def outcome(*messages: str, stderr: str = "", packs: Any = SUMMARY) -> Outcome:
    said = [
        {
            "policyEvent": {
                "policyPackName": "portway-residency",
                "policyName": "residency",
                "enforcementLevel": "mandatory",
                "resourceUrn": BUCKET["urn"],
                "message": f"Refuses a resource.\n[residency-x] {message}",
            }
        }
        for message in messages
    ]
    events = (*said, {"summaryEvent": packs}) if packs else tuple(said)
    return Outcome(not messages and not stderr, "", stderr, events)


def test_a_whole_judgement_passes_or_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = judged(tmp_path, monkeypatch, export(BUCKET), outcome())
    assert (report.verdict, report.judged, report.faults) == (Verdict.PASSED, 1, ())
    report = judged(tmp_path, monkeypatch, export(BUCKET), outcome("it is outside"))
    assert (report.verdict, report.judged, report.faults) == (Verdict.REFUSED, 1, ())


@pytest.mark.parametrize(
    ("rows", "given", "fault"),
    [
        ([], outcome(packs=None), "the state holds no resource, so nothing was judged"),
        ([BUCKET | {"custom": False}], outcome(), "the state holds no resource"),
        ([BUCKET | {"external": True}], outcome(), "the state holds no resource"),
        ([BUCKET | {"delete": True}], outcome(), "the state holds no resource"),
        ([BUCKET], outcome(packs=None), "the cost pack was not run"),
        ([BUCKET], outcome(stderr="error: no such pack", packs=None), "error: no such pack"),
        (
            [BUCKET],
            outcome(packs={"PolicyPacks": {"portway-cost": "1"}}),
            "the residency pack was not run",
        ),
        ([BUCKET], outcome("this rule broke (KeyError) and so"), "[residency-x] this rule broke"),
        (
            [BUCKET],
            Outcome(succeeded=False, stdout="", stderr="", events=(), out_of_time="too late"),
            "too late",
        ),
    ],
)
def test_a_state_that_was_not_judged_wholly_never_passes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: list[dict[str, Any]],
    given: Outcome,
    fault: str,
) -> None:
    report = judged(tmp_path, monkeypatch, export(*rows), given)
    assert report.verdict is Verdict.FAILED
    assert fault in report.faults[0]


def test_what_no_rule_could_see_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (BUCKET | {"inputs": {"a": SECRET}}, BUCKET | {"delete": True}, BUCKET)
    blind = Outcome(
        succeeded=True,
        stdout="",
        stderr="warning: could not decrypt secrets in it",
        events=({"summaryEvent": SUMMARY},),
    )
    report = judged(tmp_path, monkeypatch, export(*rows), blind)
    assert [hint.partition(": ")[2] for hint in report.hints] == [
        "1 value is encrypted; a rule that needs one refuses. "
        "Set PULUMI_CONFIG_PASSPHRASE, or export with --show-secrets",
        "1 resource is waiting to be deleted and not judged, though still there; "
        "finish it with `pulumi up`",
    ]
