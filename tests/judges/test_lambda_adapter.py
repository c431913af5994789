"""The Lambda Web Adapter that AWS publishes, in front of our runtime and behind the sandbox's Runtime API.

Built by ``cargo install lambda_web_adapter --version 1.0.0-rc1 --locked --root
~/.cache/portway/lambda-adapter``; where it is not, these say so and are skipped.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from portway.bundle import runtime_archive
from portway.sandbox.dataplane.front import Exchange
from portway.sandbox.dataplane.lambda_api import Invocation, RuntimeApi
from portway.sandbox.dataplane.lambda_events import (
    INTEGRATION_TYPE,
    SEPARATOR,
    event,
    read_prelude,
)
from support.fake_vllm import TEXT, FakeVllm
from support.runtime_process import KEY, MODEL, environment, started, unpack, write_keys

ADAPTER = Path(
    os.environ.get("PORTWAY_LAMBDA_ADAPTER")
    or Path.home() / ".cache/portway/lambda-adapter/bin/lambda-adapter"
)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:chat"
PATIENCE_SECONDS = 20

pytestmark = pytest.mark.skipif(
    not ADAPTER.exists(), reason=f"the adapter is not built: there is no {ADAPTER}"
)


@dataclass(frozen=True)
class Answer:
    """What came back: status, content type, and the frames without what differs by request."""

    status: int
    content_type: str
    frames: tuple[Any, ...]
    first_came_before_the_rest: bool


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive unpacked with its modes, as Lambda does."""
    return unpack(runtime_archive().path, tmp_path_factory.mktemp("task"))


@pytest.fixture
def vllm() -> Generator[FakeVllm]:
    with FakeVllm(behaviour="pause") as fake:
        yield fake


async def _asked(api: RuntimeApi, called: dict[str, Any], vllm: FakeVllm) -> Answer:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not api.polling:
            await asyncio.sleep(0.02)
        invocation = Invocation(json.dumps(called).encode(), PATIENCE_SECONDS)
        api.give(invocation)
        found, early = b"", False
        async for piece in invocation.pieces():
            found += piece
            if b"data: " in found and not vllm.go.is_set():
                early = TEXT.encode() not in found
                vllm.go.set()
    assert (invocation.content_type, invocation.streaming) == (INTEGRATION_TYPE, True)
    prelude, _, body = found.partition(SEPARATOR)
    head = read_prelude(prelude)
    content_type = dict(head.headers)["content-type"]
    return Answer(head.status, content_type, _frames(body.decode()), early)


def _frames(body: str) -> tuple[Any, ...]:
    texts = [part.removeprefix("data: ") for part in body.strip().split("\n\n")]
    return tuple(_timeless(json.loads(one)) if one != "[DONE]" else one for one in texts)


def _timeless(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in frame.items() if name not in {"id", "created"}}


@contextlib.contextmanager
def adapted(port: int, runtime_url: str) -> Generator[None]:
    """AWS's own program between the Runtime API and what listens at ``runtime_url``."""
    env = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LWA_PORT": runtime_url.rpartition(":")[2],
        "AWS_LWA_READINESS_CHECK_PATH": "/healthz",
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "AWS_LAMBDA_FUNCTION_NAME": "chat",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    }
    with subprocess.Popen([ADAPTER], env=env) as process:
        try:
            yield
        finally:
            process.kill()


def by_the_adapter(folder: Path, env: dict[str, str], called: Any, vllm: FakeVllm) -> Answer:
    async def main(url: str) -> Answer:
        api = RuntimeApi(ARN)
        with adapted(await api.listen(), url):
            try:
                answer = await _asked(api, called, vllm)
                assert list(api.extensions.names.values()) == ["lambda-adapter"]
                return answer
            finally:
                await api.close()

    with started(folder, env) as process:
        return asyncio.run(main(process.serving().url))


def by_our_loop(folder: Path, env: dict[str, str], called: Any, vllm: FakeVllm) -> Answer:
    async def main() -> Answer:
        api = RuntimeApi(ARN)
        address = f"127.0.0.1:{await api.listen()}"
        own = env | {"AWS_LAMBDA_RUNTIME_API": address, "LAMBDA_TASK_ROOT": str(folder)}
        command = [str(folder / "run"), sys.executable, "/var/runtime/bootstrap.py"]
        with started(folder, own, command=command):
            try:
                return await _asked(api, called, vllm)
            finally:
                await api.close()

    return asyncio.run(main())


def test_the_sandbox_serves_the_adapter_and_our_loop_answers_as_it_does(
    folder: Path, vllm: FakeVllm, tmp_path: Path
) -> None:
    env = environment(vllm.url, write_keys(tmp_path / "keys.json", KEY))
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    asked = SimpleNamespace(
        method="POST",
        path="/v1/chat/completions",
        query="",
        headers=[("content-type", "application/json"), ("authorization", f"Bearer {KEY}")],
    )
    domain = "abc.lambda-url.eu-west-1.on.aws"
    called = event(cast("Exchange", asked), json.dumps(body).encode(), domain, "123456789012")
    theirs = by_the_adapter(folder, env, called, vllm)
    vllm.go.clear()
    ours = by_our_loop(folder, env, called, vllm)
    assert theirs == ours
    assert (ours.status, ours.frames[-1], ours.first_came_before_the_rest) == (200, "[DONE]", True)
