"""The sandbox's stand-in for vLLM as a process of its own."""

import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import httpx

from portway.sandbox.dataplane.context import free_port
from support.waiting import reached, until


@contextmanager
def model_server(arguments: Sequence[str], *more: str, delay: str = "0") -> Generator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "portway.sandbox.dataplane.model_server", *arguments, "--port", str(port), *more],
        env={"NVIDIA_VISIBLE_DEVICES": "all", "PORTWAY_SANDBOX_TOKEN_DELAY_SECONDS": delay,
             "PORTWAY_SANDBOX_MODEL_LOAD_SECONDS": "0"},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _up(address, process), "the model server")
        yield address
    finally:
        process.terminate()
        assert process.wait(10) == 0


def _up(address: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None
    answer = reached(lambda: httpx.get(f"{address}/health"))
    return answer is not None and answer.status_code == 200
