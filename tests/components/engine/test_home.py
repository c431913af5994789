"""The private PULUMI_HOME."""

import stat
from pathlib import Path

import pytest

from portway.engine.engine import Engine, Origin
from portway.engine.home import create_home, plugin_dir
from portway.engine.version import BUILT


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    folder = tmp_path / "engine"
    folder.mkdir()
    return Engine(folder / "pulumi", BUILT, Origin.BUILT)


@pytest.mark.parametrize("version", ["7.51.1", "v7.51.1"])
def test_a_plugin_lies_where_the_engine_looks_for_exactly_its_version(version: str) -> None:
    assert plugin_dir(Path("/h"), "aws", version) == Path("/h/plugins/resource-aws-v7.51.1")


def test_an_engine_without_its_language_host_gets_ours(tmp_path: Path, engine: Engine) -> None:
    home = tmp_path / "home"
    create_home(home, engine, Path("/a b/python"))
    launcher = home / "plugins" / "language-python-v3.259.0" / "pulumi-language-python"
    assert launcher.read_text() == (
        "#!/bin/sh\nexec '/a b/python' -P -u -m portway.engine.start_language_host \"$@\"\n"
    )
    assert stat.S_IMODE(launcher.stat().st_mode) == 0o755
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_an_official_engine_keeps_its_own(tmp_path: Path, engine: Engine) -> None:
    home = tmp_path / "home"
    create_home(home, engine)
    (home / "plugins" / "language-python-v3.259.0.lastused").touch()
    engine.path.with_name("pulumi-language-python").touch()
    create_home(home, engine)
    assert list((home / "plugins").glob("*/")) == []


def test_making_it_again_changes_nothing(tmp_path: Path, engine: Engine) -> None:
    home = tmp_path / "home"
    create_home(home, engine)
    launcher = plugin_dir(home, "python", str(BUILT), "language") / "pulumi-language-python"
    before = launcher.stat().st_mtime_ns
    create_home(home, engine)
    assert launcher.stat().st_mtime_ns == before
