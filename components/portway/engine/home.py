"""The private PULUMI_HOME: its plugin folders and, for a built engine, our language host."""

import shlex
import shutil
import sys
from pathlib import Path

from portway.engine.engine import Engine

_LAUNCHER = "pulumi-language-python"


def plugin_dir(home: Path, name: str, version: str, kind: str = "resource") -> Path:
    """Where the engine looks for plugin ``name`` at exactly ``version`` (with or without a v).

    An executable ``pulumi-<kind>-<name>`` in it is started by the engine.
    """
    return home / "plugins" / f"{kind}-{name}-v{version.removeprefix('v')}"


def create_home(home: Path, engine: Engine, python: Path | None = None) -> None:
    """Make ``home``, readable by its owner only, ready for ``engine``.

    An engine with its official language host keeps it; for one without, a launcher of ours is put
    into the plugin cache (on PATH the engine would warn about it), run by ``python`` (default: this
    interpreter).
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    home.chmod(0o700)
    wanted = plugin_dir(home, "python", str(engine.version), kind="language")
    for found in (home / "plugins").glob("language-python-v*"):
        stale = found != wanted or engine.bundled_language_host is not None
        if stale and found.is_dir():
            shutil.rmtree(found)
    if engine.bundled_language_host is None:
        _write_launcher(wanted / _LAUNCHER, python or Path(sys.executable))


def _write_launcher(path: Path, python: Path) -> None:
    text = (
        "#!/bin/sh\n"
        f'exec {shlex.quote(str(python))} -P -u -m portway.engine.start_language_host "$@"\n'
    )
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.chmod(0o755)
    part.replace(path)
