"""What an engine is: one executable, its version, and where it came from."""

import os
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from portway.engine.version import Version, parse
from portway.errors import Missing

_VERSION_SECONDS = 60


class Origin(StrEnum):
    """Where an engine came from."""

    PATH = "path"
    INSTALLED = "installed"
    BUILT = "built"

    @property
    def words(self) -> str:
        """The origin as people read it."""
        return {
            Origin.PATH: "found on PATH",
            Origin.INSTALLED: "from the official installer",
            Origin.BUILT: "built from its Go modules",
        }[self]


@dataclass(frozen=True)
class Engine:
    """A Pulumi engine that ran and said its version.

    Attributes:
        path: the ``pulumi`` executable.
        version: such as ``3.259.0``.
        origin: where it came from.
    """

    path: Path
    version: Version
    origin: Origin

    @property
    def bundled_language_host(self) -> Path | None:
        """The Python language host beside the engine: there with an official engine, not a built one."""
        host = self.path.resolve().parent / "pulumi-language-python"
        return host if host.exists() else None


def run_version(pulumi: Path) -> Version:
    """Run ``pulumi version``.

    Raises:
        Missing: it does not run, or does not print a version.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    environment = {**kept, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            [str(pulumi), "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS,
            env=environment,
            check=False,
        )
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{pulumi} does not run: {error}") from error
    version = parse(done.stdout)
    if done.returncode != 0 or version is None:
        said = (done.stdout + done.stderr).strip()[:200] or "nothing"
        raise Missing(
            f"`{pulumi} version` should print a version; it ended with {done.returncode}, saying: {said}"
        )
    return version
