"""The runtime in front of a model server, beside LiteLLM's proxy in front of the same one.

    python benchmarks/bench_runtime.py [--requests 400] [--litellm PYTHON] [--json]

The model server answers at once, so that what differs is the proxy. The client speaks raw HTTP over
kept connections; every answer is a stream of 50 pieces. All three run on this machine at the same
time of day, so read the ratios, not the milliseconds. A connection whose answer takes longer than
20 s to go on is given up, and the table says how many were. Without ``--litellm`` a virtual environment
for it is made in the cache folder, once. What goes on is told on standard error.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from socket import create_connection, socket
from typing import Any

import psutil
from runtime_table import NAMES, table
from streaming import HOST, KEY, MODEL, PIECES, ask, drain, free_port

from portway.bundle import runtime_archive

CONNECTIONS = (1, 16, 64)
LITELLM = "litellm[proxy]==1.106.2"
STARTS = 5
SILENCE_SECONDS = 20
START_SECONDS = 300


class Proxy:
    """A started proxy: its address and its process."""

    def __init__(self, command: list[str], env: Mapping[str, str], address: str = "") -> None:
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if address else None,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = address or str(json.loads(self.process.stdout.readline())["address"])
        threading.Thread(target=drain, args=(self.process.stdout,), daemon=True).start()

    def wait(self, seconds: float = START_SECONDS) -> "Proxy":
        """Return when it answers a request.

        Raises:
            SystemExit: it ended, or does not answer in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with connected(self.address) as sock:
                    ask(sock)
            except (OSError, AssertionError):
                time.sleep(0.2)
            else:
                return self
        raise SystemExit(f"{self.address} does not answer")

    def memory_mib(self) -> float:
        """Resident memory of the process and its children, in MiB."""
        main = psutil.Process(self.process.pid)
        family = [main, *main.children(recursive=True)]
        return round(sum(one.memory_info().rss for one in family) / 2**20, 1)

    def stop(self) -> None:
        """End it and its children; harmless where it has ended already."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
        self.process.kill()
        self.process.wait()


def say(text: str) -> None:
    """Tell what goes on."""
    print(text, file=sys.stderr, flush=True)


def connected(address: str) -> socket:
    """A connection to ``host:port``."""
    host, port = address.split(":")
    return create_connection((host, int(port)), timeout=SILENCE_SECONDS)


def first_tokens_ms(address: str, requests: int) -> list[float]:
    """Milliseconds to the first piece, one request after the other, sorted."""
    with connected(address) as sock:
        for _ in range(20):
            ask(sock)
        return sorted(ask(sock)[0] for _ in range(requests))


def throughput(address: str, requests: int, connections: int) -> dict[str, float]:
    """How many whole streams a second come back through that many connections.

    A connection that breaks, or is silent for too long, sends none of its other requests: they
    count as failed too. ``timed_out`` says how many were silent.
    """
    each = max(1, requests // connections)
    done: list[int] = []
    silent: list[int] = []

    def client() -> None:
        try:
            with connected(address) as sock:
                for _ in range(each):
                    ask(sock)
                    done.append(1)
        except TimeoutError:
            silent.append(1)
        except (OSError, AssertionError):
            return

    threads = [threading.Thread(target=client) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {
        "requests_per_second": round(len(done) / seconds, 1),
        "failed": each * connections - len(done),
        "timed_out": len(silent),
    }


def measured(name: str, proxy: Proxy, requests: int) -> dict[str, Any]:
    """What a proxy does: first piece, throughput at each number of connections, memory."""
    say(f"{name}: {requests} requests one after the other")
    firsts = first_tokens_ms(proxy.address, requests)
    rates: dict[str, dict[str, float]] = {}
    for connections in CONNECTIONS:
        say(f"{name}: {requests} requests through {connections} connections")
        rates[str(connections)] = throughput(proxy.address, requests, connections)
    return {
        "first_token_ms_median": round(statistics.median(firsts), 3),
        "first_token_ms_p95": round(firsts[int(len(firsts) * 0.95)], 3),
        "connections": rates,
        "memory_mib": proxy.memory_mib(),
    }


def cold_start_ms(command: list[str], env: Mapping[str, str], until: str) -> float:
    """Median milliseconds from the start of a process to its first line (or to its end)."""
    found: list[float] = []
    for _ in range(STARTS):
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        if until == "line":
            process.stdout.readline()
            found.append(time.perf_counter() - began)
            process.kill()
        process.wait()
        if until == "end":
            found.append(time.perf_counter() - began)
        process.stdout.close()
    return round(statistics.median(found) * 1000)


def runtime_environment(upstream: str, keys: Path) -> dict[str, str]:
    """The runtime's environment in front of the model server."""
    return {
        "PORTWAY_SERVICE": "bench",
        "PORTWAY_MODEL": MODEL,
        "PORTWAY_MODEL_OWNER": "bench",
        "PORTWAY_MODEL_CREATED": "0",
        "PORTWAY_UPSTREAM": f"http://{upstream}",
        "PORTWAY_UPSTREAM_MODEL": MODEL,
        "PORTWAY_AUTH": "api-key",
        "PORTWAY_API_KEYS_FILE": str(keys),
        "PORTWAY_CONTEXT_TOKENS": "1000",
        "PORTWAY_MAX_OUTPUT_TOKENS": "100",
        "PORTWAY_MAX_BODY_BYTES": "100000",
        "PORTWAY_CONCURRENCY": str(max(CONNECTIONS) * 2),
        "PORTWAY_TIMEOUT_SECONDS": "60",
        "PORTWAY_BIND": HOST,
        "PORT": "0",
    }


def litellm_command(python: str, upstream: str, folder: Path) -> tuple[list[str], str]:
    """LiteLLM's proxy with one model, one worker and one key; no database."""
    address = f"{HOST}:{free_port()}"
    config = folder / "litellm.yaml"
    row = {"model": f"openai/{MODEL}", "api_base": f"http://{upstream}/v1", "api_key": "none"}
    settings = {"master_key": KEY}
    listed = [{"model_name": MODEL, "litellm_params": row}]
    config.write_text(json.dumps({"model_list": listed, "general_settings": settings}))
    program = str(Path(python).parent / "litellm")
    words = ["--config", str(config), "--host", HOST, "--port", address.split(":")[1]]
    return [program, *words, "--num_workers", "1"], address


def litellm_python(given: str | None) -> str:
    """The Python that has LiteLLM, made in the cache folder where none was given."""
    if given is not None:
        return given
    folder = Path.home() / ".cache" / "portway" / "bench-litellm"
    python = folder / "bin" / "python"
    if not (folder / "bin" / "litellm").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", LITELLM], check=True)
    return str(python)


def ratios(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """How many times LiteLLM's throughput, None where it answered nothing, and its memory's part."""
    times: dict[str, float | None] = {}
    for connections, one in ours["connections"].items():
        rate = theirs["connections"][connections]["requests_per_second"]
        times[connections] = round(one["requests_per_second"] / rate, 1) if rate else None
    return {
        "throughput_times": times,
        "memory_part": round(ours["memory_mib"] / theirs["memory_mib"], 3),
    }


def compared(python: str, requests: int, folder: Path) -> dict[str, Any]:
    """Everything of one run, both proxies up at the same time in front of one model server."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": [KEY]}))
    archive = str(runtime_archive(folder).path)
    server = str(Path(__file__).with_name("streaming.py"))
    upstream = Proxy([sys.executable, server], {})
    started = [upstream]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    env = runtime_environment(upstream.address, keys)
    try:
        started.append(Proxy([sys.executable, archive], env))
        command, address = litellm_command(python, upstream.address, folder)
        say("starting LiteLLM")
        started.append(Proxy(command, quiet, address))
        for each in started[1:]:
            each.wait()
        alone, ours, theirs = (
            measured(name, each, requests) for name, each in zip(NAMES, started, strict=True)
        )
    finally:
        for each in started:
            each.stop()
    alone_ms = alone["first_token_ms_median"]
    say(f"cold starts, {STARTS} of each")
    return {
        "model_server_alone": alone,
        "behind_the_runtime": ours,
        "behind_litellm": theirs,
        "first_token_ms_added": {
            "runtime": round(ours["first_token_ms_median"] - alone_ms, 3),
            "litellm": round(theirs["first_token_ms_median"] - alone_ms, 3),
        },
        "runtime_to_litellm": ratios(ours, theirs),
        "cold_start_ms": {
            "runtime, until it listens": cold_start_ms([sys.executable, archive], env, "line"),
            "import litellm": cold_start_ms([python, "-c", "import litellm"], quiet, "end"),
        },
    }


def main() -> None:
    """Print the table, or with ``--json`` one object that holds everything."""
    parser = argparse.ArgumentParser(description="the runtime beside LiteLLM")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--litellm", metavar="PYTHON")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = compared(litellm_python(given.litellm), given.requests, Path(folder))
    if not given.json:
        print(table(found))
        return
    about = {"python": sys.version.split()[0], "cpus": os.cpu_count(), "pieces": PIECES}
    print(json.dumps({**about, "requests": given.requests, **found}, indent=2))


if __name__ == "__main__":
    main()
