"""Answers that come piece by piece."""

from collections.abc import Callable
from typing import Any

from portway.conformance.check import Check, expect, refused, same
from portway.conformance.endpoint import CHAT, Endpoint, Stream

_WITH_USAGE = {"include_usage": True}


def _stream(endpoint: Endpoint, **fields: Any) -> Stream:  # noqa: ANN401 - any JSON
    found = endpoint.stream(**fields)
    same(found.answer.status, 200, "status")
    return found


def _choices(found: Stream) -> list[dict[str, Any]]:
    return [choice for chunk in found.chunks for choice in chunk["choices"]]


def _kind(endpoint: Endpoint) -> None:
    kind = _stream(endpoint).answer.headers.get("content-type", "")
    same(kind.split(";")[0], "text/event-stream", "content-type")


def _framing(endpoint: Endpoint) -> None:
    found = _stream(endpoint)
    expect(len(found.chunks) > 1, "the answer came in one piece")


def _done(endpoint: Endpoint) -> None:
    found = _stream(endpoint)
    same(found.events[-1], "[DONE]", "the last event")
    same(found.events.count("[DONE]"), 1, "how often [DONE] comes")


def _one(name: str) -> Callable[[Endpoint], None]:
    def run(endpoint: Endpoint) -> None:
        values = {chunk[name] for chunk in _stream(endpoint).chunks}
        same(len(values), 1, f"how many values {name} has")

    return run


def _objects(endpoint: Endpoint) -> None:
    kinds = {chunk["object"] for chunk in _stream(endpoint).chunks}
    same(kinds, {"chat.completion.chunk"}, "object")


def _model(endpoint: Endpoint) -> None:
    same({chunk["model"] for chunk in _stream(endpoint).chunks}, {endpoint.model}, "model")


def _role(endpoint: Endpoint) -> None:
    first, *others = _choices(_stream(endpoint))
    same(first["delta"].get("role"), "assistant", "the first delta's role")
    expect(not any(one["delta"].get("role") for one in others), "the role comes again")


def _text(endpoint: Endpoint) -> None:
    said = "".join(one["delta"].get("content") or "" for one in _choices(_stream(endpoint)))
    expect(bool(said), "no text came")


def _finish(endpoint: Endpoint) -> None:
    reasons = [one["finish_reason"] for one in _choices(_stream(endpoint))]
    same([one for one in reasons if one is not None], reasons[-1:], "the finish reasons")
    expect(reasons[-1] in {"stop", "length"}, f"finish_reason is {reasons[-1]!r}")


def _length(endpoint: Endpoint) -> None:
    found = _stream(endpoint, max_tokens=1)
    same(_choices(found)[-1]["finish_reason"], "length", "finish_reason")


def _no_usage(endpoint: Endpoint) -> None:
    given = [chunk for chunk in _stream(endpoint).chunks if chunk.get("usage")]
    same(given, [], "usage that nobody asked for")


def _usage(endpoint: Endpoint) -> None:
    *before, last = _stream(endpoint, stream_options=_WITH_USAGE).chunks
    same(last["choices"], [], "the choices beside usage")
    usage = last["usage"]
    same(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"], "total_tokens")
    expect(usage["completion_tokens"] > 0, "no token of the answer is counted")
    expect(not any(chunk.get("usage") for chunk in before), "usage comes before the end")


def _unicode(endpoint: Endpoint) -> None:
    messages = [{"role": "user", "content": "Repeat: 😀 漢字 é"}]
    found = _stream(endpoint, messages=messages)
    said = "".join(one["delta"].get("content") or "" for one in _choices(found))
    expect("\ufffd" not in said, "a character was cut")


def _real_status(endpoint: Endpoint) -> None:
    refused(endpoint.post(endpoint.chat(stream=True, messages=[])), 400)


def _options_alone(endpoint: Endpoint) -> None:
    refused(endpoint.post(endpoint.chat(stream_options=_WITH_USAGE)), 400)


def _hang_up(endpoint: Endpoint) -> None:
    for _ in range(3):
        with endpoint.opened(max_tokens=200) as response:
            next(response.iter_raw())
    same(endpoint.post(endpoint.chat(max_tokens=1)).status, 200, "status of the next request")


def _same_answer(endpoint: Endpoint) -> None:
    """The keys of a message do not depend on how it comes."""
    whole = endpoint.ask("POST", CHAT, endpoint.chat())
    same(whole.status, 200, "status")
    found = _stream(endpoint)
    for name in ("id", "created", "model"):
        expect(all(name in chunk for chunk in found.chunks), f"{name} is missing from a chunk")


CHECKS = (
    Check("stream-content-type", "a stream is text/event-stream", _kind),
    Check("stream-framing", "each event is one line of data and an empty line", _framing),
    Check("stream-done", "a stream ends with data: [DONE], once", _done),
    Check("stream-one-id", "all pieces have one id", _one("id")),
    Check("stream-one-date", "all pieces have one date", _one("created")),
    Check("stream-object", "every piece is a chat.completion.chunk", _objects),
    Check("stream-model", "every piece names the model", _model),
    Check("stream-role", "the role comes first, and once", _role),
    Check("stream-text", "the pieces make a text", _text),
    Check("stream-finish", "one finish reason comes, in the last choice", _finish),
    Check("stream-length", "max_tokens cuts a stream, with length", _length),
    Check("stream-no-usage", "usage comes only where it was asked for", _no_usage),
    Check("stream-usage", "usage comes last, without choices, and adds up", _usage),
    Check("stream-unicode", "no character is cut between pieces", _unicode),
    Check("stream-keys", "id, date and model are in every piece", _same_answer),
    Check(
        "stream-real-status", "what fails before the first piece has a real status", _real_status
    ),
    Check("stream-options-alone", "stream_options without stream is refused", _options_alone),
    Check("stream-hang-up", "a client that leaves gives its place back", _hang_up),
)
