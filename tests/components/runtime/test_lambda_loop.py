"""The zip as a Lambda function, started by its wrapper in front of a Runtime API."""

import base64
import json
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from portway.runtime.main import handler
from portway.runtime.runtime_api import RuntimeApi
from support.fake_vllm import TEXT, WORDS, FakeVllm
from support.runtime_api import FakeRuntimeApi, base64_event, url_event
from support.runtime_process import (
    KEY,
    MODEL,
    RuntimeProcess,
    environment,
    started,
    unpack,
    write_keys,
)

PATH = "/v1/chat/completions"


def ask(**fields: object) -> str:
    return json.dumps(
        {"model": MODEL, "messages": [{"role": "user", "content": "Grüße"}], **fields}
    )


@pytest.fixture
def vllm() -> Generator[FakeVllm, None, None]:
    with FakeVllm() as fake:
        yield fake


@pytest.fixture
def api() -> Generator[FakeRuntimeApi, None, None]:
    with FakeRuntimeApi() as fake:
        yield fake


@pytest.fixture(scope="session")
def task_root(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip unpacked with its modes, as Lambda does."""
    return unpack(archive, tmp_path_factory.mktemp("task"))


@pytest.fixture
def function(
    task_root: Path, vllm: FakeVllm, api: FakeRuntimeApi, tmp_path: Path
) -> Generator[RuntimeProcess, None, None]:
    env = environment(vllm.url, write_keys(tmp_path / "keys.json", KEY))
    env |= {"AWS_LAMBDA_RUNTIME_API": api.address, "LAMBDA_TASK_ROOT": str(task_root)}
    command = [str(task_root / "run"), sys.executable, "/var/runtime/bootstrap.py"]
    with started(task_root, env, command=command) as process:
        yield process


@pytest.mark.usefixtures("function")
def test_a_whole_answer_is_a_streamed_response_with_a_prelude(api: FakeRuntimeApi) -> None:
    posted = api.call(url_event("POST", PATH, ask(), key=KEY))
    prelude, payload = posted.http()
    assert posted.path == "/2018-06-01/runtime/invocation/id-1/response"
    assert {name: posted.headers[name] for name in posted.headers if name != "host"} == {
        "connection": "close",
        "content-type": "application/vnd.awslambda.http-integration-response",
        "lambda-runtime-function-response-mode": "streaming",
        "transfer-encoding": "chunked",
        "trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    }
    assert prelude == {
        "statusCode": 200,
        "headers": {
            "content-type": "application/json",
            "x-request-id": prelude["headers"]["x-request-id"],
        },
        "cookies": [],
    }
    assert json.loads(payload)["choices"][0]["message"]["content"] == TEXT
    assert posted.trailers == {}


@pytest.mark.usefixtures("function")
def test_the_first_piece_is_posted_while_the_answer_is_still_being_made(
    api: FakeRuntimeApi, vllm: FakeVllm
) -> None:
    vllm.behaviour = "pause"
    posted = api.call(url_event("POST", PATH, ask(stream=True), key=KEY))
    first = b""
    while WORDS[0].encode() not in first:
        first += posted.pieces.get(timeout=10) or b""
    assert first.split(bytes(8))[0].startswith(b'{"statusCode":200')
    assert WORDS[3].encode() not in first
    vllm.go.set()
    assert posted.body().endswith(b"data: [DONE]\n\n")


@pytest.mark.usefixtures("function")
def test_errors_and_routes_are_those_of_every_target(api: FakeRuntimeApi) -> None:
    calls = [
        url_event("POST", PATH, ask(), key="pw-wrong"),
        url_event("POST", PATH, "{", key=KEY),
        base64_event("POST", PATH, b"\xff", KEY),
        url_event("POST", PATH, "*", key=KEY, isBase64Encoded=True),
        url_event("POST", PATH, ask(model="other"), key=KEY),
        url_event("POST", PATH, "x" * 20_001, key=KEY),
        url_event("GET", PATH, key=KEY),
        url_event("GET", "/v1/models/x%2Fy", key=KEY),
        url_event("GET", "/"),
    ]
    found = [api.call(call).http() for call in calls]
    assert [(p["statusCode"], json.loads(body)["error"]["code"]) for p, body in found] == [
        (401, "invalid_api_key"),
        (400, None),
        (400, None),
        (400, None),
        (404, "model_not_found"),
        (413, "request_too_large"),
        (405, "method_not_allowed"),
        (404, "model_not_found"),
        (404, "unknown_url"),
    ]
    prelude, body = api.call(base64_event("POST", PATH, ask().encode(), KEY)).http()
    assert (prelude["statusCode"], json.loads(body)["object"]) == (200, "chat.completion")
    assert api.call(url_event("GET", "/readyz")).http()[0]["statusCode"] == 200


@pytest.mark.usefixtures("function")
def test_the_functions_own_deadline_is_met_with_a_504(api: FakeRuntimeApi, vllm: FakeVllm) -> None:
    api.call(url_event("GET", "/healthz")).http()  # its start is not within the deadline
    vllm.behaviour = "hang"
    api.deadline_ms = int((time.time() + 1.5) * 1000)
    prelude, body = api.call(url_event("POST", PATH, ask(), key=KEY)).http()
    assert (prelude["statusCode"], json.loads(body)["error"]["code"]) == (504, "deadline_exceeded")
    assert vllm.hung_up.wait(10)


@pytest.mark.usefixtures("function")
def test_a_failure_within_the_stream_is_its_last_event(api: FakeRuntimeApi, vllm: FakeVllm) -> None:
    vllm.behaviour = "error_in_stream"
    prelude, body = api.call(url_event("POST", PATH, ask(stream=True), key=KEY)).http()
    assert prelude["statusCode"] == 200
    assert json.loads(body.split(b"\n\n")[-2].removeprefix(b"data: "))["error"]["type"] == (
        "server_error"
    )


@pytest.mark.usefixtures("function")
def test_an_event_that_is_no_http_request_is_an_error_and_not_the_end(api: FakeRuntimeApi) -> None:
    posted = api.call({"Records": []})
    assert posted.path == "/2018-06-01/runtime/invocation/id-1/error"
    assert json.loads(posted.body())["errorType"] == "Runtime.UnknownEvent"
    assert api.call(url_event("GET", "/healthz")).http()[0]["statusCode"] == 200


@pytest.mark.usefixtures("function")
def test_a_request_of_a_rest_api_is_one_without_its_stage(api: FakeRuntimeApi) -> None:
    event = {
        "resource": "/{proxy+}",
        "path": "/v1/models",
        "httpMethod": "GET",
        "headers": {
            "Authorization": f"Bearer {KEY}",
            "Host": "abc.execute-api.eu-west-1.amazonaws.com",
        },
        "requestContext": {"resourcePath": "/{proxy+}", "path": "/live/v1/models", "stage": "live"},
        "body": None,
        "isBase64Encoded": False,
    }
    assert api.call(event).http()[0]["statusCode"] == 200


def test_a_function_that_cannot_start_tells_the_runtime_api(
    archive: Path, api: FakeRuntimeApi, tmp_path: Path
) -> None:
    env = environment("http://127.0.0.1:9", tmp_path / "k.json", PORTWAY_SERVICE=None)
    with started(archive, env | {"AWS_LAMBDA_RUNTIME_API": api.address}) as process:
        posted = api.posted.get(timeout=20)
        code, text = process.wait()
    assert posted.path == "/2018-06-01/runtime/init/error"
    assert posted.headers["lambda-runtime-function-error-type"] == "Runtime.InvalidConfiguration"
    assert json.loads(posted.body())["errorMessage"] + "\n" == text
    assert code == 2


def test_without_the_wrapper_the_handler_says_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="AWS_LAMBDA_EXEC_WRAPPER to /var/task/run"):
        handler({}, None)


def test_an_answer_that_breaks_inside_this_process_is_told_in_the_trailers(
    api: FakeRuntimeApi,
) -> None:
    def body() -> Generator[bytes, None, None]:
        yield b"one"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        RuntimeApi(api.address).stream("id-9", {"statusCode": 200}, body())
    posted = api.posted.get(timeout=10)
    assert posted.http()[1] == b"one"
    kind = "Runtime.ZeroDivisionError"
    assert posted.trailers["lambda-runtime-function-error-type"] == kind
    said = json.loads(base64.b64decode(posted.trailers["lambda-runtime-function-error-body"]))
    assert said == {"errorType": kind, "errorMessage": "the answer broke off"}
