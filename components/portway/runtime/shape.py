"""The OpenAI shape that every answer leaves with, whatever the upstream added or left out."""

from dataclasses import dataclass

from .errors import upstream_error
from .jsons import JsonObject, as_list, as_object, as_text

FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter"})


@dataclass(frozen=True)
class Identity:
    """What all chunks of one answer share. `created` is unix seconds."""

    id: str
    created: int
    model: str

    def stamp(self, kind: str) -> JsonObject:
        """The fields every object starts with."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def completion(raw: JsonObject, identity: Identity) -> JsonObject:
    """A whole answer.

    Raises:
        WireError: 502 when the upstream's object is no answer.
    """
    choices = as_list(raw.get("choices"))
    usage = as_object(raw.get("usage"))
    if not choices or usage is None:
        raise upstream_error("The model server sent an answer without choices or usage.")
    return {
        **identity.stamp("chat.completion"),
        "choices": [_choice(choice, "message", {"content": None}) for choice in choices],
        "usage": _usage(usage),
        **_extras(raw),
    }


def chunk(raw: JsonObject, identity: Identity, *, first: bool, with_usage: bool) -> JsonObject:
    """One piece of an answer; `first` gets the role, and usage is null where clients ask for it.

    Raises:
        WireError: 502 when the upstream's object is no piece of an answer.
    """
    start = {"role": "assistant", "content": ""} if first else {}
    choices = [_choice(choice, "delta", start) for choice in as_list(raw.get("choices")) or []]
    shaped = {**identity.stamp("chat.completion.chunk"), "choices": choices, **_extras(raw)}
    if with_usage:
        shaped["usage"] = None
    return shaped


def usage_chunk(usage: JsonObject, identity: Identity) -> JsonObject:
    """The last chunk of a stream whose client asked for usage."""
    return {**identity.stamp("chat.completion.chunk"), "choices": [], "usage": _usage(usage)}


def finish_reason(raw: JsonObject) -> str | None:
    """The finish reason that a chunk carries, if it does."""
    for choice in as_list(raw.get("choices")) or []:
        if reason := (as_object(choice) or {}).get("finish_reason"):
            return str(reason)
    return None


def _choice(value: object, part: str, start: JsonObject) -> JsonObject:
    choice = as_object(value)
    said = as_object(choice.get(part)) if choice is not None else None
    if choice is None or said is None:
        raise upstream_error(f"The model server sent a choice without a {part}.")
    reason = as_text(choice.get("finish_reason"))
    if reason not in FINISH_REASONS and (reason is not None or part == "message"):
        raise upstream_error("The model server broke the answer off.", detail=f"finish {reason!r}")
    known = {"index", part, "logprobs", "finish_reason", "stop_reason"}
    return {
        "index": choice.get("index", 0),
        part: _said(said, start, whole=part == "message"),
        "logprobs": choice.get("logprobs"),
        "finish_reason": reason,
        **{k: v for k, v in choice.items() if k not in known and v is not None},
    }


def _said(raw: JsonObject, start: JsonObject, *, whole: bool) -> JsonObject:
    said = _present(raw)
    if not said.get("tool_calls"):
        said.pop("tool_calls", None)
    if "reasoning" in said:
        said.setdefault("reasoning_content", said.pop("reasoning"))
    if whole:
        return {"role": "assistant", "content": None, "refusal": None, **said}
    if not start and said.get("content") == "":
        del said["content"]
    return {**start, **said}


def _extras(raw: JsonObject) -> JsonObject:
    ours = {"id", "object", "created", "model", "choices", "usage"}
    return {k: v for k, v in raw.items() if k not in ours and v is not None}


def _usage(raw: JsonObject) -> JsonObject:
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {**{name: raw[name] for name in counts if name in raw}, **_present(raw)}


def _present(raw: JsonObject) -> JsonObject:
    return {name: value for name, value in raw.items() if value is not None}
