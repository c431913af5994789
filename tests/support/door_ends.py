"""Services behind a door, scripted byte by byte, and a door before them; all on loopback."""

import json
import socket
import threading
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from portway.runtime.door import DoorApp, DoorConfig, read_door_config
from portway.runtime.door_routes import Router, file_router
from portway.runtime.http_server import HttpServer
from portway.runtime.http_wire import Disconnected, MalformedMessage, Reader
from portway.runtime.keys import file_keys
from support.runtime_process import KEY, write_keys


@dataclass
class Asked:
    """One request as an end got it."""

    start: str
    headers: Mapping[str, str]
    body: bytes


Script = Callable[[socket.socket, Asked], None]


def replying(message: bytes) -> Script:
    """Answer with these bytes and hang up."""

    def script(sock: socket.socket, asked: Asked) -> None:
        del asked
        sock.sendall(message)

    return script


def json_reply(value: object, status: str = "200 OK", *extra: str) -> bytes:
    """A whole answer with a length."""
    body = json.dumps(value).encode()
    head = [f"HTTP/1.1 {status}", "content-type: application/json", *extra]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", ""]).encode() + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def chunked(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ScriptedEnd:
    """Listens on loopback; every connection is one request, answered by `script`."""

    def __init__(self, name: str, script: Script) -> None:
        self.name = name
        self.key = f"pw-key-of-{name}"
        self.script = script
        self.asked: list[Asked] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            reader = Reader(sock)
            try:
                head = reader.head()
                if head is None:
                    return
                body = b"".join(reader.body(head.headers))
                asked = Asked(" ".join(head.start), head.headers, body)
                self.asked.append(asked)
                self.script(sock, asked)
            except (OSError, Disconnected, MalformedMessage):
                return

    def close(self) -> None:
        """Refuse connections from now on."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def routes_text(weights: Mapping[str, int], ends: Mapping[str, ScriptedEnd]) -> str:
    """The route document for these ends."""
    known = {name: {"url": end.url, "key": end.key} for name, end in ends.items()}
    return json.dumps({"weights": dict(weights), "ends": known})


@dataclass
class RunningDoor:
    """A door in this process. `url` is where it listens."""

    url: str
    router: Router
    server: HttpServer
    thread: threading.Thread
    routes_file: Path
    ends: Mapping[str, ScriptedEnd] = field(default_factory=dict[str, ScriptedEnd])

    def shift(self, weights: Mapping[str, int]) -> None:
        """Write the route document anew, as a secret volume does."""
        part = self.routes_file.with_suffix(f".{uuid.uuid4().hex}")
        part.write_text(routes_text(weights, self.ends))
        part.replace(self.routes_file)

    def stop(self) -> None:
        """Ask it to end, as a platform does."""
        self.server.stop()


def door_environment(folder: Path, routes_file: Path, **changes: str) -> dict[str, str]:
    """What a door's container is told."""
    return {
        "PORTWAY_SERVICE": "chat",
        "PORTWAY_ROUTES_FILE": str(routes_file),
        "PORTWAY_API_KEYS_FILE": str(write_keys(folder / "keys.json", KEY)),
        "PORTWAY_MAX_BODY_BYTES": "20000",
        "PORTWAY_CONCURRENCY": "100",
        "PORTWAY_TIMEOUT_SECONDS": "20",
        "PORTWAY_MAX_INSTANCES": "1",
        "PORTWAY_BIND": "127.0.0.1",
        "PORT": "0",
        **changes,
    }


@contextmanager
def running_door(
    folder: Path,
    weights: Mapping[str, int],
    ends: Mapping[str, ScriptedEnd],
    *,
    refresh_seconds: float = 0.0,
    **changes: str,
) -> Generator[RunningDoor, None, None]:
    """A door before `ends`, ended with the block."""
    routes_file = folder / "routes.json"
    routes_file.write_text(routes_text(weights, ends))
    config: DoorConfig = read_door_config(door_environment(folder, routes_file, **changes))
    keys = file_keys(config.keys_file)
    keys.load()
    router = file_router(config.routes_file, refresh_seconds)
    server = HttpServer(DoorApp(config, keys, router), config)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    url = "http://{}:{}".format(*server.address)
    door = RunningDoor(url, router, server, thread, routes_file, ends)
    try:
        yield door
    finally:
        server.stop()
        thread.join(10)


@contextmanager
def scripted_ends(**scripts: Script) -> Generator[dict[str, ScriptedEnd], None, None]:
    """Ends by name, closed with the block."""
    ends = {name: ScriptedEnd(name, script) for name, script in scripts.items()}
    try:
        yield ends
    finally:
        for end in ends.values():
            try:
                end.close()
            except OSError:
                continue
