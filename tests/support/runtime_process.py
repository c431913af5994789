"""The runtime as it is deployed: the zip, started as a process of its own."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY = "pw-first-key-0123456789"
MODEL = "ministral-3-8b"


def environment(upstream: str, keys_file: Path, **changes: str | None) -> dict[str, str]:
    """A full environment in front of an HTTP upstream; None removes a variable."""
    settings: dict[str, str | None] = {
        "PORTWAY_SERVICE": "chat",
        "PORTWAY_MODEL": MODEL,
        "PORTWAY_MODEL_OWNER": "mistralai",
        "PORTWAY_MODEL_CREATED": "1764633600",
        "PORTWAY_UPSTREAM": upstream,
        "PORTWAY_UPSTREAM_MODEL": "served-name",
        "PORTWAY_AUTH": "api-key",
        "PORTWAY_API_KEYS_FILE": str(keys_file),
        "PORTWAY_CONTEXT_TOKENS": "100",
        "PORTWAY_MAX_OUTPUT_TOKENS": "50",
        "PORTWAY_MAX_BODY_BYTES": "20000",
        "PORTWAY_CONCURRENCY": "4",
        "PORTWAY_TIMEOUT_SECONDS": "20",
        "PORTWAY_BIND": "127.0.0.1",
        "PORT": "0",
        **changes,
    }
    return {name: value for name, value in settings.items() if value is not None}


def write_keys(path: Path, *keys: str) -> Path:
    """Write the key document, atomically as a secret volume does."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"keys": list(keys)}))
    part.replace(path)
    return path


def unpack(archive: Path, root: Path) -> Path:
    """Unpack the zip into `root` with its modes, as Lambda does; returns `root`."""
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            path = root / entry.filename
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(opened.read(entry))
            path.chmod((entry.external_attr >> 16) & 0o777)
    return root


class RuntimeProcess:
    """A started runtime; `lines` are its parsed log lines, `url` where it listens."""

    def __init__(self, command: list[str], env: Mapping[str, str]) -> None:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._process = subprocess.Popen(
            command, env={**inherited, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url = ""

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.put(json.loads(line))

    def next_line(self) -> dict[str, Any]:
        """The next log line."""
        return self.lines.get(timeout=20)

    def serving(self) -> "RuntimeProcess":
        """Wait until it listens."""
        self.url = f"http://{self.next_line()['address']}"
        return self

    def terminate(self) -> None:
        """Ask it to stop, as a platform does."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> tuple[int, str]:
        """The exit code and standard error, once it ended."""
        assert self._process.stderr is not None
        code = self._process.wait(timeout=20)
        self._reader.join()
        return code, self._process.stderr.read().decode()

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def started(
    archive: Path, env: Mapping[str, str], *, command: list[str] | None = None
) -> Generator[RuntimeProcess, None, None]:
    """The zip as a process, ended with the block."""
    process = RuntimeProcess(command or [sys.executable, str(archive)], env)
    try:
        yield process
    finally:
        process.close()
