"""Answers that come whole."""

from collections.abc import Callable
from time import time
from typing import Any

from portway.conformance.check import Check, answered, expect, same
from portway.conformance.endpoint import Endpoint

_CLOCKS_SECONDS = 300
_FINISHED = frozenset({"stop", "length"})
_PARTS = [{"type": "text", "text": "Say"}, {"type": "text", "text": "hello."}]


def _chat(endpoint: Endpoint, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return answered(endpoint.post(endpoint.chat(**fields)))


def _shape(endpoint: Endpoint) -> None:
    body = _chat(endpoint)
    same(body["object"], "chat.completion", "object")
    expect(isinstance(body["id"], str) and bool(body["id"]), f"id is {body['id']!r}")
    (choice,) = body["choices"]
    same(choice["index"], 0, "the choice's index")
    same(choice["message"]["role"], "assistant", "the role")
    expect(isinstance(choice["message"]["content"], str), "the content is no text")


def _model(endpoint: Endpoint) -> None:
    same(_chat(endpoint)["model"], endpoint.model, "model")


def _created(endpoint: Endpoint) -> None:
    made = _chat(endpoint)["created"]
    expect(isinstance(made, int), f"created is {made!r}")
    expect(abs(made - time()) < _CLOCKS_SECONDS, f"created is {made}, minutes from now")


def _ids_differ(endpoint: Endpoint) -> None:
    one, other = (_chat(endpoint)["id"] for _ in range(2))
    expect(one != other, "two answers have one id")


def _finished(endpoint: Endpoint) -> None:
    why = _chat(endpoint)["choices"][0]["finish_reason"]
    expect(why in _FINISHED, f"finish_reason is {why!r}")


def _usage(endpoint: Endpoint) -> None:
    usage = _chat(endpoint)["usage"]
    both = usage["prompt_tokens"] + usage["completion_tokens"]
    same(usage["total_tokens"], both, "total_tokens")
    expect(usage["prompt_tokens"] > 0, "no token of the prompt is counted")
    expect(usage["completion_tokens"] > 0, "no token of the answer is counted")


def _longer_prompts_count_more(endpoint: Endpoint) -> None:
    def counted(text: str) -> int:
        messages = [{"role": "user", "content": text}]
        return int(_chat(endpoint, messages=messages, max_tokens=1)["usage"]["prompt_tokens"])

    short, long = counted("Hello."), counted("Hello there, once more. " * 20)
    expect(long > short, f"{short} tokens for 1 word and {long} for 80")


def _cut(name: str) -> Callable[[Endpoint], None]:
    def run(endpoint: Endpoint) -> None:
        limit = {"max_tokens": None, name: 1}
        body = _chat(endpoint, messages=_ask("Tell a long story."), **limit)
        same(body["choices"][0]["finish_reason"], "length", "finish_reason")
        expect(body["usage"]["completion_tokens"] <= 1, "more than one token was written")

    return run


def _wins(endpoint: Endpoint) -> None:
    body = _chat(
        endpoint, messages=_ask("Tell a long story."), max_tokens=16, max_completion_tokens=1
    )
    expect(body["usage"]["completion_tokens"] <= 1, "max_tokens won over max_completion_tokens")


def _takes(**fields: Any) -> Callable[[Endpoint], None]:  # noqa: ANN401 - any JSON
    def run(endpoint: Endpoint) -> None:
        _shape_of(_chat(endpoint, **fields))

    return run


def _shape_of(body: dict[str, Any]) -> None:
    expect(isinstance(body["choices"][0]["message"]["content"], str), "the content is no text")


def _ask(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


_TURNS = [*_ask("Hi."), {"role": "assistant", "content": "Hello!"}, *_ask("And now?")]

CHECKS = (
    Check("chat-shape", "an answer has the documented shape and one choice", _shape),
    Check("chat-model", "an answer names the model that was asked", _model),
    Check("chat-created", "an answer is dated in seconds, now", _created),
    Check("chat-ids", "every answer has its own id", _ids_differ),
    Check("chat-finished", "an answer ends with stop or length", _finished),
    Check("chat-usage", "usage adds up and counts both ends", _usage),
    Check("chat-usage-grows", "a longer prompt counts more tokens", _longer_prompts_count_more),
    Check("chat-max-tokens", "max_tokens cuts the answer, with length", _cut("max_tokens")),
    Check("chat-max-completion-tokens", "max_completion_tokens cuts the answer, with length",
          _cut("max_completion_tokens")),
    Check("chat-newer-limit-wins", "max_completion_tokens wins over max_tokens", _wins),
    Check("chat-system", "a system message is taken",
          _takes(messages=[{"role": "system", "content": "Be brief."}, *_ask("Hi.")])),
    Check("chat-developer", "a developer message is taken",
          _takes(messages=[{"role": "developer", "content": "Be brief."}, *_ask("Hi.")])),
    Check("chat-turns", "a conversation of several turns is taken", _takes(messages=_TURNS)),
    Check("chat-two-users", "two user messages in a row are taken",
          _takes(messages=[*_ask("Hi."), *_ask("Well?")])),
    Check("chat-parts", "content may be a list of text parts",
          _takes(messages=[{"role": "user", "content": _PARTS}])),
    Check("chat-unicode", "text beyond the basic plane is taken",
          _takes(messages=_ask("Grüße, 漢字, 😀, עברית"))),
    Check("chat-sampling", "temperature and top_p are taken", _takes(temperature=0, top_p=0.9)),
    Check("chat-stop", "a stop text is taken", _takes(stop=["\n\n"])),
    Check("chat-stop-text", "stop may be one text", _takes(stop="\n\n")),
    Check("chat-user", "user is taken", _takes(user="someone")),
    Check("chat-one", "n may be 1", _takes(n=1)),
    Check("chat-not-streamed", "stream may be false", _takes(stream=False)),
)  # fmt: skip
