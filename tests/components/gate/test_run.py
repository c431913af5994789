"""What the gate judges and by what, before any engine starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from portway.engine.engine import Engine, Origin
from portway.engine.stack import Outcome
from portway.engine.version import MINIMUM
from portway.errors import BadInput, Missing
from portway.gate.record import Record, Reported
from portway.gate.run import (
    Policies,
    StackReport,
    Subject,
    Verdict,
    Workshop,
    faults_of,
    load_policies,
    run_gate,
    subjects_of,
)
from portway.sandbox.layout import Layout
from support.packs import POLICIES


def policies_with(tmp_path: Path, **contents: Any) -> Path:
    for pack in ("residency", "cost"):
        (tmp_path / pack).symlink_to(POLICIES / pack)
        text = contents.get(pack, {pack: {}})
        (tmp_path / f"{pack}.json").write_text(text if isinstance(text, str) else json.dumps(text))
    return tmp_path


def test_wrong_configurations_are_all_named_with_their_file(tmp_path: Path) -> None:
    folder = policies_with(
        tmp_path,
        residency={"residency": {"boundary": "europe"}},
        cost={"cost": {"max_gpu": 4, "monthly_ceiling_usd": -1000}},
    )
    with pytest.raises(BadInput) as refusal:
        load_policies(folder)
    lines = str(refusal.value).splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in lines] == [
        "residency.json",
        "cost.json",
        "cost.json",
    ]
    assert "did you mean max_gpus?" in lines[1]
    assert "monthly_ceiling_usd: " in lines[2]


def test_rates_beside_the_cost_configuration_are_what_the_packs_are_told_of(tmp_path: Path) -> None:
    policies = load_policies(policies_with(tmp_path))
    assert policies.environment == {"PORTWAY_RATES": str(tmp_path.resolve() / "rates")}


def test_baselines_are_read_before_anything_runs_and_named_to_the_packs(tmp_path: Path) -> None:
    folder = policies_with(tmp_path, cost={"cost": {"baseline": "was.json"}})
    with pytest.raises(BadInput, match=r"was\.json: cannot be read: No such file"):
        load_policies(folder)
    for name in ("was.json", "asked.json"):
        (tmp_path / name).write_text('{"verdict": "passed", "stacks": []}')
    home = tmp_path.resolve()
    assert load_policies(folder).environment["PORTWAY_BASELINE"] == str(home / "was.json")
    asked = load_policies(folder, baseline=[tmp_path / "asked.json"])
    assert asked.environment["PORTWAY_BASELINE"] == str(home / "asked.json")


def test_a_rates_file_with_faults_is_bad_input_before_anything_runs(tmp_path: Path) -> None:
    folder = policies_with(tmp_path)
    (folder / "rates").mkdir()
    row = {"sku": "l4", "regions": ["x"], "unit": "second", "amount": "1", "source": "s", "grade": "copy"}  # fmt: skip
    (folder / "rates" / "cloud-run.json").write_text(json.dumps({"as_of": "2026-11-21", "rates": [row]}))  # fmt: skip
    with pytest.raises(BadInput, match=r"rates/cloud-run\.json: rates\[0\]\.as_of: Field required"):
        load_policies(folder)


def test_a_missing_configuration_is_missing_rather_than_empty(tmp_path: Path) -> None:
    folder = policies_with(tmp_path)
    (folder / "cost.json").unlink()
    with pytest.raises(Missing, match=r"cost\.json: cannot be read"):
        load_policies(folder)


def project(tmp_path: Path, *stacks: str, config_folder: str = "") -> Path:
    line = f"stackConfigDir: {config_folder}\n" if config_folder else ""
    (tmp_path / "Pulumi.yaml").write_text(f"name: p\nruntime: python\n{line}")
    (tmp_path / config_folder).mkdir(exist_ok=True)
    for stack in stacks:
        (tmp_path / config_folder / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
    return tmp_path


def test_all_stacks_with_a_file_are_judged_unless_some_are_named(tmp_path: Path) -> None:
    folder = project(tmp_path, "dev", "prod.eu", config_folder="stacks")
    assert [subject.stack for subject in subjects_of(folder)] == ["dev", "prod.eu"]
    assert subjects_of(folder, ["prod.eu", "prod.eu"]) == (Subject(folder, "prod.eu"),)


def test_a_program_without_stack_files_is_judged_once(tmp_path: Path) -> None:
    folder = project(tmp_path)
    assert subjects_of(folder) == (Subject(folder, "gate"),)


def test_a_stack_without_a_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no stack 'prod'; there are dev"):
        subjects_of(project(tmp_path, "dev"), ["prod"])


def test_a_folder_that_is_no_project_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"Pulumi\.yaml"):
        subjects_of(tmp_path)


def workshop_in(tmp_path: Path) -> Workshop:
    return Workshop(Engine(tmp_path / "pulumi", MINIMUM, Origin.PATH), Layout(tmp_path / "sandbox"))


def test_nothing_to_judge_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="a gate that judges nothing is no gate"):
        run_gate([], load_policies(POLICIES), workshop_in(tmp_path))


def test_a_program_in_another_language_was_not_judged(tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    folder = project(tmp_path / "program")
    (folder / "Pulumi.yaml").write_text("name: p\nruntime: {name: nodejs}\n")
    (report,) = run_gate(subjects_of(folder), load_policies(POLICIES), workshop_in(tmp_path))
    assert report.verdict is Verdict.FAILED
    assert "'nodejs'; the gate runs Python programs only" in report.faults[0]


def record(*levels: str) -> Record:
    said = tuple(Reported("cost", "cost", "r", level, "urn:x", "m") for level in levels)
    both = {"cost": frozenset({"a", "b"}), "residency": frozenset({"a"})}
    return Record(frozenset(both), ("a", "b"), both, frozenset(both), said)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (StackReport("s", record(), ()), Verdict.PASSED),
        (StackReport("s", record("advisory"), ()), Verdict.PASSED),
        (StackReport("s", record("advisory", "mandatory"), ()), Verdict.REFUSED),
        (StackReport("s", record("mandatory"), ("something broke",)), Verdict.FAILED),
        (StackReport("s", None, ()), Verdict.FAILED),
    ],
)
def test_a_stack_passes_only_when_all_of_it_was_judged_and_nothing_refused(
    report: StackReport, verdict: Verdict
) -> None:
    assert report.verdict is verdict


def test_only_what_every_pack_was_asked_about_counts_as_judged() -> None:
    assert StackReport("s", record(), ()).judged == 1


@pytest.mark.parametrize("text", ["", "[1]\n", "runtime: python\n", "name: x\nruntime: nodejs\n"])
def test_a_project_file_that_describes_no_program_is_not_judged_and_no_traceback(
    tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(text)
    going = workshop_in(tmp_path)
    (report,) = run_gate([Subject(folder, "dev")], load_policies(policies_with(tmp_path)), going)
    assert report.verdict is Verdict.FAILED
    assert "Pulumi.yaml" in report.faults[0]


def test_files_that_are_no_text_are_not_judged_and_no_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(BadInput, match="is not UTF-8"):
        subjects_of(folder)
    (folder / "Pulumi.yaml").write_text("name: x\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_bytes(b"a: \xff\n")
    going = workshop_in(tmp_path)
    (report,) = run_gate([Subject(folder, "dev")], load_policies(policies_with(tmp_path)), going)
    assert report.verdict is Verdict.FAILED
    assert "could not begin" in report.faults[0]


@pytest.mark.parametrize(
    ("engine", "person"),
    [
        ("Preview failed: organization name must be 'organization'", "outputs of another stack"),
        ("Preview failed: unknown stack organization/landing/prod", "outputs of another stack"),
        ("Preview failed: resource 'raw' does not exist", "looks up resource 'raw' in the cloud"),
    ],
)
def test_what_no_stand_in_can_know_is_said_in_the_programs_own_terms(
    engine: str, person: str
) -> None:
    record = Record(frozenset(), (), {}, frozenset(), (), errors=(engine,))
    said = faults_of(
        Outcome(succeeded=False, stdout="", stderr="", events=()), record, Policies((), {})
    )[0]
    assert person in said
    assert "portway gate --state" in said
    assert "organization name" not in said
