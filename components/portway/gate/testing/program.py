"""Resources that a Pulumi Python program registers, without an engine, plugin or account."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from portway.errors import BadInput, Missing, Problem
from portway.gate.testing.given import Given
from portway.gate.testing.state import from_state

_LONGEST_SECONDS = 120
_LAST_LINES = 5


def from_program(
    folder: Path | str,
    *,
    stack: str = "dev",
    config: Mapping[str, Any] | None = None,
    calls: Mapping[str, Mapping[str, Any]] | None = None,
    timeout_seconds: float = _LONGEST_SECONDS,
) -> tuple[Given, ...]:
    """What the program in ``folder`` registers at its first preview.

    It runs in a process of its own, with this interpreter, under Pulumi's mocks: every computed
    output is unknown, every input is known, nothing is created. Default providers are configured
    from ``config``, as the engine does.

    Args:
        folder: where ``__main__.py`` is.
        stack: what ``pulumi.get_stack()`` answers.
        config: stack configuration by full key: ``{"aws:region": "eu-west-1", "app:size": 3}``.
        calls: answers of data sources by token, such as ``aws:index/getRegion:getRegion``; one
            without an answer ends the program.
        timeout_seconds: how long the program may run.

    Raises:
        Missing: there is no program.
        BadInput: it fails, or does not end in time; with the last lines that it printed.
    """
    where = Path(folder).resolve()
    if not (where / "__main__.py").is_file():
        raise Missing(f"{where} holds no __main__.py; name the folder of a Pulumi Python program")
    with TemporaryDirectory(prefix="portway-program-") as scratch:
        asked, answered = Path(scratch, "asked.json"), Path(scratch, "answered.json")
        asked.write_text(
            json.dumps({"stack": stack, "config": config or {}, "calls": calls or {}}),
            encoding="utf-8",
        )
        argv = [sys.executable, "-m", "portway.gate.testing.recorder", str(asked), str(answered)]
        try:
            done = subprocess.run(
                argv,
                cwd=where,
                env={**os.environ, "PYTHONPATH": _python_path(where)},
                capture_output=True,
                text=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"did not end within {timeout_seconds:g} seconds"
            raise BadInput([Problem("", message, str(where))]) from None
        if done.returncode or not answered.is_file():
            last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_LAST_LINES:])
            message = f"the program failed:\n{last or 'it printed nothing'}"
            raise BadInput([Problem("", message, str(where))])
        return from_state(json.loads(answered.read_text(encoding="utf-8")))


def _python_path(folder: Path) -> str:
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
