"""``portway migrate``: a plan, a status, and plain words for whatever stands in the way."""

import json
import shutil
from pathlib import Path

import pytest

from portway.cli.migrate_output import EventLog
from portway.portability.journal import FileStorage, Journal
from portway.portability.keeping import Kept
from portway.portability.migrate import Told
from portway.portability.migration import Kind, Outcome
from portway.portability.move import Move
from support.command_line import CommandLine

ROOT = Path(__file__).resolve().parents[3]
SOURCE, DESTINATION, BEDROCK = (
    "chat.prod.cloud-run", "chat.prod.kubernetes", "chat.prod.lambda-bedrock",
)  # fmt: skip
DOOR = "chat.prod.door"
MOVE = Move("chat", "prod", SOURCE, DESTINATION, DOOR)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def journal(project: Path) -> Journal:
    """A migration that was killed while it made the destination."""
    made = Kept.of(project, "chat", "prod").make(MOVE)
    made.append(Kind.BEGIN, 1, data=MOVE.as_data())
    made.append(Kind.INTENT, 1, "preflight")
    made.append(Kind.DONE, 1, "preflight", {"destination_existed": False})
    made.append(Kind.INTENT, 1, "deploy")
    return made


def test_a_plan_names_every_step_with_its_cost_and_how_it_is_undone(
    project: Path, portway: CommandLine
) -> None:
    ran = portway("migrate", SOURCE, DESTINATION, "--plan")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{SOURCE} → {DESTINATION}, behind {DOOR}\n")
    for words in (
        f" 2. deploy: pulumi up {DESTINATION}, both packs on",
        f"      undone:  pulumi destroy {DESTINATION}, if it was not there before",
        f" 6. shift-25: send 25 % of new requests to {DESTINATION}",
        f"10. keep: keep {SOURCE}",
        "USD an hour while it stands",
        "while both run ",
        "secrets (made anew): ",
        "To undo it, from wherever it is:",
    ):
        assert words in ran.out
    assert not (project / ".portway").exists()


def test_a_plan_for_programs_has_the_same(project: Path, portway: CommandLine) -> None:
    ran = portway("migrate", SOURCE, DESTINATION, "--plan", "--retire-source", "--json")
    document = ran.json
    assert [step["id"] for step in document["steps"]][-2:] == ["retire", "verify"]
    assert document["objections"] == []
    both = document["usd_per_hour"]
    assert float(both["both_at_most"]) >= float(both["both"]) > float(both["source"])
    assert {"what", "fate", "how"} == set(document["beside_the_traffic"][0])


def test_what_stands_against_a_move_is_in_its_plan_and_stops_it(
    project: Path, portway: CommandLine
) -> None:
    plan = portway("migrate", SOURCE, BEDROCK, "--plan")
    assert plan.code == 1
    assert "The move must not begin:\n    whether both ends serve the same weights" in plan.out
    ran = portway("migrate", SOURCE, BEDROCK, "--yes")
    assert ran.code == 1
    assert "--accept-identity unknown accepts that" in ran.err
    assert ran.err.endswith("Nothing was done: the move must not begin.\n")
    assert portway("migrate", SOURCE, BEDROCK, "--plan", "--accept-identity", "unknown").code == 0


@pytest.mark.parametrize(
    ("file", "before", "after", "ends", "said"),
    [
        (
            f"Pulumi.{DESTINATION}.yaml", "region: europe-west4", "region: us-central1",
            (SOURCE, DESTINATION), "us-central1 is outside eu; choose a region inside",
        ),
        (
            "specs/chat.yaml", "monthly_usd: 2500", "monthly_usd: 1900",
            (DESTINATION, SOURCE), "ceiling exceeds the 1,900 USD budget of chat",
        ),
    ],
    ids=["outside the boundary", "over budget"],
)  # fmt: skip
def test_a_destination_that_must_not_be_stops_the_move_before_anything(
    project: Path, portway: CommandLine, file: str, before: str, after: str, ends: tuple[str, str],
    said: str,
) -> None:  # fmt: skip
    path = project / "stacks" / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    ran = portway("migrate", *ends, "--yes")
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert ran.err.endswith("Nothing was done: the move must not begin.\n")
    assert not (project / ".portway").exists()


def test_without_consent_nothing_is_done(project: Path, portway: CommandLine) -> None:
    ran = portway("migrate", SOURCE, DESTINATION)
    assert ran.code == 1
    assert "10. keep" in ran.out
    assert ran.err == "Nothing was done; --yes is the consent.\n"
    assert not (project / ".portway").exists()


def test_a_service_without_a_door_is_told_where_to_get_one(
    project: Path, portway: CommandLine
) -> None:
    ran = portway("migrate", SOURCE, DESTINATION, "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert f"there is no stack {DOOR}: clients must use a front door" in ran.err
    assert "docs/door.md" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--plan", "--status"), "--plan and --status are different things to do; give one"),
        (("--evacuate",), "goes with --resume, once the source is lost"),
        (("--rollback", "--retire-source"), "a rollback returns to the source"),
        (("--accept-identity", "different"), "'different' is not 'unknown'"),
        (("--prompts", "none.jsonl"), "'none.jsonl' does not exist"),
        (("--resume", "--yes"), f"there is no migration from {SOURCE} to {DESTINATION}"),
        (("--rollback", "--yes"), f"there is no migration from {SOURCE} to {DESTINATION}"),
    ],
)
def test_what_makes_no_sense_is_bad_input(
    project: Path, portway: CommandLine, words: tuple[str, ...], said: str
) -> None:
    ran = portway("migrate", SOURCE, DESTINATION, *words)
    assert ran.code == 2
    assert said in ran.err


def test_a_second_migration_is_refused_while_one_has_not_ended(
    journal: Journal, portway: CommandLine
) -> None:
    ran = portway("migrate", SOURCE, BEDROCK, "--accept-identity", "unknown", "--yes")
    assert ran.code == 2
    assert "an earlier migration of chat.prod has not ended" in ran.err
    assert f"`portway migrate {SOURCE} {DESTINATION} --resume`" in ran.err
    other = portway("migrate", DESTINATION, SOURCE, "--rollback", "--yes")
    assert other.code == 2
    assert f"is from {SOURCE} to {DESTINATION}, not from {DESTINATION}" in other.err


def test_the_status_says_how_far_it_is_and_what_comes_next(
    journal: Journal, portway: CommandLine
) -> None:
    ran = portway("migrate", SOURCE, DESTINATION, "--status")
    assert ran.code == 0
    assert ran.out.startswith(f"{SOURCE} → {DESTINATION}: unfinished\n  ✓ preflight")
    assert f"next: deploy: pulumi up {DESTINATION}, both packs on" in ran.out
    assert f"journal: {journal.name}" in ran.out
    told = portway("migrate", SOURCE, DESTINATION, "--status", "--json").json["migration"]
    assert (told["state"], told["next"], told["failed"]) == ("unfinished", "deploy", None)
    assert [(each["step"], each["state"]) for each in told["steps"]] == [
        ("preflight", "done"), ("deploy", "begun"),
    ]  # fmt: skip


def test_a_status_of_nothing_is_no_error(project: Path, portway: CommandLine) -> None:
    ran = portway("migrate", SOURCE, DESTINATION, "--status")
    assert (ran.code, ran.out) == (0, "No migration of chat.prod was ever begun here.\n")
    assert portway("migrate", SOURCE, DESTINATION, "--status", "--json").json == {"migration": None}


def test_a_migration_that_ended_is_not_gone_on_with(journal: Journal, portway: CommandLine) -> None:
    journal.append(Kind.END, 1, data={"outcome": Outcome.ROLLED_BACK.value})
    ran = portway("migrate", SOURCE, DESTINATION, "--resume", "--yes")
    assert ran.code == 2
    assert "there is nothing to go on with" in ran.err


@pytest.mark.parametrize("way", ["--status", "--resume", "--rollback"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (("", ""), "of its records are missing at its end"),
        (('"version": 1', '"version": 7'), "is of version 7"),
        (("preflight", "prefight"), "its checksum does not fit"),
    ],
)
def test_a_damaged_journal_is_told_and_nothing_is_done(
    journal: Journal, portway: CommandLine, way: str, damage: tuple[str, str], said: str
) -> None:
    file = Path(journal.name)
    text = file.read_text()
    file.write_text(text.replace(*damage, 1) if damage[0] else text[: len(text) // 2])
    ran = portway("migrate", SOURCE, DESTINATION, way, "--yes")
    assert ran.code == 3
    assert said in ran.err
    assert "nothing was done" in ran.err
    assert "Traceback" not in ran.err


def test_events_are_lines_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    log(Told("deploy", "begun", "pulumi up"))
    log(Told("deploy", "done", ""))
    lines: list[dict[str, str]] = [json.loads(line) for line in file.read_text().splitlines()]
    assert [set(line) for line in lines] == [{"step", "state", "at", "detail"}] * 2
    broken = EventLog(tmp_path)
    broken(Told("deploy", "done", ""))
    broken(Told("probe", "done", ""))
    assert capsys.readouterr().err.count("no more events are written") == 1


def test_a_journal_that_was_read_by_nobody_else_may_be_written_by_its_owner_only(
    journal: Journal,
) -> None:
    assert Path(journal.name).stat().st_mode & 0o077 == 0
    assert Journal(FileStorage(Path(journal.name))).records == journal.records
