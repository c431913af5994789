"""Which keys are valid, and when a change of the document counts."""

import json
from pathlib import Path

import pytest

from portway.runtime.config import read_config
from portway.runtime.errors import WireError
from portway.runtime.keys import (
    REFRESH_SECONDS,
    STALE_SECONDS,
    BadKeys,
    DocumentKeys,
    file_keys,
    open_keys,
    parse_keys,
)
from support.runtime_process import environment, write_keys


class Store:
    """A secret store with a clock beside it."""

    def __init__(self, *keys: str) -> None:
        self.now = 0.0
        self.reads = 0
        self.document: bytes | None = b""
        self.put(*keys)

    def put(self, *keys: str) -> None:
        self.document = json.dumps({"keys": keys}).encode()

    def read(self) -> bytes:
        self.reads += 1
        if self.document is None:
            raise BadKeys("the store is down")
        return self.document

    def keys(self) -> DocumentKeys:
        keys = DocumentKeys(self.read, clock=lambda: self.now)
        keys.load()
        return keys


def passes(keys: DocumentKeys, key: str) -> bool:
    status = 200
    try:
        keys.check(f"Bearer {key}")
    except WireError as error:
        status = error.status
    assert status in {200, 401}
    return status == 200


def test_a_remote_document_is_read_once_a_minute() -> None:
    store = Store("a", "b")
    keys = store.keys()
    assert [passes(keys, key) for key in ("a", "b", "c", "")] == [True, True, False, False]
    store.put("b", "c")
    store.now = REFRESH_SECONDS - 1
    assert passes(keys, "a")
    store.now = REFRESH_SECONDS
    assert [passes(keys, key) for key in ("a", "b", "c")] == [False, True, True]
    assert store.reads == 2


def test_the_last_good_document_counts_while_the_store_is_down_but_not_for_ever(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = Store("a")
    keys = store.keys()
    store.document = None
    store.now = STALE_SECONDS
    assert passes(keys, "a")
    assert json.loads(capsys.readouterr().out)["reason"] == "the store is down"
    store.now = STALE_SECONDS + 1
    with pytest.raises(WireError) as caught:
        keys.check("Bearer a")
    assert (caught.value.status, caught.value.code) == (503, "keys_unavailable")
    store.put("a")
    store.now += REFRESH_SECONDS
    assert passes(keys, "a")


def test_a_changed_file_counts_at_once_and_a_broken_one_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_keys(tmp_path / "keys.json", "first")
    keys = file_keys(str(path))
    keys.load()
    write_keys(path, "second")
    assert [passes(keys, key) for key in ("first", "second")] == [False, True]
    path.write_text("pw-not-json")
    assert passes(keys, "second")
    path.unlink()
    assert passes(keys, "second")
    assert "pw-not-json" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "document", [b"", b"{}", b"[]", b'{"keys": []}', b'{"keys": [""]}', b'{"keys": [1]}', b"\xff"]
)
def test_a_document_without_keys_is_refused_without_being_quoted(document: bytes) -> None:
    with pytest.raises(BadKeys, match="the key document must be JSON such as"):
        parse_keys(document)


@pytest.mark.parametrize("header", [None, "", "a", "Bearer", "Bearer ", "Basic a", "Bearera"])
def test_a_malformed_header_is_no_key(header: str | None) -> None:
    with pytest.raises(WireError) as caught:
        Store("a").keys().check(header)
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")


def test_with_iam_the_platform_has_already_asked() -> None:
    env = environment("http://127.0.0.1:9", Path(), PORTWAY_AUTH="iam", PORTWAY_API_KEYS_FILE=None)
    open_keys(read_config(env)).check(None)
