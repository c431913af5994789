"""Who may ask, how connections are used, and what every answer carries."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from portway.conformance.check import Check, answered, expect, refused, same
from portway.conformance.endpoint import CHAT, MODELS, Endpoint

_AT_ONCE = 8


def _kept_out(authorization: str | None) -> Callable[[Endpoint], None]:
    def run(endpoint: Endpoint) -> None:
        answer = endpoint.ask("GET", MODELS, authorization=authorization)
        refused(answer, 401, "invalid_api_key")

    return run


def _any_case(endpoint: Endpoint) -> None:
    answered(endpoint.ask("GET", MODELS, authorization="bearer {key}"))


def _before_the_body(endpoint: Endpoint) -> None:
    answer = endpoint.ask("POST", CHAT, content=b"{", authorization="Bearer wrong")
    refused(answer, 401, "invalid_api_key")


def _never_told(endpoint: Endpoint) -> None:
    wrong = f"{endpoint.key}x"
    answer = endpoint.ask("GET", MODELS, authorization=f"Bearer {wrong}")
    expect(endpoint.key.encode() not in answer.body, "the answer repeats the key")


def _request_id(endpoint: Endpoint) -> None:
    found = [endpoint.ask("GET", MODELS).headers.get("x-request-id") for _ in range(2)]
    expect(all(found), "there is no x-request-id")
    expect(found[0] != found[1], "two answers have one x-request-id")


def _own_id(endpoint: Endpoint) -> None:
    mine = f"probe-{uuid4().hex}"
    answer = endpoint.ask("GET", MODELS, headers={"x-request-id": mine})
    same(answer.headers.get("x-request-id"), mine, "x-request-id")


def _kept_open(endpoint: Endpoint) -> None:
    found = endpoint.ask("GET", MODELS).headers.get("connection", "keep-alive")
    expect(found.lower() != "close", "the connection is closed after an answer")


def _side_by_side(endpoint: Endpoint) -> None:
    def ask(_: int) -> str:
        return str(answered(endpoint.post(endpoint.chat(max_tokens=4)))["id"])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ids = list(pool.map(ask, range(_AT_ONCE)))
    same(len(set(ids)), _AT_ONCE, "how many ids there are")


def _streams_side_by_side(endpoint: Endpoint) -> None:
    def ask(_: int) -> str:
        found = endpoint.stream(max_tokens=8)
        same(found.answer.status, 200, "status")
        (name,) = {str(chunk["id"]) for chunk in found.chunks}
        return name

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ids = list(pool.map(ask, range(_AT_ONCE)))
    same(len(set(ids)), _AT_ONCE, "how many ids there are")


CHECKS = (
    Check("auth-missing", "a request without a key is 401 invalid_api_key", _kept_out(None)),
    Check("auth-empty", "an empty key is 401 invalid_api_key", _kept_out("Bearer")),
    Check("auth-wrong", "a wrong key is 401 invalid_api_key", _kept_out("Bearer wrong")),
    Check("auth-scheme", "another scheme is 401 invalid_api_key", _kept_out("Basic {key}")),
    Check("auth-case", "the scheme may be in lower case", _any_case),
    Check("auth-first", "the key is looked at before the body", _before_the_body),
    Check("auth-quiet", "no answer repeats a key", _never_told),
    Check("connection-request-id", "every answer has an x-request-id of its own", _request_id),
    Check("connection-own-id", "a client's own x-request-id comes back", _own_id),
    Check("connection-kept", "a connection stays open between requests", _kept_open),
    Check(
        "connection-parallel", "eight requests at once are answered, each its own", _side_by_side
    ),
    Check("connection-streams", "eight streams at once do not mix", _streams_side_by_side),
)
