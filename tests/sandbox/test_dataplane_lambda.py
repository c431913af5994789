"""Lambda behind a function URL, with the embedded Bedrock and Secrets Manager behind it."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Generator
from typing import Any

import httpx
import openai
import pytest

from portway.bundle import runtime_archive
from portway.sandbox.store import Key
from support.openai_clients import openai_client
from support.sandbox_daemon import Sandbox, sandbox
from support.sandbox_rows import API_KEY, MODEL, LambdaChat
from support.waiting import eventually

pytestmark = pytest.mark.sandbox

QUESTION: list[Any] = [{"role": "user", "content": "How large is the Earth?"}]
HEADERS = {"authorization": f"Bearer {API_KEY}"}
ECHO = """
import json, os, time

def handle(event, context):
    asked = json.loads(event.get("body") or "{}")
    if asked.get("allocate_mb"):
        held = b"x" * (asked["allocate_mb"] << 20)
    time.sleep(asked.get("seconds", 0))
    if asked.get("raise"):
        raise ValueError(asked["raise"])
    if asked.get("exit"):
        os._exit(3)
    said = {"path": event["rawPath"], "pid": os.getpid(), "environment": dict(os.environ)}
    return {"statusCode": 201, "headers": {"x-said": "yes"}, "body": json.dumps(said)}
"""


def package(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Sandbox, LambdaChat, str]]:
    with sandbox(tmp_path_factory.mktemp("chat")) as running:
        deployed = LambdaChat(running.cloud, runtime_archive().path.read_bytes())
        key = deployed.deploy()
        assert running.cloud.wait(key).ready
        yield running, deployed, running.cloud.endpoint(key)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("echo"), idle_seconds="0.6") as running:
        yield running


def deploy(running: Sandbox, source: str = ECHO, *, url: Any = None, **function: Any) -> str:
    """Deploy a function of that source that everybody may call, buffered; returns its address."""
    given = LambdaChat(running.cloud, package(source))
    bare = {"handler": "app.handle", "environment": None, "timeout": 5, "memorySize": 256}
    given.function |= bare | function
    given.url |= url or {"invokeMode": "BUFFERED"}
    given.publish()
    key = given.deploy()
    assert running.cloud.wait(key).ready
    # the function's own row is another one, and an update of it another change
    function_key = Key("aws", LambdaChat.scope, "aws:lambda/function:Function", "chat")
    assert running.cloud.wait(function_key).ready
    return running.cloud.endpoint(key)


def test_both_permissions_are_needed_even_without_authorization(
    chat: tuple[Sandbox, LambdaChat, str],
) -> None:
    _, deployed, address = chat
    refused = httpx.get(f"{address}/v1/models")
    assert refused.status_code == 403
    assert refused.json()["Message"].startswith("Forbidden. For troubleshooting Function URL")
    assert refused.headers["x-amzn-errortype"] == "AccessDeniedException"
    deployed.permit("lambda:InvokeFunctionUrl")
    time.sleep(0.4)
    assert httpx.get(f"{address}/v1/models").status_code == 403
    deployed.permit("lambda:InvokeFunction")
    assert eventually(lambda: httpx.get(f"{address}/v1/models", timeout=30).status_code == 401)


def test_the_openai_client_is_answered_whole_and_in_pieces(
    chat: tuple[Sandbox, LambdaChat, str],
) -> None:
    _, deployed, address = chat
    deployed.publish()
    client = openai_client(address, API_KEY, max_retries=2)
    # The data plane sees new permissions within a tenth of a second, not at once.
    bearer = {"authorization": f"Bearer {API_KEY}"}
    models = f"{address}/v1/models"
    assert eventually(lambda: httpx.get(models, headers=bearer, timeout=30).status_code == 200)
    whole = client.chat.completions.create(model=MODEL, messages=QUESTION)
    arrivals: list[float] = []
    text = ""
    for chunk in client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True):
        text += chunk.choices[0].delta.content or ""
        arrivals.append(time.monotonic())
    assert text == whole.choices[0].message.content != ""
    assert arrivals[-1] - arrivals[0] > 0.15


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [{"Effect": "Allow", "Action": "bedrock:*", "Resource": "arn:aws:bedrock:us-east-1::*"}],
    ],
)
def test_without_permission_for_that_model_there_is_no_answer(
    chat: tuple[Sandbox, LambdaChat, str], statements: list[dict[str, Any]]
) -> None:
    _, deployed, address = chat
    deployed.publish()
    client = openai_client(address, API_KEY)

    def status() -> int:
        try:
            client.chat.completions.create(model=MODEL, messages=QUESTION)
        except openai.APIStatusError as error:
            return error.status_code
        return 200

    deployed.allow(statements)
    assert eventually(lambda: status() == 403)
    deployed.allow([*statements, deployed.invoke_model()])
    assert eventually(lambda: status() == 200)
    denied = {**deployed.invoke_model(), "Effect": "Deny", "Action": "bedrock:Invoke*"}
    deployed.allow([deployed.invoke_model(), denied])
    assert eventually(lambda: status() == 403)
    deployed.allow([deployed.invoke_model()])
    assert eventually(lambda: status() == 200)


def test_a_handler_runs_as_lambda_runs_it(echo: Sandbox) -> None:
    address = deploy(
        echo, environment={"variables": {"COLOUR": "green", "FILE": "/var/task/app.py"}}
    )
    answer = httpx.post(f"{address}/some%20path?x=1", json={})
    assert (answer.status_code, answer.headers["x-said"]) == (201, "yes")
    said = answer.json()
    assert said["path"] == "/some path"
    seen = said["environment"]
    assert (seen["COLOUR"], seen["AWS_REGION"], seen["_HANDLER"]) == (
        "green",
        "eu-west-1",
        "app.handle",
    )
    assert seen["FILE"] == f"{seen['LAMBDA_TASK_ROOT']}/app.py"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert seen["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"].startswith("http://127.0.0.1:")
    assert "PULUMI_HOME" not in seen
    assert not any("PORTWAY" in name for name in seen)


def test_idle_environments_are_ended_and_used_ones_are_kept(echo: Sandbox) -> None:
    address = deploy(echo)
    first = httpx.post(address, json={}).json()["pid"]
    assert httpx.post(address, json={}).json()["pid"] == first
    assert eventually(lambda: not any(p.pid == first for p in echo.processes()))
    assert httpx.post(address, json={}).json()["pid"] != first


def test_reserved_concurrency_throttles_with_429(echo: Sandbox) -> None:
    address = deploy(echo, reservedConcurrentExecutions=1)
    statuses: list[int] = []

    def call() -> None:
        statuses.append(httpx.post(address, json={"seconds": 1}, timeout=20).status_code)

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(statuses) == [201, 429]
    stopped = deploy(echo, reservedConcurrentExecutions=0)
    throttled = httpx.post(stopped, json={})
    assert (throttled.status_code, throttled.json()) == (429, {"Message": "Rate Exceeded."})


@pytest.mark.parametrize(
    "asked", [{"raise": "no"}, {"exit": True}, {"seconds": 30}, {"allocate_mb": 400, "seconds": 3}]
)
def test_a_function_that_fails_is_a_bad_gateway_and_the_next_call_is_answered(
    echo: Sandbox, asked: dict[str, Any]
) -> None:
    address = deploy(echo, timeout=4 if "allocate_mb" in asked else 1)
    failed = httpx.post(address, json=asked, timeout=20)
    assert (failed.status_code, failed.text) == (502, "Internal Server Error")
    assert httpx.post(address, json={}).status_code == 201


def test_a_package_that_does_not_start_is_a_bad_gateway(echo: Sandbox) -> None:
    address = deploy(echo, "raise RuntimeError('broken')")
    assert httpx.post(address, json={}, timeout=20).status_code == 502


def test_bodies_above_six_megabytes_are_refused(echo: Sandbox) -> None:
    address = deploy(echo)
    large = httpx.post(address, content=b"x" * 7_000_000)
    assert large.status_code == 413


def test_an_answer_that_is_not_streamed_arrives_as_an_envelope_on_a_streaming_url(
    echo: Sandbox,
) -> None:
    address = deploy(echo, url={"invokeMode": "RESPONSE_STREAM"})
    answer = httpx.post(address, json={})
    assert answer.headers["content-type"] == "application/octet-stream"
    assert json.loads(answer.content)["statusCode"] == 201


def test_iam_authorization_wants_a_signature_of_somebody_who_may(echo: Sandbox) -> None:
    address = deploy(echo, url={"authorizationType": "AWS_IAM", "invokeMode": "BUFFERED"})
    scope = "20261121/eu-west-1/lambda/aws4_request"
    signed = {"authorization": f"AWS4-HMAC-SHA256 Credential=sandbox/{scope}, Signature=0"}
    stranger = {"authorization": f"AWS4-HMAC-SHA256 Credential=AKIANOBODY/{scope}, Signature=0"}

    def codes() -> list[int]:
        return [httpx.post(address, json={}, headers=h).status_code for h in ({}, stranger, signed)]

    assert eventually(lambda: codes() == [403, 403, 201])


def test_provisioned_concurrency_keeps_an_environment_that_answers_at_once(echo: Sandbox) -> None:
    deploy(echo, "import time; time.sleep(0.1)\n" + ECHO)
    echo.cloud.put(
        "aws", LambdaChat.scope,
        "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig", "chat,live",
        {"functionName": "chat", "qualifier": "live", "provisionedConcurrentExecutions": 1},
    )  # fmt: skip
    bootstraps = lambda: [p.pid for p in echo.processes() if "task" in p.cwd()]  # noqa: E731 - read twice
    assert eventually(lambda: len(bootstraps()) == 1)
    kept = bootstraps()
    time.sleep(1.5)
    assert bootstraps() == kept
