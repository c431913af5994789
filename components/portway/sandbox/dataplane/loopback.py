"""Runs a Python program as a container would, but reachable from this machine only.

A container listens on 0.0.0.0 inside its own network namespace. There is none here, so the program's
sockets are bound to 127.0.0.1 instead: what is deployed in the sandbox is never open to a network.
Names of Services inside the cluster are looked up in a file that the environment names.
Standard library only: it runs inside the simulated container.
"""

import json
import os
import runpy
import socket
import sys
from pathlib import Path
from typing import Any

NAMES = "PORTWAY_SANDBOX_NAMES"
"""The variable with the path of a JSON object: ``{"name:port": <port of this machine>}``."""

_bind = socket.socket.bind
_getaddrinfo = socket.getaddrinfo


def _bind_on_loopback(self: socket.socket, address: Any, /) -> None:  # noqa: ANN401 - any family's address
    if self.family == socket.AF_INET and address[0] in ("", "0.0.0.0"):  # noqa: S104 - what is replaced
        address = ("127.0.0.1", *address[1:])
    elif self.family == socket.AF_INET6 and address[0] in ("", "::"):
        address = ("::1", *address[1:])
    _bind(self, address)


def _look_up(path: Path) -> None:
    """Resolve the cluster's own names as ``path`` says at that moment."""

    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as the original
        name = host.decode() if isinstance(host, bytes) else str(host)
        try:
            names: dict[str, int] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            names = {}
        here = names.get(f"{name.rstrip('.')}:{port}")
        if here is None:
            return _getaddrinfo(host, port, *rest, **more)
        return _getaddrinfo("127.0.0.1", here, *rest, **more)

    socket.getaddrinfo = getaddrinfo


def main(arguments: list[str]) -> None:
    """Run ``[-m module | -c code | path] argument…`` as ``python`` itself would."""
    socket.socket.bind = _bind_on_loopback
    if names := os.environ.pop(NAMES, None):
        _look_up(Path(names))
    match arguments:
        case ["-m", module, *rest]:
            sys.argv = [module, *rest]
            _search_first("")
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *rest]:
            sys.argv = ["-c", *rest]
            _search_first("")
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - python -c
        case [path, *rest]:
            sys.argv = [path, *rest]
            _search_first(str(Path(path).resolve().parent))
            runpy.run_path(path, run_name="__main__")
        case _:
            pass


def _search_first(folder: str) -> None:
    """Put ``folder`` where this file's own was; with ``-P`` or ``-I`` there is no such place."""
    if sys.path[0] == str(Path(__file__).parent):
        sys.path[0] = folder


if __name__ == "__main__":
    main(sys.argv[1:])
