"""Pulumi's official installer, where the internet is reachable."""

import os
import subprocess
import threading
import urllib.request
from pathlib import Path

from portway.engine.progress import Progress, phase
from portway.engine.version import BUILT
from portway.errors import Missing

_SCRIPT = "https://get.pulumi.com/install.sh"
_PROBE_SECONDS = 4.0
_INSTALL_SECONDS = 600


def fetch_script(url: str = _SCRIPT, within_seconds: float = _PROBE_SECONDS) -> bytes | None:
    """The installer's script, or None when it cannot be had in time: that is what offline means here.

    A thread with a deadline, because resolving a name has no timeout of its own.
    """
    found: list[bytes] = []

    def fetch() -> None:
        try:
            with urllib.request.urlopen(url, timeout=within_seconds) as answer:  # noqa: S310 - https, above
                found.append(answer.read())
        except OSError:
            return

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(within_seconds)
    return found[0] if found and found[0].startswith(b"#!") else None


def install(script: bytes, into: Path, log: Path, progress: Progress) -> None:
    """Run the official ``script`` so that it puts ``bin/pulumi`` and its language hosts into ``into``.

    Raises:
        Missing: it failed; names ``log``, which has its output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    path = into / "install.sh"
    path.write_bytes(script)
    command = ["sh", str(path), "--no-edit-path", "--install-root", str(into)]
    text = f"installing pulumi {BUILT} with the official installer"
    with log.open("wb") as output, phase(text, progress):
        try:
            done = subprocess.run(
                [*command, "--version", str(BUILT)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_INSTALL_SECONDS,
                env=dict(os.environ),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Missing(f"the official installer did not finish: {error}; see {log}") from error
    if done.returncode != 0:
        raise Missing(f"the official installer ended with {done.returncode}; see {log}")
    path.unlink()
