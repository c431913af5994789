"""Puts the stand-in plugins where the engine looks for plugins: in the sandbox's private PULUMI_HOME."""

import json
import shlex
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

from portway.errors import Missing

PACKAGES = ("aws", "gcp", "kubernetes", "random")
_DYNAMIC = ("pulumi-python", "0.0.0")
"""What runs resources that a program defines itself; the engine asks for no version of it."""


def install_plugins(home: Path, python: Path) -> tuple[Path, ...]:
    """Write one launcher per installed provider SDK under ``home``/plugins; answer the launchers.

    The engine takes a cached plugin only at the exact version that the program's SDK asks for, so names
    and versions are read from the installed SDKs. A launcher that is already right is left alone.

    Args:
        home: the sandbox's PULUMI_HOME.
        python: the interpreter that has this package and the SDKs.

    Raises:
        Missing: no provider SDK is installed at all.
    """
    launchers = tuple(
        _launcher(home, name, version, python)
        for name, version in filter(None, map(_installed, PACKAGES))
    )
    if not launchers:
        raise Missing("no provider SDK is installed; run `pip install -r requirements.txt`")
    return launchers


def install_foreign(home: Path, python: Path) -> tuple[Path, ...]:
    """Launchers for every other provider SDK that is installed, so that its resources can be previewed.

    Args:
        home: the PULUMI_HOME of a preview.
        python: the interpreter that has this package and the SDKs.
    """
    names = {module.name for module in iter_modules() if module.name.startswith("pulumi_")}
    others = sorted(names - {f"pulumi_{one}" for one in PACKAGES})
    found = filter(None, (_installed(name.removeprefix("pulumi_")) for name in others))
    return tuple(_launcher(home, name, version, python) for name, version in (*found, _DYNAMIC))


def _installed(package: str) -> tuple[str, str] | None:
    """Plugin name and version as the SDK's own ``pulumi-plugin.json`` states them; None for none."""
    found = find_spec(f"pulumi_{package}")
    if found is None or found.origin is None:
        return None
    described = Path(found.origin).parent / "pulumi-plugin.json"
    if not described.is_file():
        return None
    document = json.loads(described.read_text(encoding="utf-8"))
    if not document.get("resource") or "parameterization" in document:
        return None
    return str(document["name"]), str(document["version"])


def _launcher(home: Path, name: str, version: str, python: Path) -> Path:
    folder = home / "plugins" / f"resource-{name}-v{version}"
    folder.mkdir(parents=True, exist_ok=True)
    # an empty lock file beside the folder tells the engine that the installation was finished
    (folder.parent / f"{folder.name}.lock").touch()
    launcher = folder / f"pulumi-resource-{name}"
    text = (
        f'#!/bin/sh\nexec {shlex.quote(str(python))} -u -m portway.sandbox.providers {name} "$@"\n'
    )
    if not launcher.is_file() or launcher.read_text(encoding="utf-8") != text:
        partial = launcher.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.chmod(0o755)
        partial.replace(launcher)
    return launcher
