"""A model server that streams at once, and a client that asks it: run as a program, it serves."""

import json
import threading
import time
from contextlib import suppress
from socket import IPPROTO_TCP, TCP_NODELAY, create_server, socket
from typing import IO

KEY = "pw-benchmark-key"
MODEL = "m"
PIECES = 50
HOST = "127.0.0.1"


def serve() -> None:
    """Answer every request with ``PIECES`` pieces, as vLLM frames them. Runs until killed."""
    piece = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    piece += b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":%s}]}\n\n'
    usage = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    usage += b'"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":50,"total_tokens":51}}'
    parts = [piece % b"null"] * (PIECES - 1) + [piece % b'"stop"']
    parts += [usage + b"\n\n", b"data: [DONE]\n\n"]
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )

    def answer(sock: socket) -> None:
        with sock, suppress(OSError):
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            while read_request(sock):
                sock.sendall(head)
                for part in parts:
                    sock.sendall(b"%x\r\n%b\r\n" % (len(part), part))
                sock.sendall(b"0\r\n\r\n")

    with create_server((HOST, 0), backlog=128) as listener:
        print(json.dumps({"address": "{}:{}".format(*listener.getsockname())}), flush=True)
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def read_request(sock: socket) -> bool:
    """Read one request with a body; False at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return False
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    missing = (int(lengths[0].split(b":")[1]) if lengths else 0) - len(body)
    while missing > 0:
        missing -= len(sock.recv(65536))
    return True


def ask(sock: socket) -> tuple[float, float]:
    """One streamed request: milliseconds to the first piece and to the end."""
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    head += "content-type: application/json\r\n"
    began = time.perf_counter()
    sock.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    data, first = b"", 0.0
    while not data.endswith(b"0\r\n\r\n"):
        more = sock.recv(65536)
        assert more, data[:300]
        data += more
        if not first and b"word" in data:
            first = time.perf_counter() - began
    assert data.startswith(b"HTTP/1.1 200"), data[:300]
    return first * 1000, (time.perf_counter() - began) * 1000


def drain(output: IO[str]) -> None:
    """Read a process's log, so that it never waits for a reader."""
    with output:
        for _ in output:
            pass


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    serve()
