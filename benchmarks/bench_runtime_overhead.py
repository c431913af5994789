"""What the runtime adds to a model server: time to first token, and throughput.

    python benchmarks/bench_runtime_overhead.py [REQUESTS]

The model server is a process that answers at once, so that the difference is the runtime's own. The
client speaks raw HTTP over kept connections. Figures are wall-clock milliseconds on this machine.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection, create_server, socket
from typing import IO

from portway.bundle import runtime_archive

KEY = "pw-benchmark-key"
PIECES = 50
CLIENTS = 8
HOST = "127.0.0.1"


def model_server() -> None:
    """Answer every request with `PIECES` pieces, as vLLM frames them. Runs until killed."""
    piece = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    piece += b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":%s}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":50,'
    usage += b'"total_tokens":51}}\n\n'
    parts = [piece % b"null"] * (PIECES - 1) + [piece % b'"stop"', usage, b"data: [DONE]\n\n"]
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )

    def serve(sock: socket) -> None:
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
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def read_request(sock: socket) -> bool:
    """Read one request with a body; False at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return False
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    missing = int(length.split(b":")[1]) - len(body)
    while missing > 0:
        missing -= len(sock.recv(65536))
    return True


def ask(sock: socket) -> tuple[float, float]:
    """One streamed request: milliseconds to the first piece and to the end."""
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    began = time.perf_counter()
    sock.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    data, first = b"", 0.0
    while not data.endswith(b"0\r\n\r\n"):
        data += sock.recv(65536)
        if not first and b"word" in data:
            first = time.perf_counter() - began
    assert data.startswith(b"HTTP/1.1 200"), data[:200]
    return first * 1000, (time.perf_counter() - began) * 1000


def measure(address: str, requests: int) -> dict[str, float]:
    """Time to first piece with one client, then requests per second with several."""
    host, port = address.split(":")
    with create_connection((host, int(port))) as sock:
        for _ in range(20):
            ask(sock)
        firsts = sorted(ask(sock)[0] for _ in range(requests))

    def client() -> None:
        with create_connection((host, int(port))) as sock:
            for _ in range(requests // CLIENTS):
                ask(sock)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {
        "first_token_ms_median": round(statistics.median(firsts), 3),
        "first_token_ms_p95": round(firsts[int(len(firsts) * 0.95)], 3),
        "requests_per_second": round(requests // CLIENTS * CLIENTS / seconds, 1),
        "tokens_per_second": round(requests // CLIENTS * CLIENTS * PIECES / seconds),
    }


def start(command: list[str], env: dict[str, str]) -> tuple["subprocess.Popen[str]", str]:
    """Start a server that says its address in its first line."""
    process = subprocess.Popen(
        command, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = str(json.loads(process.stdout.readline())["address"])
    threading.Thread(target=drain, args=(process.stdout,), daemon=True).start()
    return process, address


def drain(output: IO[str]) -> None:
    """Read a process's log, so that it never waits for a reader."""
    with output:
        for _ in output:
            pass


def environment(upstream: str, keys: Path) -> dict[str, str]:
    """The runtime's environment in front of the model server."""
    return {
        "PORTWAY_SERVICE": "bench",
        "PORTWAY_MODEL": "m",
        "PORTWAY_MODEL_OWNER": "bench",
        "PORTWAY_MODEL_CREATED": "0",
        "PORTWAY_UPSTREAM": f"http://{upstream}",
        "PORTWAY_UPSTREAM_MODEL": "m",
        "PORTWAY_AUTH": "api-key",
        "PORTWAY_API_KEYS_FILE": str(keys),
        "PORTWAY_CONTEXT_TOKENS": "1000",
        "PORTWAY_MAX_OUTPUT_TOKENS": "100",
        "PORTWAY_MAX_BODY_BYTES": "100000",
        "PORTWAY_CONCURRENCY": str(CLIENTS * 2),
        "PORTWAY_TIMEOUT_SECONDS": "30",
        "PORTWAY_BIND": HOST,
        "PORT": "0",
    }


def main() -> None:
    """Print one JSON object: the model server alone, behind the runtime, and the difference."""
    if sys.argv[1:] == ["--model-server"]:
        model_server()
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "keys.json")
        keys.write_text(json.dumps({"keys": [KEY]}))
        archive = runtime_archive(Path(folder))
        upstream, direct = start([sys.executable, __file__, "--model-server"], {})
        began = time.perf_counter()
        runtime, behind = start([sys.executable, str(archive.path)], environment(direct, keys))
        started_ms = (time.perf_counter() - began) * 1000
        try:
            alone, through = measure(direct, requests), measure(behind, requests)
        finally:
            for process in (runtime, upstream):
                process.kill()
                process.wait()
    added = through["first_token_ms_median"] - alone["first_token_ms_median"]
    print(
        json.dumps(
            {
                "python": sys.version.split()[0],
                "cpus": os.cpu_count(),
                "requests": requests,
                "runtime_start_ms": round(started_ms),
                "model_server_alone": alone,
                "behind_the_runtime": through,
                "first_token_ms_added": round(added, 3),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
