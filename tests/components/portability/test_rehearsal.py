"""A rehearsal works on a copy, and says what to expect."""

import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from portway.portability.clients import Counts
from portway.portability.migration import Outcome
from portway.portability.move import Move
from portway.portability.rehearsal import Rehearsed, backend_of, copied
from portway.sandbox import control

ROOT = Path(__file__).resolve().parents[3]
MOVE = Move("chat", "prod", "chat.prod.kubernetes", "chat.prod.cloud-run", "chat.prod.door")
DOOR = """config:
  portway:spec: specs/chat.yaml
  portway:door: {kind: cloud-run, region: europe-west4, weights: {chat.prod.cloud-run: 100}}
  gcp:secret:
    secure: v1:abc
"""


def test_a_rehearsal_begins_at_the_source_and_leaves_the_project_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    file = tmp_path / "stacks" / f"Pulumi.{MOVE.door}.yaml"
    file.write_text(DOOR)
    calls: list[tuple[str, Path]] = []

    def started(where: Path, _: object) -> None:
        calls.append(("start", where))

    def stopped(where: Path) -> None:
        calls.append(("stop", where))

    monkeypatch.setattr(control, "start", started)
    monkeypatch.setattr(control, "stop", stopped)
    with copied(tmp_path, MOVE, str) as copy:
        text = (copy / "stacks" / file.name).read_text()
        assert "chat.prod.kubernetes: 100" in text
        assert "v1:abc" not in text
        assert copy.is_relative_to(tmp_path / ".portway")
        assert backend_of(copy) == f"file://{copy}/.portway/state"
    assert calls == [("start", copy), ("stop", copy)]
    assert file.read_text() == DOOR
    assert not copy.exists()


@pytest.mark.parametrize(
    ("outcome", "counts", "is_good"),
    [
        (Outcome.MOVED, Counts(answered=900), True),
        (Outcome.MOVED, Counts(answered=900, cut=1), False),
        (Outcome.MOVED, Counts(answered=900, twice=1), False),
        (Outcome.MOVED, Counts(), False),
        (Outcome.ROLLED_BACK, Counts(answered=900), False),
    ],
)
def test_a_rehearsal_is_good_when_no_client_noticed(
    outcome: Outcome, counts: Counts, *, is_good: bool
) -> None:
    assert Rehearsed(outcome, counts, {}, Decimal("0.10")).is_good is is_good


def test_what_clients_saw_is_one_line() -> None:
    counts = Counts(
        answered=3, failed=1, slowest_first_token_seconds=0.5,
        errors=Counter({"InternalServerError 500": 1}),
    )  # fmt: skip
    assert str(counts) == (
        "3 answered, 1 failed, 0 cut short, 0 twice; slowest first token 0.50 s; "
        "InternalServerError 500 (1)"
    )
