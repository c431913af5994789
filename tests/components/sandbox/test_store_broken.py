"""A store that is damaged or cannot be written is said to be so, in a sentence."""

from pathlib import Path

import pytest

from portway.errors import Missing
from portway.sandbox.store import AlreadyExists, Key, Row, Store

ROW = Row(Key("gcp", "acme", "t", "one"), "urn", {"text": "x" * 20_000}, {})


@pytest.mark.parametrize("damage", ["truncated", "garbage"])
def test_a_damaged_store_says_what_to_delete(damage: str, tmp_path: Path) -> None:
    path = tmp_path / ".portway" / "cloud.db"
    store = Store(path)
    for number in range(20):
        store.create(Row(Key("gcp", "acme", "t", str(number)), "urn", ROW.inputs, {}))
    content = path.read_bytes()
    path.write_bytes(content[:6000] if damage == "truncated" else b"no database at all" * 500)
    with pytest.raises(Missing, match=r"is damaged: .*delete .*\.portway and start again"):
        Store(path).all()


def test_a_store_that_is_gone_is_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "sandbox" / "cloud.db")
    (tmp_path / "sandbox").rename(tmp_path / "away")
    with pytest.raises(Missing, match="cannot be used: unable to open database file"):
        store.all()


def test_what_is_taken_is_still_told_from_what_is_broken(tmp_path: Path) -> None:
    store = Store(tmp_path / "cloud.db")
    store.create(ROW)
    with pytest.raises(AlreadyExists):
        store.create(ROW)
    assert [event["operation"] for event in store.events()] == ["create"]
