import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from portway.sandbox.layout import VARIABLE
from portway.sandbox.plugins import PACKAGES, install_plugins


def test_there_is_one_launcher_per_sdk_at_the_version_it_asks_for(tmp_path: Path) -> None:
    launchers = install_plugins(tmp_path, Path(sys.executable))
    assert [str(path.relative_to(tmp_path)) for path in launchers] == [
        f"plugins/resource-{name}-v{version(f'pulumi-{name}')}/pulumi-resource-{name}"
        for name in PACKAGES
    ]
    assert all(os.access(path, os.X_OK) for path in launchers)
    assert all(path.parent.with_name(f"{path.parent.name}.lock").exists() for path in launchers)


def test_installing_again_changes_nothing_and_mends_what_was_changed(tmp_path: Path) -> None:
    (first, second, *_) = install_plugins(tmp_path, Path(sys.executable))
    before = first.stat().st_mtime_ns
    second.write_text("broken")
    install_plugins(tmp_path, Path(sys.executable))
    assert first.stat().st_mtime_ns == before
    assert second.read_text().startswith("#!/bin/sh\n")


def test_a_launcher_starts_its_package_even_where_the_path_has_spaces(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    launcher = next(
        p for p in install_plugins(home, Path(sys.executable)) if p.name.endswith("random")
    )
    process = subprocess.Popen(
        [str(launcher), "127.0.0.1:1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, VARIABLE: str(tmp_path / "sandbox")},
    )
    with process:
        assert process.stdout
        assert process.stdout.readline().strip().isdigit()
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=30) == 0
