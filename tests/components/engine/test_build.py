"""The build recipe, with a stand-in for the go command."""

import threading
from pathlib import Path

import pytest

from portway.engine import build as module
from portway.engine.build import build
from portway.engine.cache import recipe_hash
from portway.engine.progress import silent
from portway.engine.version import BUILT
from portway.errors import Missing

_GO = Path(module.__file__).parent / "go"


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "go"


def _write(go: Path, script: str) -> None:
    go.write_text(f"#!/bin/sh\n{script}\n")
    go.chmod(0o755)


def test_the_stamp_and_the_pinned_modules_name_the_same_version() -> None:
    assert f"version.Version=v{BUILT}" in module.RECIPE
    pinned = (_GO / "go.mod").read_text()
    for part in ("pkg", "sdk"):
        assert f"github.com/pulumi/pulumi/{part}/v3 v{BUILT}\n" in pinned
        assert f"github.com/pulumi/pulumi/{part}/v3 v{BUILT} h1:" in (_GO / "go.sum").read_text()


def test_a_changed_recipe_is_another_place_in_the_cache() -> None:
    assert recipe_hash("go build a") != recipe_hash("go build b")
    assert recipe_hash("go build a") == recipe_hash("go build a")


def test_go_is_run_closed_over_a_copy_of_the_modules(fake_go: Path, tmp_path: Path) -> None:
    _write(
        fake_go,
        'echo "$GOFLAGS $GOWORK $CGO_ENABLED" $PWD; ls; mkdir -p ../bin; echo > ../bin/pulumi',
    )
    log = tmp_path / "logs" / "build.log"
    into = tmp_path / "part"
    into.mkdir()
    build(into, log, silent)
    assert log.read_text() == f"-mod=readonly off 0 {into}/src\ngo.mod\ngo.sum\n"
    assert sorted(path.name for path in into.iterdir()) == ["bin"]


def test_a_failed_build_says_where_its_log_is_and_how_it_ended(
    fake_go: Path, tmp_path: Path
) -> None:
    _write(fake_go, "echo 'go: downloading x v1'; echo 'cannot compile this' >&2; exit 1")
    log = tmp_path / "build.log"
    with pytest.raises(Missing) as failed:
        build(tmp_path, log, silent)
    assert str(failed.value).startswith(
        f"building the engine failed: go ended with 1. Its whole output is in {log}; the end:\n"
        "  cannot compile this"
    )
    assert "downloading" not in str(failed.value)


def test_progress_counts_what_go_has_done(fake_go: Path, tmp_path: Path) -> None:
    _write(
        fake_go,
        "echo 'go: downloading x v1'; echo runtime; echo net; while [ ! -e go-on ]; do sleep 0.05; done",
    )
    counted = threading.Event()

    def hear(phase: str, _seconds: float) -> None:
        if phase.endswith("2 packages compiled"):
            counted.set()
            (tmp_path / "src" / "go-on").touch()

    build(tmp_path, tmp_path / "build.log", hear)
    assert counted.is_set()


def test_without_go_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"no Go on PATH.*install Go 1\.26"):
        build(tmp_path, tmp_path / "build.log", silent)
