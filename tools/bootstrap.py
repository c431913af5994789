#!/usr/bin/env python3
"""Make ``.venv`` hold exactly what requirements.txt pins. Standard library only.

Safe to kill at any moment and to start twice at once: the stamp is written last, and one run waits
for the other.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".portway-stamp"
OLDEST = (3, 11)


def wanted() -> str:
    """A digest of what the environment is made from: the pins, the project, this Python, this place."""
    text = f"{sys.version_info[:2]} {ROOT}"
    for name in ("requirements.txt", "pyproject.toml"):
        text += (ROOT / name).read_text()
    return hashlib.sha256(text.encode()).hexdigest()


def is_current() -> bool:
    """Whether the environment was finished from just these pins."""
    return STAMP.exists() and PYTHON.exists() and STAMP.read_text() == wanted()


def say(text: str, *, is_last: bool) -> None:
    """One progress line: rewritten in place on a terminal, a line of its own in a log."""
    start, end = ("\r", "\n" if is_last else "") if sys.stderr.isatty() else ("", "\n")
    sys.stderr.write(f"{start}set-up: {text}{end}")
    sys.stderr.flush()


def narrated(what: str, argv: list[str], log: Path) -> None:
    """Run ``argv``, saying every few seconds that it is still at work; its output goes to ``log``."""
    started_at = time.monotonic()
    every_seconds = 2 if sys.stderr.isatty() else 20
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT)
        while True:
            try:
                code = process.wait(every_seconds)
                break
            except subprocess.TimeoutExpired:
                say(f"{what} … {time.monotonic() - started_at:.0f} s", is_last=False)
    seconds = time.monotonic() - started_at
    say(f"{what}: {'failed' if code else 'done'} in {seconds:.0f} s", is_last=True)
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        sys.exit(f"{tail}\nset-up: {what} failed; the whole output is in {log}")


def main() -> None:
    """Bring the environment up to date; say nothing when it already is."""
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            f"set-up: Portway needs Python 3.11 or newer; {sys.executable} is {found}. Run `make PYTHON=python3.12 …` with a newer one."
        )
    if is_current():
        return
    ROOT.joinpath(".portway").mkdir(exist_ok=True)
    with ROOT.joinpath(".portway", "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current():
            return
        STAMP.unlink(missing_ok=True)
        log = ROOT / ".portway" / "set-up.log"
        sys.stderr.write("set-up: .venv from requirements.txt (about 3 minutes the first time)\n")
        if not PYTHON.exists():
            venv.create(VENV, with_pip=True, clear=VENV.exists(), symlinks=os.name != "nt")
        narrated(
            "installing the pinned packages",
            [
                str(PYTHON),
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "-r",
                "requirements.txt",
            ],
            log,
        )
        STAMP.write_text(wanted())


if __name__ == "__main__":
    main()
