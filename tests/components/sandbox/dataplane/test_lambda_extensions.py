"""The Extensions API that programs beside a function register with."""

from collections.abc import Generator

import httpx
import pytest

from portway.sandbox.dataplane.lambda_extensions import EXTENSIONS, Extensions
from support.loop_thread import listening

NAME = {"lambda-extension-name": "lambda-adapter"}


@pytest.fixture
def extensions() -> Extensions:
    return Extensions("arn:aws:lambda:eu-west-1:123456789012:function:chat")


@pytest.fixture
def api(extensions: Extensions) -> Generator[httpx.Client]:
    with (
        listening(extensions.handle) as address,
        httpx.Client(base_url=f"{address}{EXTENSIONS}") as opened,
    ):
        yield opened


def test_who_registers_is_told_its_function_and_gets_an_identifier(
    api: httpx.Client, extensions: Extensions
) -> None:
    answer = api.post("/register", headers=NAME, json={"events": []})
    assert answer.json() == {
        "functionName": "chat",
        "functionVersion": "$LATEST",
        "handler": "bootstrap",
    }
    assert extensions.names == {answer.headers["lambda-extension-identifier"]: "lambda-adapter"}


def test_the_next_event_is_waited_for_as_long_as_the_environment_lives(api: httpx.Client) -> None:
    registered = api.post("/register", headers=NAME, json={"events": ["SHUTDOWN"]})
    identifier = registered.headers["lambda-extension-identifier"]
    with pytest.raises(httpx.ReadTimeout):
        api.get("/event/next", headers={"lambda-extension-identifier": identifier}, timeout=0.2)


@pytest.mark.parametrize(
    ("headers", "body", "status", "kind"),
    [
        ({}, "{}", 403, "Extension.InvalidExtensionName"),
        (NAME, "[]", 400, "InvalidRequestFormat"),
        (NAME, "{", 400, "InvalidRequestFormat"),
        (NAME, '{"events": ["INVOKE"]}', 400, "InvalidEventType"),
    ],
)
def test_what_cannot_be_registered_is_refused_with_the_reason(
    api: httpx.Client, headers: dict[str, str], body: str, status: int, kind: str
) -> None:
    answer = api.post("/register", headers=headers, content=body)
    assert (answer.status_code, answer.json()["errorType"]) == (status, kind)


def test_a_stranger_gets_no_events_and_no_other_path_exists(api: httpx.Client) -> None:
    assert api.get("/event/next").json()["errorType"] == "Extension.UnknownExtensionIdentifier"
    assert api.get("/init/error").status_code == 404
