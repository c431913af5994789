"""The deployed zip with a meter, before a model that counts its calls, at each of the stores."""

import json
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from portway.runtime.meter_amounts import Amounts, month_of
from support.databases import KINDS, Deployed, valkey
from support.fake_vllm import FakeVllm
from support.runtime_process import (
    KEY,
    MODEL,
    RuntimeProcess,
    environment,
    started,
    write_keys,
)

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Capital of France?"}]


@pytest.fixture
def vllm() -> Generator[FakeVllm]:
    with FakeVllm() as fake:
        yield fake


@pytest.fixture(params=KINDS)
def deployed(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Deployed]:
    with KINDS[request.param](tmp_path) as found:
        yield found


class Metered:
    """Starts runtimes with a meter in front of the same model."""

    def __init__(self, archive: Path, vllm: FakeVllm, folder: Path) -> None:
        self._archive = archive
        self._vllm = vllm
        self._keys = write_keys(folder / "keys.json", KEY)

    @contextmanager
    def runtime(
        self, deployed: Deployed, limits: dict[str, int], away: str = "refuse"
    ) -> Generator[RuntimeProcess]:
        meter = {"store": deployed.store, "service": "chat", "limits": limits, "away": away}
        settings = environment(
            self._vllm.url, self._keys, PORTWAY_METER=json.dumps(meter), PORTWAY_CONCURRENCY="60"
        )
        with started(self._archive, settings | deployed.environment) as process:
            yield process.serving()


@pytest.fixture
def metered(archive: Path, vllm: FakeVllm, tmp_path: Path) -> Metered:
    return Metered(archive, vllm, tmp_path)


@contextmanager
def client(runtime: RuntimeProcess, retries: int = 0) -> Generator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{runtime.url}/v1", api_key=KEY, max_retries=retries, timeout=20
    ) as found:
        yield found


def used(deployed: Deployed) -> Amounts:
    return deployed.used(month_of(time.time()))


def ask(caller: openai.OpenAI) -> None:
    caller.chat.completions.create(model=MODEL, messages=ASK)


def statuses(runtime: RuntimeProcess, count: int, at_once: int = 1) -> list[int]:
    """The status of each of `count` requests, `at_once` of them in flight."""
    body: dict[str, Any] = {"model": MODEL, "messages": ASK}
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"{runtime.url}/v1/chat/completions"
    limits = httpx.Limits(max_connections=at_once)

    def post(_: int) -> int:
        return caller.post(url, json=body, headers=headers).status_code

    with httpx.Client(timeout=20, limits=limits) as caller, ThreadPoolExecutor(at_once) as threads:
        return list(threads.map(post, range(count)))


def test_the_request_after_the_last_is_refused_before_the_model_is_asked(
    metered: Metered, deployed: Deployed, vllm: FakeVllm
) -> None:
    with metered.runtime(deployed, {"requests": 2}) as runtime, client(runtime, 5) as caller:
        ask(caller)
        ask(caller)
        with pytest.raises(openai.RateLimitError) as caught:
            ask(caller)
        *lines, reached, refused = [runtime.next_line() for _ in range(4)]
    assert (reached["event"], reached["limit"]) == ("meter_limit_reached", "2 requests")
    lines.append(refused)
    assert caught.value.code == "insufficient_quota"
    assert caught.value.type == "insufficient_quota"
    assert "x-should-retry" in caught.value.response.headers
    assert "retry-after" not in caught.value.response.headers
    # The client was ready to try five times more; it did not, and the model was asked twice only.
    assert [line["status"] for line in lines] == [200, 200, 429]
    assert len(vllm.seen) == 2
    assert lines[0]["metered_tokens"] == lines[0]["prompt_tokens"] + lines[0]["completion_tokens"]
    assert "metered_tokens" not in lines[2]


def test_fifty_at_once_with_a_budget_of_ten_get_exactly_ten_answers(
    metered: Metered, deployed: Deployed, vllm: FakeVllm
) -> None:
    with metered.runtime(deployed, {"requests": 10}) as runtime:
        answered = sorted(statuses(runtime, 50, at_once=50))
    assert answered == [200] * 10 + [429] * 40
    assert len(vllm.seen) == 10
    assert used(deployed).requests == 10


def test_whole_and_streamed_answers_are_settled_at_their_usage(
    metered: Metered, deployed: Deployed
) -> None:
    with metered.runtime(deployed, {"tokens": 100_000}) as runtime, client(runtime) as caller:
        answer = caller.chat.completions.create(model=MODEL, messages=ASK)
        assert answer.usage is not None
        with caller.chat.completions.create(model=MODEL, messages=ASK, stream=True) as stream:
            for _ in stream:
                pass
        for _ in range(2):
            runtime.next_line()
    assert used(deployed) == Amounts(2, 2 * answer.usage.total_tokens)


def test_without_its_store_it_answers_503_and_does_not_ask_the_model(
    metered: Metered, tmp_path: Path, vllm: FakeVllm
) -> None:
    with valkey(tmp_path) as deployed:
        pass
    with metered.runtime(deployed, {"requests": 5}) as runtime, client(runtime) as caller:
        assert httpx.get(f"{runtime.url}/readyz").status_code == 200
        with pytest.raises(openai.InternalServerError) as caught:
            ask(caller)
    assert caught.value.status_code == 503
    assert caught.value.code == "meter_unavailable"
    assert caught.value.response.headers["retry-after"] == "5"
    assert not vllm.seen


def test_allowed_without_its_store_it_answers(
    metered: Metered, tmp_path: Path, vllm: FakeVllm
) -> None:
    with valkey(tmp_path) as deployed:
        pass
    with metered.runtime(deployed, {"requests": 5}, "allow") as runtime:
        assert statuses(runtime, 6) == [200] * 5 + [429]
    assert len(vllm.seen) == 5


def test_a_meter_that_cannot_be_read_keeps_it_from_starting(
    archive: Path, vllm: FakeVllm, tmp_path: Path
) -> None:
    settings = environment(vllm.url, write_keys(tmp_path / "keys.json", KEY), PORTWAY_METER="{}")
    with started(archive, settings) as process:
        code, said = process.wait()
    assert code == 2
    assert said.splitlines() == [
        "portway runtime: PORTWAY_METER.limits is not set; it must be an object with at least one "
        "of requests, tokens, micro_usd",
        "portway runtime: PORTWAY_METER.store is not set; it must be an object whose kind is "
        "dynamodb or firestore or valkey",
        "portway runtime: PORTWAY_METER.service is not set; it must be a DNS label",
        "portway runtime: PORTWAY_METER.away is not set; it must be refuse or allow",
    ]


@pytest.fixture
def counted(metered: Metered, tmp_path: Path) -> Generator[tuple[RuntimeProcess, Deployed]]:
    """A runtime whose tokens are counted in Valkey."""
    with valkey(tmp_path) as deployed, metered.runtime(deployed, {"tokens": 10_000}) as runtime:
        yield runtime, deployed


WHOLE_CONTEXT = 100 + 50
"""What a request reserves there: the context, which its bytes and the template pass, and its answer."""


USAGE = 7
"""What the model says it used for `ASK`."""


@pytest.mark.parametrize(
    ("behaviour", "stream", "counted_as"),
    [
        ("refuse", False, WHOLE_CONTEXT),
        ("refuse", True, WHOLE_CONTEXT),
        ("drop", True, WHOLE_CONTEXT),
        ("error_in_stream", True, WHOLE_CONTEXT),
        ("break_off", True, USAGE),
        ("abort", False, USAGE),
    ],
)
def test_an_answer_that_fails_counts_as_it_says_or_as_it_was_reserved(
    counted: tuple[RuntimeProcess, Deployed],
    vllm: FakeVllm,
    behaviour: str,
    stream: bool,  # noqa: FBT001 - a table
    counted_as: int,
) -> None:
    runtime, deployed = counted
    vllm.behaviour = behaviour
    body = {"model": MODEL, "messages": ASK, "stream": stream}
    headers = {"authorization": f"Bearer {KEY}"}
    httpx.post(f"{runtime.url}/v1/chat/completions", json=body, headers=headers, timeout=20)
    line = runtime.next_line()
    assert line["error"] is not None
    assert line["metered_tokens"] == counted_as
    assert used(deployed) == Amounts(1, counted_as)


def test_a_prompt_that_the_model_refuses_costs_nothing(
    counted: tuple[RuntimeProcess, Deployed], vllm: FakeVllm
) -> None:
    runtime, deployed = counted
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 101}]
    with client(runtime) as caller, pytest.raises(openai.BadRequestError):
        caller.chat.completions.create(model=MODEL, messages=long)
    assert runtime.next_line()["metered_tokens"] == 0
    assert vllm.seen
    assert used(deployed) == Amounts()


def test_a_client_that_leaves_its_stream_has_used_what_was_reserved(
    counted: tuple[RuntimeProcess, Deployed], vllm: FakeVllm
) -> None:
    runtime, deployed = counted
    vllm.behaviour = "pause"
    with client(runtime) as caller:
        stream = caller.chat.completions.create(model=MODEL, messages=ASK, stream=True)
        next(iter(stream))
        stream.close()
    line = runtime.next_line()
    assert (line["status"], line["metered_tokens"]) == (499, WHOLE_CONTEXT)
    assert used(deployed) == Amounts(1, WHOLE_CONTEXT)
