import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from portway.sandbox.layout import VARIABLE
from portway.sandbox.plugins import PACKAGES, install_foreign, install_plugins
from portway.sandbox.providers.__main__ import load
from portway.sandbox.providers.cloud import CloudError, Request
from portway.sandbox.store import Store


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


def test_every_other_installed_provider_can_be_previewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "pulumi_made_up": '{"resource": true, "name": "made-up", "version": "1.2.3"}',
        "pulumi_generated": '{"resource": true, "name": "base", "version": "1.0.0", "parameterization": {}}',
        "pulumi_helper": "",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        if text:
            (tmp_path / name / "pulumi-plugin.json").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType] - pytest's own
    home = tmp_path / "home"
    made = {one.parent.name: one.name for one in install_foreign(home, Path(sys.executable))}
    assert made == {
        "resource-made-up-v1.2.3": "pulumi-resource-made-up",
        "resource-pulumi-python-v0.0.0": "pulumi-resource-pulumi-python",
    }


def test_a_package_that_nobody_has_embedded_previews_what_was_written_and_deploys_nothing(
    tmp_path: Path,
) -> None:
    cloud = load("made-up", Store(tmp_path / "store"), tmp_path)
    asked = Request("urn:pulumi:dev::p::made-up:index:Thing::t", "made-up:index:Thing", {"a": 1})
    assert cloud.check(asked) == ({"a": 1}, [])
    assert cloud.preview(asked) == {"a": 1}
    for act in (cloud.create, cloud.read, cloud.update, cloud.delete, cloud.diff):
        with pytest.raises(CloudError, match="made-up:index:Thing can be previewed here and not"):
            act(asked)
    with pytest.raises(CloudError, match="has no data for made-up:index:get"):
        cloud.invoke("made-up:index:get", {})
