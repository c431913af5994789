"""The runtime's zip: the same everywhere, complete, and free of anything of ours."""

import ast
import hashlib
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from portway.bundle import Bundle, runtime_archive, runtime_digest, runtime_files


def test_the_archive_is_named_by_its_content_and_small(tmp_path: Path) -> None:
    bundle = runtime_archive(tmp_path)
    data = bundle.path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert bundle == Bundle(tmp_path / f"{digest}.zip", digest, len(data))
    assert runtime_digest() == digest
    assert bundle.size_bytes < 384 * 1024
    assert runtime_archive(tmp_path) == bundle
    assert [path.name for path in tmp_path.iterdir()] == [bundle.path.name]


def test_entries_are_sorted_dated_alike_and_only_the_wrapper_is_executable(tmp_path: Path) -> None:
    with zipfile.ZipFile(runtime_archive(tmp_path).path) as archive:
        entries = archive.infolist()
        assert {entry.filename: archive.read(entry) for entry in entries} == runtime_files()
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
    assert modes.pop("run") == 0o100755
    assert set(modes.values()) == {0o100644}


def test_a_damaged_archive_is_written_again(tmp_path: Path) -> None:
    path = runtime_archive(tmp_path).path
    path.write_bytes(path.read_bytes()[:-1])
    assert runtime_archive(tmp_path).path.stat().st_size == runtime_archive(tmp_path).size_bytes


def test_many_may_write_it_at_once(tmp_path: Path) -> None:
    found: list[Bundle] = []
    threads = [
        threading.Thread(target=lambda: found.append(runtime_archive(tmp_path))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert [path.name for path in tmp_path.iterdir()] == [found[0].path.name]


@pytest.mark.parametrize("name", [name for name in runtime_files() if name.endswith(".py")])
def test_the_runtime_imports_only_itself_and_the_standard_library(name: str) -> None:
    for node in ast.walk(ast.parse(runtime_files()[name])):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [str(node.module)]
        else:
            continue
        allowed = sys.stdlib_module_names | {"portway_runtime"}
        assert [module for module in modules if module.split(".")[0] not in allowed] == []


FRONTS = {
    "a model beside it": "http_server, upstream_http",
    "Bedrock": "lambda_loop, bedrock, secrets_manager, meter_dynamodb",
    "Bedrock's OpenAI endpoint": "lambda_loop, bedrock_openai",
}


@pytest.mark.parametrize("front", FRONTS)
def test_starting_loads_no_library_that_it_does_not_need(tmp_path: Path, front: str) -> None:
    archive = runtime_archive(tmp_path).path
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        f"from portway_runtime import main, {FRONTS[front]}\n"
        "heavy = {'botocore', 'ssl', 'asyncio', 'http.client', 'email', 'logging', 'urllib.request'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == ("['ssl']\n" if "OpenAI" in front else "[]\n")
