"""A hub of weights and Cloud Storage, in one server on loopback, that can be told to misbehave."""

import hashlib
import json
import re
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY, REVISION = "acme/small-8b", "0123456789abcdef0123456789abcdef01234567"
LARGE = 1024


class HubAndBucket:
    """Its files, its objects, and what goes wrong.

    Attributes:
        unlisted: files that are there and belong to no repository.
        objects: bytes and digest of each object that is there.
        breaks: how often an answer with a file's bytes ends in the middle.
        loses: how often an upload answers 503 after half of the piece was kept.
        forbids: how often listing the bucket is forbidden.
        lists_bytes: a list of files is answered with what is no JSON, as by a proxy's own page.
        keeps: whether anything that is uploaded stays.
        wrong: files that arrive with another byte than was listed.
        refuses: the status that the bucket answers a new upload with.
        asked: each request, in order.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.unlisted: dict[str, bytes] = {}
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.sessions: dict[str, tuple[str, str, bytearray]] = {}
        self.breaks = self.loses = self.forbids = 0
        self.wrong: set[str] = set()
        self.keeps = True
        self.refuses: int | None = None
        self.status_of_hub = 200
        self.lists_bytes = False
        self.asked: list[str] = []
        self.url = ""

    def digest(self, name: str) -> str:
        data = self.files[name]
        if len(data) >= LARGE:
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def listed(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [
            {"type": "directory", "path": "original", "oid": "0" * 40, "size": 0}
        ]
        for name, data in self.files.items():
            row = {"type": "file", "path": name, "size": len(data), "oid": self.digest(name)}
            if len(data) >= LARGE:
                large = {"oid": self.digest(name), "size": len(data)}
                row = {**row, "oid": "f" * 40, "lfs": large}
            rows.append(row)
        return rows


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: HubAndBucket

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        self.world.asked.append(f"GET {path.path}")
        if path.path.startswith("/computeMetadata/"):
            self._json(200, {"access_token": "t0k3n", "expires_in": 3600})
        elif path.path.startswith("/storage/"):
            self._list(parse_qs(path.query))
        elif self.world.status_of_hub != 200:
            self._json(self.world.status_of_hub, {"error": "no"}, {"x-error-code": "RepoNotFound"})
        elif self.world.lists_bytes:
            self._file("tokenizer.json")
        elif path.path.startswith("/api/models/"):
            self._tree(is_second="page=2" in path.query)
        elif "/resolve/" in path.path:
            self._json(302, {}, {"location": f"/cdn/{path.path.rpartition('/')[2]}"})
        else:
            self._file(path.path.rpartition("/")[2])

    def do_POST(self) -> None:
        body = json.loads(self._body())
        self.world.asked.append(f"POST {body['name']}")
        if self.world.refuses is not None:
            said = "copier does not have storage.objects.create access"
            self._json(self.world.refuses, {"error": {"message": said}})
            return
        session = f"s{len(self.world.sessions)}"
        self.world.sessions[session] = (
            body["name"], body["metadata"]["portway-digest"], bytearray(),
        )  # fmt: skip
        self._json(200, {}, {"location": f"{self.world.url}/upload/b/o?upload_id={session}"})

    def do_PUT(self) -> None:
        session = parse_qs(urlsplit(self.path).query)["upload_id"][0]
        name, digest, held = self.world.sessions[session]
        said, data = self.headers["content-range"], self._body()
        self.world.asked.append(f"PUT {name} {said}")
        span, _, whole = said.removeprefix("bytes ").partition("/")
        if span != "*":
            assert int(span.partition("-")[0]) == len(held), "a piece begins where the last ended"
            if self.world.loses:
                self.world.loses -= 1
                held += data[: len(data) // 2]
                self._json(503, {"error": {"message": "Backend Error"}})
                return
            held += data if self.world.keeps else b""
        if whole != "*" and len(held) == int(whole):
            self.world.objects[name] = (bytes(held), digest)
            self._json(200, {"name": name})
        else:
            kept = {"range": f"bytes=0-{len(held) - 1}"} if held else {}
            self._json(308, {}, kept)

    def _list(self, query: Mapping[str, list[str]]) -> None:
        if self.world.forbids:
            self.world.forbids -= 1
            said = "copier does not have storage.objects.list access"
            self._json(403, {"error": {"message": said}})
            return
        found = [
            {"name": name, "metadata": {"portway-digest": digest} if digest else {}}
            for name, (_, digest) in sorted(self.world.objects.items())
            if name.startswith(query["prefix"][0])
        ]
        first = int(query.get("pageToken", ["0"])[0])
        more = {"nextPageToken": str(first + 1)} if first + 1 < len(found) else {}
        self._json(200, {"items": found[first : first + 1], **more})

    def _tree(self, *, is_second: bool) -> None:
        rows = self.world.listed()
        half = len(rows) // 2
        link = f'<{self.world.url}{self.path}&page=2>; rel="next"'
        if is_second:
            self._json(200, rows[half:])
        else:
            self._json(200, rows[:half], {"link": link})

    def _file(self, name: str) -> None:
        data = {**self.world.files, **self.world.unlisted}[name]
        if name in self.world.wrong:
            data = data[:-1] + bytes([data[-1] ^ 1])
        asked = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("range") or "bytes=0-")
        assert asked is not None
        rest = data[int(asked[1]) :]
        self.send_response(206 if self.headers.get("range") else 200)
        self.send_header("content-length", str(len(rest)))
        self.end_headers()
        if self.world.breaks and len(rest) > 1:
            self.world.breaks -= 1
            self.wfile.write(rest[: len(rest) // 2])
            self.close_connection = True
            return
        self.wfile.write(rest)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"]))

    def _json(self, status: int, said: object, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(said).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(world: HubAndBucket) -> Generator[None]:
    """Serve ``world`` on a port of loopback."""
    handler = type("Handler", (_Handler,), {"world": world})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    world.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
