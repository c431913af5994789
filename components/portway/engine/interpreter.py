"""Which Python runs a program, a policy pack or a plugin: what its ``runtime.options`` say."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portway.engine import packages
from portway.errors import Missing

_SECONDS = 60
_TOOLCHAINS = {"pip": "", "uv": ".venv"}


@dataclass(frozen=True)
class Interpreter:
    """One Python.

    Attributes:
        virtualenv: the virtual environment it belongs to, or None for the Python on PATH.
        python: its executable.
    """

    virtualenv: Path | None
    python: Path

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` with this interpreter's virtual environment activated."""
        kept = {name: value for name, value in base.items() if name != "PYTHONHOME"}
        if self.virtualenv is None:
            return kept
        path = os.pathsep.join((str(self.python.parent), kept.get("PATH", os.defpath)))
        return {**kept, "VIRTUAL_ENV": str(self.virtualenv), "PATH": path}

    def inspect(self) -> dict[str, Any]:
        """What is installed in it; see ``packages.inspect``.

        Raises:
            Missing: it does not run.
        """
        if self._is_ours():
            return packages.inspect()
        return dict(json.loads(self._said("-I", str(packages.__file__))))

    def version(self) -> str:
        """Its version, such as ``3.11.7``.

        Raises:
            Missing: it does not run.
        """
        if self._is_ours():
            return platform.python_version()
        return self._said("-c", "import platform; print(platform.python_version())").strip()

    def _is_ours(self) -> bool:
        return (
            self.virtualenv is not None and self.virtualenv.resolve() == Path(sys.prefix).resolve()
        )

    def _said(self, *arguments: str) -> str:
        command = [str(self.python), *arguments]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise Missing(f"{self.python} does not run: {error.stderr}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Missing(f"{self.python} does not run: {error}") from error
        return done.stdout


def is_virtualenv(folder: Path) -> bool:
    """Whether ``folder`` holds an environment's Python."""
    return (folder / "bin" / "python").is_file()


def virtualenv_of(options: Mapping[str, Any], root: Path, *, plugin: bool = False) -> Path | None:
    """The environment folder that ``options`` name, absolute; it may not exist yet.

    A plugin or pack that names none uses its own ``venv`` folder when there is one.

    Raises:
        Missing: a toolchain or type checker is asked for that this host does not serve.
    """
    unserved = {"typechecker": options.get("typechecker", "none") in ("none", "")}
    toolchain = str(options.get("toolchain") or "pip")
    unserved["toolchain"] = toolchain in _TOOLCHAINS
    for option, served in unserved.items():
        if not served:
            raise Missing(
                f"runtime option {option}: {options[option]} is not served by Portway's language "
                "host; leave it out and name a `virtualenv`, or install Pulumi's own engine"
            )
    named = str(options.get("virtualenv") or _TOOLCHAINS[toolchain])
    if named:
        return root / named
    own = root / "venv"
    return own if plugin and is_virtualenv(own) else None


def interpreter_of(
    virtualenv: Path | None, which: Callable[[str], str | None] = shutil.which
) -> Interpreter:
    """The Python of ``virtualenv``, else the one on PATH, as Pulumi's own language host chooses it.

    Raises:
        Missing: there is no such environment, or no Python on PATH.
    """
    if virtualenv is not None:
        if not is_virtualenv(virtualenv):
            raise Missing(
                f"the `virtualenv` runtime option names {virtualenv}, which is not a virtual "
                f"environment; run `pulumi install`, or `python3 -m venv {virtualenv}` and install "
                "the program's requirements into it"
            )
        return Interpreter(virtualenv, virtualenv / "bin" / "python")
    wanted = os.environ.get("PULUMI_PYTHON_CMD")
    names = [wanted] if wanted else ["python3", "python"]
    found = next((path for name in names if (path := which(name))), None)
    if found is None:
        raise Missing(f"none of {', '.join(names)} is on PATH, and no `virtualenv` is named")
    return Interpreter(None, Path(found))


def installing(virtualenv: Path | None, folder: Path) -> Generator[bytes]:
    """Make ``virtualenv`` when it is missing, install ``folder``'s requirements; yield what is said.

    Raises:
        Missing: making it or installing failed.
    """
    if virtualenv is not None and not is_virtualenv(virtualenv):
        yield f"Creating virtual environment {virtualenv}\n".encode()
        yield from _saying(
            [str(interpreter_of(None).python), "-m", "venv", str(virtualenv)], folder
        )
    if (folder / "requirements.txt").is_file():
        python = interpreter_of(virtualenv).python
        yield from _saying([str(python), "-m", "pip", "install", "-r", "requirements.txt"], folder)


def _saying(command: list[str], cwd: Path) -> Generator[bytes]:
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        if process.stdout is not None:
            yield from process.stdout
    if process.returncode != 0:
        raise Missing(f"`{' '.join(command)}` ended with {process.returncode}")
