"""A small HTTP server that a test deploys as a container: says what it is given, waits, streams, dies.

It is run as ``python -c <this file>``, so it imports nothing of ours.
"""

import http.server
import json
import os
import sys
import time
import urllib.request
from typing import Any
from urllib.parse import parse_qs, urlsplit


class App(http.server.BaseHTTPRequestHandler):
    """Routes by path; every answer names the process that gave it."""

    protocol_version = "HTTP/1.1"
    sick_until = 0.0

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        getattr(self, url.path.strip("/") or "environment", self.unknown)(**query)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self._say(200, {"length": len(body)})

    def environment(self) -> None:
        self._say(200, {"pid": os.getpid(), "argv": sys.argv[1:], "environment": dict(os.environ)})

    def headers_(self) -> None:
        self._say(200, dict(self.headers.items()))

    def read(self, path: str) -> None:
        with open(path) as file:  # noqa: PTH123 - nothing to import
            self._say(200, {"text": file.read()})

    def sleep(self, seconds: str) -> None:
        time.sleep(float(seconds))
        self._say(200, {"pid": os.getpid()})

    def stream(self, pieces: str, pause: str) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for number in range(int(pieces)):
                piece = f"piece {number}\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                time.sleep(float(pause))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            sys.stdout.write("the client of the stream has gone\n")
            self.close_connection = True

    def call(self, url: str, seconds: str) -> None:
        try:
            with urllib.request.urlopen(url, timeout=float(seconds)) as answer:
                self._say(200, {"answered": answer.status})
        except OSError as error:
            self._say(200, {"answered": None, "why": str(error)})

    def sicken(self, seconds: str) -> None:
        App.sick_until = time.monotonic() + float(seconds)
        self._say(200, {"pid": os.getpid()})

    def health(self) -> None:
        self._say(503 if time.monotonic() < App.sick_until else 200, {})

    def crash(self) -> None:
        os._exit(7)

    def unknown(self, **_query: str) -> None:
        self._say(404, {"error": self.path})

    def _say(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        return


if __name__ == "__main__":
    time.sleep(float(os.environ.get("START_SECONDS", "0")))
    address = ("0.0.0.0", int(os.environ["PORT"]))
    http.server.ThreadingHTTPServer(address, App).serve_forever()
