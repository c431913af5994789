"""A journal says what was done, or that it cannot be trusted; never anything in between."""

import json
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from typing import Any

import pytest

from portway.errors import BadInput
from portway.portability.journal import Damaged, FileStorage, Journal, NotWritten
from portway.portability.keeping import Kept, lease_folder, may_resume, refuse_another, same_move
from portway.portability.migration import Kind, Outcome, fold
from portway.portability.move import Move

MOVE = Move("chat", "prod", "chat.prod.x", "chat.prod.y", "chat.prod.door")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    journal = Journal(FileStorage(tmp_path / "m" / "0001.x-to-y.jsonl"))
    journal.append(Kind.BEGIN, 1, data=MOVE.as_data())
    journal.append(Kind.INTENT, 1, "preflight")
    journal.append(
        Kind.DONE, 1, "preflight", {"destination_existed": False, "why": "Zürich 漢字\n"}
    )
    return tmp_path / "m" / "0001.x-to-y.jsonl"


def read(file: Path) -> Journal:
    return Journal(FileStorage(file))


def test_what_was_written_is_read_again(file: Path) -> None:
    records = read(file).records
    assert [(each.number, each.kind, each.step) for each in records] == [
        (1, Kind.BEGIN, ""), (2, Kind.INTENT, "preflight"), (3, Kind.DONE, "preflight"),
    ]  # fmt: skip
    assert records[2].data == {"destination_existed": False, "why": "Zürich 漢字\n"}
    assert len(file.read_text().splitlines()) == 3
    assert file.stat().st_mode & 0o077 == 0, "readable by its owner only"


def test_a_torn_last_line_is_as_if_it_was_never_begun(file: Path) -> None:
    whole = file.read_bytes()
    for torn in (b"{", b'{"version": 1, "number": 4, "ki', b"\0\0\0\0"):
        file.write_bytes(whole + torn)
        assert len(read(file).records) == 3
    read(file).append(Kind.INTENT, 2, "deploy")
    assert [each.step for each in read(file).records] == ["", "preflight", "preflight", "deploy"]


@pytest.mark.parametrize("line", [0, 1, 2])
def test_any_changed_byte_is_noticed(file: Path, line: int) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    for at in range(0, len(lines[line]) - 1, 7):
        changed = bytearray(lines[line])
        changed[at] = changed[at] ^ 1
        file.write_bytes(b"".join([*lines[:line], bytes(changed), *lines[line + 1 :]]))
        with pytest.raises(Damaged, match="nothing was done"):
            read(file)


def test_lines_that_are_missing_or_swapped_are_noticed(file: Path) -> None:
    one, two, three = file.read_bytes().splitlines(keepends=True)
    for left in (one + three, two + one + three, two + three, three, one + two + two + three):
        file.write_bytes(left)
        with pytest.raises(Damaged):
            read(file)
    for left, missing in ((one + two, 1), (one, 2), (b"", 3), (one + two + three[:-20], 1)):
        file.write_bytes(left)
        with pytest.raises(Damaged, match=f"{missing} of its records are missing at its end"):
            read(file)


def test_another_version_is_named(file: Path) -> None:
    lines = file.read_text().splitlines()
    first: dict[str, Any] = {**json.loads(lines[0]), "version": 2}
    file.write_text("\n".join([json.dumps(first), *lines[1:], ""]))
    with pytest.raises(Damaged, match=r"is of version 2, and this portway reads 1"):
        read(file)


def test_a_head_that_is_no_number_is_noticed(file: Path) -> None:
    file.with_suffix(".head").write_text("three\n")
    with pytest.raises(Damaged, match="holds 'three', no number"):
        read(file)


def test_a_full_disk_is_told_and_what_was_written_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = read(file)

    def full(handle: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.write", full)
        with pytest.raises(
            NotWritten, match=r"`intent deploy` could not be written: No space left"
        ):
            journal.append(Kind.INTENT, 1, "deploy")
    assert len(read(file).records) == 3
    journal.append(Kind.INTENT, 1, "deploy")
    assert len(read(file).records) == 4


def test_a_disk_that_is_full_in_the_middle_of_a_line_keeps_the_lines_before(file: Path) -> None:
    """The kernel's own refusal: it takes a part of the line, then no more."""
    journal, before = read(file), file.read_bytes()
    soft, hard = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(NotWritten, match=r"nothing more was done\. Make room, then --resume"):
            journal.append(Kind.INTENT, 1, "deploy")
    finally:
        setrlimit(RLIMIT_FSIZE, (soft, hard))
    assert len(file.read_bytes()) == len(before) + 20
    again = read(file)
    assert len(again.records) == 3
    again.append(Kind.INTENT, 2, "deploy")
    assert [record.token for record in read(file).records] == [1, 1, 1, 2]


def test_migrations_are_numbered_and_the_newest_counts(tmp_path: Path) -> None:
    kept = Kept.of(tmp_path, "chat", "prod")
    assert kept.newest() is None
    first = kept.make(MOVE)
    assert first.name.endswith(".portway/migrations/chat.prod/0001.x-to-y.jsonl")
    assert kept.newest() is None, "it was made and not begun"
    first.append(Kind.BEGIN, 1, data=MOVE.as_data())
    with pytest.raises(BadInput, match=r"has not ended .*--resume.*--rollback"):
        refuse_another(kept.newest(), MOVE)
    assert same_move(kept.newest(), MOVE.source, MOVE.destination).records == first.records
    with pytest.raises(BadInput, match=r"is from chat.prod.x to chat.prod.y, not from"):
        same_move(kept.newest(), MOVE.destination, MOVE.source)
    with pytest.raises(BadInput, match="there is no migration from a to b"):
        same_move(None, "a", "b")
    first.append(Kind.END, 1, data={"outcome": Outcome.MOVED.value})
    refuse_another(kept.newest(), MOVE)
    with pytest.raises(BadInput, match="there is nothing to go on with"):
        may_resume(first, changes_end=False)
    may_resume(first, changes_end=True)
    assert [file.name[:4] for file in kept.files] == ["0001"]
    assert kept.make(MOVE).name.endswith("0002.x-to-y.jsonl")
    assert fold(first.records).outcome is Outcome.MOVED


def test_the_lease_is_where_everybody_who_shares_the_state_sees_it(tmp_path: Path) -> None:
    kept = Kept.of(tmp_path, "chat", "prod")
    assert lease_folder(kept, "file:///state", "acme") == Path(
        "/state/.portway-leases/acme/chat.prod"
    )
    assert lease_folder(kept, "s3://bucket", "acme") == kept.folder
    assert lease_folder(kept, "", "acme") == kept.folder
