"""What is refused, and how it is said."""

from collections.abc import Callable
from typing import Any

from portway.conformance.check import Check, Declined, expect, refused, same
from portway.conformance.endpoint import CHAT, Endpoint

_TOO_LARGE = 64 * 1024 * 1024
_SIZES = (5_000_000, _TOO_LARGE)
_NESTED = 50_000


def _no_request(content: bytes) -> Callable[[Endpoint], None]:
    def run(endpoint: Endpoint) -> None:
        refused(endpoint.ask("POST", CHAT, content=content), 400)

    return run


def _wrong(status: int = 400, code: str | None = None, **fields: Any) -> Callable[[Endpoint], None]:  # noqa: ANN401 - any JSON
    def run(endpoint: Endpoint) -> None:
        refused(endpoint.post({**endpoint.chat(), **fields}), status, code)

    return run


def _without(name: str) -> Callable[[Endpoint], None]:
    def run(endpoint: Endpoint) -> None:
        refused(endpoint.post(endpoint.chat(**{name: None})), 400)

    return run


def _param(endpoint: Endpoint) -> None:
    error = refused(endpoint.post({**endpoint.chat(), "temperature": "hot"}), 400)
    same(error["param"], "temperature", "param")


def _path(endpoint: Endpoint) -> None:
    refused(endpoint.ask("GET", "/v1/no-such-path"), 404)


def _method(endpoint: Endpoint) -> None:
    refused(endpoint.ask("DELETE", CHAT), 405)


def _large(endpoint: Endpoint) -> None:
    for size in _SIZES:
        content = b'{"messages": "' + b"x" * size + b'"}'
        status = endpoint.ask("POST", CHAT, content=content).status
        if status == 413:  # noqa: PLR2004 - HTTP
            return
        expect(status < 500, f"a body of {size} bytes is answered with {status}")  # noqa: PLR2004 - HTTP
    raise Declined(f"a body of {_TOO_LARGE} bytes is not too large")


def _context(endpoint: Endpoint) -> None:
    messages = [{"role": "user", "content": "word " * 400_000}]
    answer = endpoint.post(endpoint.chat(messages=messages, max_tokens=1))
    if answer.status == 200:  # noqa: PLR2004 - HTTP
        raise Declined("a prompt of 400,000 words is answered")
    refused(answer, 400, "context_length_exceeded")


def _still_there(endpoint: Endpoint) -> None:
    endpoint.ask("POST", CHAT, content=b"\xff\xfe")
    same(endpoint.post(endpoint.chat(max_tokens=1)).status, 200, "status of the next request")


CHECKS = (
    Check("error-not-json", "a body that is no JSON is refused", _no_request(b"{")),
    Check("error-empty", "an empty body is refused", _no_request(b"")),
    Check("error-array", "a body that is no object is refused", _no_request(b"[]")),
    Check("error-null", "a body of null is refused", _no_request(b"null")),
    Check("error-not-utf8", "a body that is not UTF-8 is refused", _no_request(b'{"model": "\xff"}')),
    Check("error-nan", "a number that JSON does not have is refused", _no_request(b'{"top_p": NaN}')),
    Check("error-nested", "a body nested without end is refused", _no_request(b"[" * _NESTED)),
    Check("error-no-model", "a request without a model is refused", _without("model")),
    Check("error-model", "an unknown model is 404 model_not_found",
          _wrong(404, "model_not_found", model="no-such-model")),
    Check("error-no-messages", "a request without messages is refused", _without("messages")),
    Check("error-empty-messages", "a conversation of nothing is refused", _wrong(messages=[])),
    Check("error-role", "an unknown role is refused", _wrong(messages=[{"role": "robot", "content": "x"}])),
    Check("error-content", "content that is a number is refused", _wrong(messages=[{"role": "user", "content": 5}])),
    Check("error-temperature", "a temperature above 2 is refused", _wrong(temperature=2.1)),
    Check("error-top-p", "a top_p above 1 is refused", _wrong(top_p=1.1)),
    Check("error-type", "a field of the wrong type is refused", _wrong(stream="yes")),
    Check("error-max-tokens", "max_tokens below 1 is refused", _wrong(max_tokens=0)),
    Check("error-max-tokens-huge", "max_tokens beyond the model is refused", _wrong(max_tokens=10**9)),
    Check("error-n", "n below 1 is refused", _wrong(n=0)),
    Check("error-stop", "more than four stop texts are refused", _wrong(stop=list("abcde"))),
    Check("error-param", "an error names the field it is about", _param),
    Check("error-path", "an unknown path is 404, as an error object", _path),
    Check("error-method", "a wrong method is 405, as an error object", _method),
    Check("error-large", "a body that is too large is 413", _large, is_optional=True),
    Check("error-context", "a prompt longer than the context is context_length_exceeded", _context, is_optional=True),
    Check("error-still-there", "a bad request harms nobody else", _still_there),
)  # fmt: skip
