"""Function URL events and what a function may answer."""

import base64
import json
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.sandbox.dataplane.front import Channel, Exchange
from portway.sandbox.dataplane.lambda_events import (
    Head,
    Malformed,
    event,
    read_envelope,
    read_prelude,
)

JSON = ("content-type", "application/json")


def exchange(target: str, headers: dict[str, str]) -> Exchange:
    request = h11.Request(method="POST", target=target, headers=[("host", "x"), *headers.items()])
    channel: Any = object.__new__(Channel)
    return Exchange(channel, request)


def test_an_event_says_what_was_asked() -> None:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Cookie": "a=1; b=2",
        "X-Other": "y",
    }
    made = event(exchange("/v1/a%20b?x=1&y=", headers), b'{"a": "\xc3\xa9"}', "url.example", "123")
    assert (made["version"], made["rawPath"], made["rawQueryString"]) == (
        "2.0",
        "/v1/a b",
        "x=1&y=",
    )
    assert made["queryStringParameters"] == {"x": "1", "y": ""}
    assert (made["body"], made["isBase64Encoded"]) == ('{"a": "é"}', False)
    assert made["cookies"] == ["a=1", "b=2"]
    assert (made["headers"]["x-other"], "cookie" in made["headers"]) == ("y", False)
    http = made["requestContext"]["http"]
    assert (http["method"], http["path"], http["sourceIp"]) == ("POST", "/v1/a b", "127.0.0.1")


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=1))
def test_a_body_that_is_not_text_comes_back_from_base64(body: bytes) -> None:
    made = event(exchange("/", {"content-type": "application/octet-stream"}), body, "u", "1")
    assert made["isBase64Encoded"] is True
    assert base64.b64decode(made["body"]) == body


def test_a_body_that_is_not_the_text_it_claims_to_be_is_encoded() -> None:
    made = event(exchange("/", {"content-type": "text/plain"}), b"\xff\xfe", "u", "1")
    assert made["isBase64Encoded"] is True
    assert "body" not in event(exchange("/", {}), b"", "u", "1")


@pytest.mark.parametrize(
    ("returned", "head", "body"),
    [
        ({"statusCode": 404, "body": "no"}, Head(404, [JSON]), b"no"),
        ({"statusCode": 200, "headers": {"Content-Type": "text/x"}, "body": "eA==", "isBase64Encoded": True},
         Head(200, [("content-type", "text/x")]), b"x"),
        ({"statusCode": 200, "cookies": ["a=1"], "headers": {"Content-Type": "a/b"}},
         Head(200, [("content-type", "a/b"), ("set-cookie", "a=1")]), b""),
        ({"hello": 1}, Head(200, [JSON]), b'{"hello": 1}'),
        ("text", Head(200, [JSON]), b"text"),
    ],
)  # fmt: skip
def test_what_a_handler_returned_is_an_answer(returned: Any, head: Head, body: bytes) -> None:
    assert read_envelope(json.dumps(returned).encode()) == (head, body)


def test_a_prelude_has_status_headers_and_cookies() -> None:
    prelude = {"statusCode": 201, "headers": {"X-A": "b"}, "cookies": ["c=d"]}
    assert read_prelude(json.dumps(prelude).encode()) == Head(
        201, [("x-a", "b"), ("set-cookie", "c=d")]
    )


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"statusCode": "many"}', b'{"headers": [1]}', b"\xff"]
)
def test_a_prelude_that_is_not_one_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_prelude(data)


def test_an_envelope_with_a_broken_body_is_malformed() -> None:
    with pytest.raises(Malformed):
        read_envelope(json.dumps({"statusCode": 1, "body": "%", "isBase64Encoded": True}).encode())
