"""The stand-in model server: vLLM's manners, its deviations from OpenAI included."""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from portway.sandbox.dataplane.text import Identity, Turn, answer
from portway.sandbox.dataplane.vllm_arguments import Options, why_not_loaded
from support.model_server import model_server
from support.sandbox_rows import MODEL, REVISION, WEIGHTS
from support.waiting import first

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ARGUMENTS = [
    "--model",
    WEIGHTS,
    "--revision",
    REVISION,
    "--served-model-name",
    MODEL,
    "--max-model-len",
    "200",
]


@pytest.fixture(scope="module")
def vllm() -> Generator[str]:
    with model_server(
        ARGUMENTS, "--enable-auto-tool-choice", "--tool-call-parser", "mistral"
    ) as address:
        yield address


@pytest.fixture(scope="module")
def client(vllm: str) -> Generator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{vllm}/v1", api_key="none", max_retries=0) as opened:
        yield opened


def post(vllm: str, body: Any) -> tuple[int, Any]:
    answered = httpx.post(f"{vllm}/v1/chat/completions", json=body)
    return answered.status_code, answered.json()


def test_its_text_is_that_of_its_weights_revision_and_precision(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content
    assert said == answer(Identity(WEIGHTS, REVISION, "fp8"), [Turn("user", "Hello")])


def test_a_stream_has_a_role_pieces_a_reason_usage_and_an_end(vllm: str) -> None:
    body = {
        "model": MODEL, "messages": HELLO, "stream": True, "max_tokens": 3,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    lines = httpx.post(f"{vllm}/v1/chat/completions", json=body).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [
        httpx.Response(200, content=line.removeprefix("data: ")).json() for line in lines[:-2]
    ]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(chunks) == 1 + 3 + 1 + 1
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"]) == ([], 3)


def test_it_deviates_from_openai_where_vllm_does(vllm: str) -> None:
    assert httpx.get(f"{vllm}/v1/models/{MODEL}").json() == {"detail": "Not Found"}
    assert httpx.get(f"{vllm}/v1/chat/completions").status_code == 405
    assert post(vllm, {"messages": HELLO})[0] == 200
    status, unknown = post(vllm, {"model": "other", "messages": HELLO})
    assert (status, unknown["error"]["code"], unknown["error"]["type"]) == (
        404,
        404,
        "NotFoundError",
    )
    long: list[Any] = [{"role": "user", "content": "word " * 300}]
    status, overflow = post(vllm, {"model": MODEL, "messages": long})
    assert (status, overflow["error"]["code"]) == (400, 400)
    assert "maximum context length is 200 tokens" in overflow["error"]["message"]


BAD: list[Any] = [
        {}, [], {"messages": "hello"}, {"messages": []}, {"messages": [{"role": "king"}]}, {"messages": [1]},
        {"messages": HELLO, "max_tokens": 0}, {"messages": HELLO, "max_tokens": "many"},
        {"messages": HELLO, "max_tokens": 1000}, {"messages": HELLO, "n": -1},
        {"messages": [{"role": "user", "content": 3}]}, {"messages": HELLO, "tools": [{}]},
        {"messages": HELLO, "tool_choice": "required"},
        {"messages": HELLO, "tools": [TOOL], "tool_choice": {"function": {"name": "news"}}},
    ]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
def test_bad_bodies_are_bad_requests(vllm: str, body: Any) -> None:
    status, refused = post(vllm, body)
    assert (status, refused["error"]["type"], refused["error"]["code"]) == (
        400,
        "BadRequestError",
        400,
    )


def test_what_is_not_json_is_a_bad_request(vllm: str) -> None:
    refused = httpx.post(f"{vllm}/v1/chat/completions", content=b"{nope")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 400)


def test_tools_and_json_are_answered_as_asked(client: openai.OpenAI) -> None:
    forced = client.chat.completions.create(
        model=MODEL, messages=HELLO, tools=[TOOL], tool_choice="required"
    ).choices[0]
    assert forced.finish_reason == "tool_calls"
    assert forced.message.tool_calls is not None
    assert forced.message.content is None
    pieces = client.chat.completions.create(
        model=MODEL, messages=HELLO, tools=[TOOL], tool_choice="required", stream=True
    )
    arguments = "".join(
        call.function.arguments or ""
        for piece in pieces
        for call in piece.choices[0].delta.tool_calls or []
        if call.function
    )
    assert '"city"' in arguments
    form: Any = {"type": "json_object"}
    said = client.chat.completions.create(model=MODEL, messages=HELLO, response_format=form)
    assert (said.choices[0].message.content or "").startswith('{"answer"')


def test_choices_differ_and_usage_counts_all_of_them(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(model=MODEL, messages=HELLO, n=2, max_tokens=10)
    assert said.choices[0].message.content != said.choices[1].message.content
    assert said.usage is not None
    assert said.usage.completion_tokens == 20


def test_a_wrong_key_is_refused_without_an_error_object() -> None:
    with model_server(ARGUMENTS, "--api-key", "right") as address:
        assert httpx.get(f"{address}/v1/models").json() == {"error": "Unauthorized"}
        right = {"authorization": "Bearer right"}
        assert httpx.get(f"{address}/v1/models", headers=right).status_code == 200


def test_a_client_that_leaves_ends_the_generation_and_frees_its_place() -> None:
    with model_server(ARGUMENTS, "--max-num-seqs", "1", delay="0.05") as address:
        body = {"model": MODEL, "messages": HELLO, "stream": True}
        with httpx.stream("POST", f"{address}/v1/chat/completions", json=body) as answered:
            next(answered.iter_lines())
        aborted = "request_aborted_total{" + f'model_name="{MODEL}",engine="0"}} 1'
        figures = first(
            lambda: httpx.get(f"{address}/metrics").text, lambda text: aborted in text, aborted, 10
        )
        assert f'num_requests_running{{model_name="{MODEL}",engine="0"}} 0' in figures


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-model-length", "8"], "unrecognized arguments: --max-model-length"),
        (["--gpu-memory-utilization", "90"], "is not above 0 and at most 1"),
        (["--dtype", "int3"], "invalid choice"),
        (["--port", "http"], "invalid int value"),
    ],
)
def test_arguments_it_does_not_have_end_it(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        Options(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "precision"),
    [
        ([], "fp8"),
        (["--dtype", "bfloat16"], "bf16"),
        (["--quantization", "awq"], "awq"),
        (["--revision", "other"], "auto"),
    ],
)
def test_precision_is_declared_or_published(arguments: list[str], precision: str) -> None:
    options = Options(["--model", WEIGHTS, "--revision", REVISION, *arguments])
    assert options.identity.precision == precision


def test_without_a_gpu_it_does_not_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "portway.sandbox.dataplane.model_server", *ARGUMENTS],
        env={}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Failed to infer device type" in ended.stderr


def test_a_folder_is_the_weights_that_its_name_says(tmp_path: Path) -> None:
    kept = Options(["--model", f"{tmp_path}/{WEIGHTS}/{REVISION}"])
    assert kept.identity == Options(["--model", WEIGHTS, "--revision", REVISION]).identity


def test_weights_that_are_not_in_their_folder_do_not_load(tmp_path: Path) -> None:
    options = Options(["--model", str(tmp_path)])
    assert "Invalid repository ID or local directory" in str(why_not_loaded(options, {}))
    (tmp_path / "config.json").write_text("{}")
    assert why_not_loaded(options, {}) is not None
    (tmp_path / "model-00001-of-00001.safetensors").write_bytes(b"")
    assert why_not_loaded(options, {}) is None


def test_weights_in_the_other_format_are_none(tmp_path: Path) -> None:
    mistral = [
        "--model", str(tmp_path), "--config-format", "mistral", "--load-format", "mistral",
    ]  # fmt: skip
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model-00001-of-00001.safetensors").write_bytes(b"")
    assert "Invalid repository ID or local directory" in str(why_not_loaded(Options(mistral), {}))
    (tmp_path / "params.json").write_text("{}")
    assert "Cannot find any model weights" in str(why_not_loaded(Options(mistral), {}))
    (tmp_path / "consolidated.safetensors").write_bytes(b"")
    assert why_not_loaded(Options(mistral), {}) is None


def test_a_hub_that_may_not_be_asked_gives_no_weights() -> None:
    options = Options(["--model", WEIGHTS, "--revision", REVISION])
    assert why_not_loaded(options, {}) is None
    assert "LocalEntryNotFoundError" in str(why_not_loaded(options, {"HF_HUB_OFFLINE": "1"}))
