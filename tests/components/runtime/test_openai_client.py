"""The unmodified OpenAI client against the deployed zip in front of a vLLM-like server."""

import socket
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from support.fake_vllm import SERVED, TEXT, WORDS, FakeVllm
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
def vllm() -> Generator[FakeVllm, None, None]:
    with FakeVllm() as fake:
        yield fake


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return write_keys(tmp_path / "keys.json", KEY)


@pytest.fixture
def runtime(
    archive: Path, vllm: FakeVllm, keys_file: Path
) -> Generator[RuntimeProcess, None, None]:
    with started(archive, environment(vllm.url, keys_file)) as process:
        yield process.serving()


@pytest.fixture
def client(runtime: RuntimeProcess) -> Generator[openai.OpenAI, None, None]:
    with openai.OpenAI(
        base_url=f"{runtime.url}/v1", api_key=KEY, max_retries=0, timeout=20
    ) as found:
        yield found


def test_a_whole_answer_carries_the_outward_model_name_and_usage(
    client: openai.OpenAI, vllm: FakeVllm, runtime: RuntimeProcess
) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK)
    answer = raw.parse()
    assert answer.usage is not None
    assert answer.model_dump(exclude_unset=True) == {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "total_tokens": 7, "completion_tokens": 4},
    }
    assert vllm.seen == [{"model": SERVED, "messages": ASK, "max_tokens": 50}]
    assert vllm.request_ids == [raw.headers["x-request-id"]]
    line = runtime.next_line()
    assert {k: line[k] for k in ("status", "model", "prompt_tokens", "completion_tokens")} == {
        "status": 200,
        "model": MODEL,
        "prompt_tokens": 3,
        "completion_tokens": 4,
    }
    assert "France" not in str(line)
    assert KEY not in str(line)


def test_a_stream_has_one_identity_and_usage_only_when_asked(
    client: openai.OpenAI, runtime: RuntimeProcess
) -> None:
    plain = list(client.chat.completions.create(model=MODEL, messages=ASK, stream=True))
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in plain}) == 1
    assert [chunk.choices[0].delta.content for chunk in plain] == ["", *WORDS, None]
    assert plain[0].choices[0].delta.role == "assistant"
    assert plain[-1].choices[0].finish_reason == "stop"
    line = runtime.next_line()
    assert (line["stream"], line["prompt_tokens"], line["completion_tokens"]) == (True, 3, 4)
    assert 0 < line["time_to_first_token_seconds"] <= line["duration_seconds"]
    assert all("usage" not in chunk.model_fields_set for chunk in plain)
    counted = list(
        client.chat.completions.create(
            model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )
    usages = [chunk.usage and chunk.usage.total_tokens for chunk in counted]
    assert usages == [None] * (len(WORDS) + 2) + [7]
    assert counted[-1].choices == []


def test_the_first_piece_arrives_while_the_answer_is_still_being_made(
    client: openai.OpenAI, vllm: FakeVllm
) -> None:
    vllm.behaviour = "pause"
    with client.chat.completions.create(model=MODEL, messages=ASK, stream=True) as stream:
        pieces = iter(stream)
        assert next(pieces).choices[0].delta.content == ""
        assert next(pieces).choices[0].delta.content == WORDS[0]
        vllm.go.set()
        assert [piece.choices[0].delta.content for piece in pieces] == [*WORDS[1:], None]


@pytest.mark.parametrize("behaviour", ["pause", "hang"])
def test_a_client_that_hangs_up_ends_the_work_of_the_model(
    runtime: RuntimeProcess, vllm: FakeVllm, behaviour: str
) -> None:
    vllm.behaviour = behaviour
    body = b'{"model":"%s","stream":true,"messages":[{"role":"user","content":"x"}]}'
    body %= MODEL.encode()
    host, port = runtime.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as sock:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
        sock.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        if behaviour == "pause":
            assert sock.recv(15) == b"HTTP/1.1 200 OK"
        while not vllm.seen:
            time.sleep(0.005)
    assert vllm.hung_up.wait(10)
    line = runtime.next_line()
    assert (line["status"], line["error"]) == (499, "client_disconnected")


def test_a_key_can_be_rotated_without_a_restart(
    runtime: RuntimeProcess, client: openai.OpenAI, keys_file: Path
) -> None:
    second = client.with_options(api_key="pw-second-key-9876543210")
    with pytest.raises(openai.AuthenticationError):
        second.models.list()
    write_keys(keys_file, "pw-second-key-9876543210", KEY)
    assert [page.id for page in second.models.list()] == [MODEL]
    assert [page.id for page in client.models.list()] == [MODEL]
    write_keys(keys_file, "pw-second-key-9876543210")
    assert [page.id for page in second.models.list()] == [MODEL]
    with pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "invalid_request_error")


def test_every_failure_is_the_error_that_the_client_knows(client: openai.OpenAI) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as unknown:
        create(model="gpt-4o", messages=ASK)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as long:
        create(model=MODEL, messages=[{"role": "user", "content": "word " * 200}])
    assert (long.value.code, long.value.type) == (
        "context_length_exceeded",
        "invalid_request_error",
    )
    assert "maximum context length is 100 tokens" in long.value.message
    with pytest.raises(openai.BadRequestError) as wrong:
        create(model=MODEL, messages=ASK, temperature=3)
    assert (wrong.value.code, wrong.value.param) == ("invalid_value", "temperature")
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("other")
    assert missing.value.code == "model_not_found"
    assert missing.value.request_id is not None
    assert client.models.retrieve(MODEL).owned_by == "mistralai"


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("break_off", "The model server broke the answer off."),
        ("drop", "The model server broke the answer off."),
        ("error_in_stream", "The model server failed in the middle of its answer."),
    ],
)
def test_a_broken_stream_ends_in_an_error_and_no_finish(
    client: openai.OpenAI,
    vllm: FakeVllm,
    runtime: RuntimeProcess,
    behaviour: str,
    message: str,
) -> None:
    vllm.behaviour = behaviour
    stream = client.chat.completions.create(model=MODEL, messages=ASK, stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert (caught.value.message, caught.value.code) == (message, "upstream_error")
    line = runtime.next_line()
    assert (line["status"], line["error"]) == (200, "upstream_error")


def test_a_model_server_that_fails_is_a_bad_gateway_without_its_words(
    client: openai.OpenAI, vllm: FakeVllm
) -> None:
    for vllm.behaviour in ("refuse", "abort"):
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model=MODEL, messages=ASK)
        assert (caught.value.status_code, caught.value.code) == (502, "upstream_error")
        assert "CUDA" not in caught.value.message


def test_a_model_server_that_is_down_is_unavailable_for_now(archive: Path, keys_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    env = environment(f"http://127.0.0.1:{free}", keys_file)
    with started(archive, env) as process:
        url = process.serving().url
        body = {"model": MODEL, "messages": ASK}
        answer = httpx.post(
            f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"}
        )
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["error"]["code"] == "upstream_unavailable"
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/readyz").status_code == 503


def test_a_prompt_that_leaves_less_room_than_the_default_is_still_answered(
    client: openai.OpenAI, vllm: FakeVllm
) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 70}]
    answer = client.chat.completions.create(model=MODEL, messages=long)
    assert answer.choices[0].message.content == TEXT
    assert [body.get("max_tokens") for body in vllm.seen] == [50, None]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=long, max_tokens=50)
    assert caught.value.code == "context_length_exceeded"


def test_a_stopping_process_finishes_its_answer_first(
    client: openai.OpenAI, vllm: FakeVllm, runtime: RuntimeProcess
) -> None:
    vllm.behaviour = "pause"
    stream = client.chat.completions.create(model=MODEL, messages=ASK, stream=True)
    pieces = iter(stream)
    next(pieces)
    runtime.terminate()
    assert runtime.next_line()["event"] == "stopping"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{runtime.url}/healthz")
    vllm.go.set()
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == TEXT
    assert runtime.wait()[0] == 0


def test_every_fault_of_the_environment_is_told_at_once(archive: Path, tmp_path: Path) -> None:
    env = environment(
        "https://127.0.0.1",
        tmp_path / "none.json",
        PORTWAY_MODEL=None,
        PORTWAY_CONCURRENCY="many",
        PORTWAY_API_KEYS_SECRET="arn:aws:secretsmanager:eu-west-1:1:secret:x",
    )
    with started(archive, env) as process:
        code, text = process.wait()
    assert code == 2
    assert [line.split(" is ")[0] for line in text.splitlines()] == [
        "portway runtime: PORTWAY_UPSTREAM",
        "portway runtime: PORTWAY_AUTH",
        "portway runtime: AWS_REGION",
        "portway runtime: PORTWAY_MODEL",
        "portway runtime: PORTWAY_CONCURRENCY",
    ]


def test_a_key_document_that_cannot_be_used_stops_the_start(archive: Path, tmp_path: Path) -> None:
    broken = tmp_path / "keys.json"
    broken.write_text('{"keys": "pw-secret-text"}')
    with started(archive, environment("http://127.0.0.1:9", broken)) as process:
        code, text = process.wait()
    assert code == 2
    assert text == (
        'portway runtime: the key document must be JSON such as {"keys": ["<key>", "<key>"]}\n'
    )
