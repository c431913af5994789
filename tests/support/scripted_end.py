"""An end that answers chat requests as a script says, over HTTP on loopback."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

WHOLE, CUT, SILENT, SAME_ID, STRANGE = "whole", "cut", "silent", "same id", "strange"


@dataclass
class Script:
    """What comes next, one word or HTTP status a request; the last one from then on."""

    answers: list[str | int]
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: set[str] = field(default_factory=set[str])

    def next(self, body: dict[str, Any], key: str) -> str | int:
        self.asked.append(body)
        self.keys.add(key)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def scripted_end(*answers: str | int) -> Generator[tuple[str, Script]]:
    """Its address and its script."""
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = script.next(body, self.headers["authorization"])
            if isinstance(answer, int):
                self._send(answer, b'{"error": {"message": "no", "type": "x", "code": "busy"}}')
                return
            text = "".join(f"data: {one}\n\n" for one in _events(answer, len(script.asked)))
            self._send(200, text.encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            kind = "text/event-stream" if status == 200 else "application/json"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _events(answer: str, number: int) -> Iterator[str]:
    identity = "the-same" if answer == SAME_ID else f"id-{number}"

    def chunk(**fields: Any) -> str:
        common = {"id": identity, "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return json.dumps({**common, **fields})

    if answer == STRANGE:
        yield "[1]"
        return
    for word in () if answer == SILENT else ("one ", "two"):
        yield chunk(choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}])
    if answer == CUT:
        return
    yield chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    yield chunk(choices=[], usage=usage)
    yield "[DONE]"
