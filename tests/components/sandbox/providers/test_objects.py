import hashlib
import zipfile
from pathlib import Path

import pytest

from portway.sandbox.providers.cloud import CloudError
from portway.sandbox.providers.objects import keep, path_of
from portway.sandbox.providers.wire import ARCHIVE, ASSET, SIGNATURE, Json


def asset(**fields: object) -> Json:
    return {SIGNATURE: ASSET, "hash": "x", **fields}


def archive(**fields: object) -> Json:
    return {SIGNATURE: ARCHIVE, "hash": "x", **fields}


def kept(root: Path, value: object) -> bytes:
    digest = keep(root, value)
    assert digest
    content = path_of(root, digest).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    return content


def test_a_file_and_a_text_are_kept_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\x00\x01")
    assert kept(tmp_path, asset(path=str(tmp_path / "a.bin"))) == b"\x00\x01"
    assert kept(tmp_path, asset(text="hello")) == kept(tmp_path, "hello") == b"hello"
    assert keep(tmp_path, None) is None
    assert len(list((tmp_path / "objects").iterdir())) == 2


def test_a_folder_is_kept_as_one_zip_that_is_always_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    (folder / "sub").mkdir(parents=True)
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "sub" / "a.py").write_text("x = 1")
    first = keep(tmp_path, archive(path=str(folder)))
    (folder / "run").touch()
    assert first
    assert keep(tmp_path, archive(path=str(folder))) == first
    with zipfile.ZipFile(path_of(tmp_path, first)) as found:
        assert found.namelist() == ["run", "sub/a.py"]
        assert [entry.external_attr >> 16 & 0o777 for entry in found.infolist()] == [0o755, 0o644]


def test_an_archive_of_assets_is_kept_as_one_zip(tmp_path: Path) -> None:
    inner = archive(assets={"b.txt": asset(text="b")})
    digest = keep(tmp_path, archive(assets={"a.txt": asset(text="a"), "in": inner}))
    assert digest
    with zipfile.ZipFile(path_of(tmp_path, digest)) as found:
        assert {name: found.read(name) for name in found.namelist()} == {
            "a.txt": b"a",
            "in/b.txt": b"b",
        }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (asset(path="/nowhere/a.zip"), "cannot read /nowhere/a.zip"),
        (asset(uri="https://example.com/a"), "cannot take an asset from an address"),
    ],
)
def test_what_cannot_be_read_is_refused_and_leaves_nothing(
    tmp_path: Path, value: Json, text: str
) -> None:
    with pytest.raises(CloudError, match=text):
        keep(tmp_path, value)
    assert list((tmp_path / "objects").iterdir()) == []
