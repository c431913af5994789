"""What a client meets on the wire, side by side on all three targets: any difference is a fault.

The few that cannot be helped are in `docs/endpoint.md` and tested as they are written there.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from support.sandbox_project import STACKS, SandboxProject

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

MODEL = "ministral-3-8b"
CHAT = "/v1/chat/completions"
USER: dict[str, Any] = {"role": "user", "content": "Say something in one line 😀 é 漢"}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}

Outputs = dict[str, Any]
Answer = tuple[int, str | None, Any]


@pytest.fixture(scope="module")
def endpoints(deployed: SandboxProject) -> list[Outputs]:
    return [deployed.outputs(stack) for stack in STACKS]


def alike(endpoints: list[Outputs], method: str, path: str, **options: Any) -> Answer:
    """The one answer (status, content type, body) that all three give."""
    auth: str | None = options.pop("auth", "Bearer {key}")

    def ask(outputs: Outputs) -> Answer:
        headers = dict(options.get("headers") or {})
        if auth is not None:
            headers["authorization"] = auth.format(key=outputs["apiKey"])
        given: dict[str, Any] = {**options, "headers": headers, "timeout": 60}
        answer = httpx.request(method, f"{outputs['endpoint']}{path}", **given)
        assert answer.headers["x-request-id"]
        body = answer.json() if answer.content else None
        return answer.status_code, answer.headers.get("content-type"), body

    with ThreadPoolExecutor(len(endpoints)) as pool:
        first, *others = pool.map(ask, endpoints)
    assert others == [first, first]
    return first


def refused(answer: Answer) -> tuple[int, str | None]:
    """Status and code of an answer that must be an error object."""
    status, content_type, body = answer
    assert content_type == "application/json"
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return status, body["error"]["code"]


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer pw-wrong", 401),
        ("Basic {key}", 401),
        ("{key}", 401),
        ("bearer {key}", 200),
        ("Bearer   {key}", 200),
    ],
)
def test_who_may_come_in(endpoints: list[Outputs], auth: str | None, status: int) -> None:
    assert alike(endpoints, "GET", "/v1/models", auth=auth)[0] == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/", 200),
        ("GET", "/v1/models/ministral%2D3%2D8b", 200),
        ("GET", "/v1/models/a%2Fb", 404),
        ("GET", "/v1/models/caf%C3%A9", 404),
        ("GET", "//v1/models", 404),
        ("GET", CHAT, 405),
        ("DELETE", "/v1/models", 405),
        ("OPTIONS", CHAT, 405),
        ("HEAD", "/v1/models", 405),
        ("POST", "/v1/embeddings", 404),
        ("GET", "/", 404),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
    ],
)
def test_where_things_are(endpoints: list[Outputs], method: str, path: str, status: int) -> None:
    assert alike(endpoints, method, path)[0] == status


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff", b'{"a": NaN}', b"[" * 50_000, b'{"model": "\\ud800"}']
)  # fmt: skip
def test_what_is_no_request(endpoints: list[Outputs], body: bytes) -> None:
    assert refused(alike(endpoints, "POST", CHAT, content=body))[0] in {400, 404}


def test_a_body_above_the_limit(endpoints: list[Outputs]) -> None:
    body = b'{"x": "%b"}' % (b"x" * 4_300_000)
    answer = alike(endpoints, "POST", CHAT, content=body)
    assert refused(answer) == (413, "request_too_large")


REFUSED: list[dict[str, Any]] = [
    {"model": None},
    {"model": "gpt-9"},
    {"messages": []},
    {"messages": [{"role": "robot", "content": "x"}]},
    {"messages": [{"role": "function", "name": "f", "content": "x"}]},
    {"messages": [{"role": "user", "content": 5}]},
    {"messages": [{"role": "user", "content": [IMAGE]}]},
    {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
    {"messages": [USER, RESULT]},
    {"messages": [USER, CALLED], "tools": [TOOL]},
    {"messages": [USER, CALLED, USER], "tools": [TOOL]},
    {"temperature": 2.1},
    {"top_p": "1"},
    {"n": 2},
    {"max_tokens": 0},
    {"max_tokens": 4097},
    {"max_completion_tokens": 10**9},
    {"stop": ["a"] * 5},
    {"logprobs": "x"},
    {"seed": 1.5},
    {"stream": "yes"},
    {"stream_options": {"include_usage": True}},
    {"store": True},
    {"functions": [{"name": "f"}]},
    {"modalities": ["audio"]},
    {"service_tier": "scale"},
    {"tools": []},
    {"tools": [{"type": "custom"}]},
    {"tool_choice": "required"},
    {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
    {"response_format": {"type": "xml"}},
]


@pytest.mark.parametrize("fields", REFUSED, ids=lambda fields: ",".join(fields)[:30])
def test_a_wrong_field(endpoints: list[Outputs], fields: dict[str, Any]) -> None:
    body = {"model": MODEL, "messages": [USER], **fields}
    assert refused(alike(endpoints, "POST", CHAT, json=body))[0] in {400, 404}


def shape(value: Any) -> Any:
    """An answer without what may differ: texts, ids, times and how long the model spoke."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - any JSON
    if isinstance(value, list):
        return [shape(v) for v in value]  # pyright: ignore[reportUnknownVariableType] - any JSON
    return type(value).__name__


ANSWERED: list[dict[str, Any]] = [
    {},
    {"max_completion_tokens": 5, "temperature": 1, "top_p": 0.5, "user": "bob", "n": 1},
    {"stop": ["e"]},
    {"messages": [{"role": "developer", "content": "x"}, USER, USER]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}] * 2}]},
    {"messages": [USER, CALLED, RESULT, USER], "tools": [TOOL]},
    {"messages": [USER, CALLED, {**RESULT, "content": ""}], "tools": [TOOL]},
    {"tools": [TOOL], "tool_choice": "auto"},
    {"tools": [TOOL], "tool_choice": "none"},
    {"tools": [TOOL], "tool_choice": "required", "max_tokens": 200},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
]


@pytest.mark.parametrize("fields", ANSWERED, ids=lambda fields: ",".join(fields)[:30] or "plain")
def test_the_shape_of_an_answer(endpoints: list[Outputs], fields: dict[str, Any]) -> None:
    body = {"model": MODEL, "messages": [USER], "max_tokens": 6, **fields}
    found: list[Any] = []
    for outputs in endpoints:
        headers = {"authorization": f"Bearer {outputs['apiKey']}"}
        url = f"{outputs['endpoint']}{CHAT}"
        answer = httpx.post(url, json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        usage = said["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        found.append(shape(said))
    assert found[1:] == [found[0], found[0]]


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_to_the_byte(endpoints: list[Outputs], *, usage: bool) -> None:
    """Equal but for ids, times and the text itself."""
    body: dict[str, Any] = {"model": MODEL, "messages": [USER], "max_tokens": 5, "stream": True}
    if usage:
        body["stream_options"] = {"include_usage": True}
    found: list[tuple[Any, ...]] = []
    for outputs in endpoints:
        headers = {"authorization": f"Bearer {outputs['apiKey']}"}
        url = f"{outputs['endpoint']}{CHAT}"
        answer = httpx.post(url, json=body, headers=headers, timeout=60)
        text = re.sub(r'"id":"chatcmpl-\w{32}"|"created":\d+', "", answer.text)
        text = re.sub(r'"content":"[^"]+"', '"content":"…"', text)
        names = ("content-type", "cache-control", "transfer-encoding")
        found.append((answer.status_code, *(answer.headers[name] for name in names), text))
    assert found[1:] == [found[0], found[0]]
    assert found[0][0] == 200
    assert found[0][-1].endswith("\n\ndata: [DONE]\n\n")


def test_a_client_that_leaves_gives_its_place_back(endpoints: list[Outputs]) -> None:
    for outputs in endpoints:
        with openai.OpenAI(
            base_url=f"{outputs['endpoint']}/v1", api_key=outputs["apiKey"], max_retries=0
        ) as client:
            for _ in range(10):
                stream = client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": "Go on"}], stream=True
                )
                next(iter(stream))
                stream.close()
            answer = client.with_options(max_retries=2).chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "Hi"}], max_tokens=2
            )
            assert answer.usage is not None


def test_bedrock_refuses_by_name_what_it_cannot_honour(endpoints: list[Outputs]) -> None:
    bedrock = endpoints[STACKS.index("chat.prod.lambda-bedrock")]
    for name, value in (("temperature", 1.5), ("seed", 1), ("logprobs", True), ("top_k", 5)):
        body = {"model": MODEL, "messages": [USER], name: value}
        status, code = refused(alike([bedrock, bedrock, bedrock], "POST", CHAT, json=body))
        assert (status, code) in {(400, "unsupported_value"), (400, "unsupported_parameter")}
