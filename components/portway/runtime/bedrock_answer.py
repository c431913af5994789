"""What Converse and ConverseStream answer, as OpenAI objects. Pure."""

from collections.abc import Iterable, Iterator

from .errors import WireError, upstream_error
from .jsons import JsonObject, as_list, as_object, as_text, encode

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
}
"""By `stopReason`. The two others that Bedrock has, malformed_model_output and
malformed_tool_use, are failures of the model and answered as such."""


def finish_reason(stop_reason: object) -> str:
    """The finish reason for a `stopReason`.

    Raises:
        WireError: 502 for one that is a failure, or that this version does not know.
    """
    reason = FINISH_REASONS.get(str(stop_reason))
    if reason is None:
        raise upstream_error("The model broke its answer off.", detail=f"stopReason {stop_reason}")
    return reason


def usage(counted: JsonObject) -> JsonObject:
    """OpenAI usage. Bedrock counts cached input tokens apart, OpenAI within the prompt.

    The details are left out where nothing was cached, as a model server without a count does.
    """
    read = int(counted.get("cacheReadInputTokens") or 0)
    written = int(counted.get("cacheWriteInputTokens") or 0)
    prompt = int(counted["inputTokens"]) + read + written
    answer = int(counted["outputTokens"])
    found: JsonObject = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }
    details = {"cached_tokens": read, **({"cache_write_tokens": written} if written else {})}
    return {**found, "prompt_tokens_details": details} if read or written else found


def completion(response: JsonObject) -> JsonObject:
    """A `chat.completion` from a Converse response.

    Raises:
        WireError: 502 when it is no answer.
    """
    message = as_object((as_object(response.get("output")) or {}).get("message")) or {}
    said: dict[str, str] = {}
    calls: list[JsonObject] = []
    for block in as_list(message.get("content")) or []:
        _add_block(block, said, calls)
    answer: JsonObject = {"role": "assistant", "content": said.get("content")}
    if "reasoning_content" in said:
        answer["reasoning_content"] = said["reasoning_content"]
    if calls:
        answer["tool_calls"] = calls
    elif answer["content"] is None:
        answer["content"] = ""
    reason = finish_reason(response.get("stopReason"))
    found: JsonObject = {
        "choices": [{"index": 0, "message": answer, "finish_reason": reason}],
        "usage": usage(response["usage"]),
    }
    return {**found, **_tier(response)}


def _add_block(block: JsonObject, said: dict[str, str], calls: list[JsonObject]) -> None:
    if "text" in block:
        said["content"] = said.get("content", "") + block["text"]
    elif "toolUse" in block:
        use: JsonObject = block["toolUse"]
        function = {"name": use["name"], "arguments": encode(use.get("input") or {}).decode()}
        calls.append({"id": use["toolUseId"], "type": "function", "function": function})
    elif "reasoningContent" in block:
        thought = as_object(block["reasoningContent"].get("reasoningText"))
        if thought is not None:
            said["reasoning_content"] = said.get("reasoning_content", "") + thought["text"]
    elif "citationsContent" in block:
        for part in as_list(block["citationsContent"].get("content")) or []:
            said["content"] = said.get("content", "") + (as_text(part.get("text")) or "")
    else:
        raise _no_text(block)


def _no_text(block: JsonObject) -> WireError:
    return upstream_error(
        "The model answered with something other than text.", detail=", ".join(block)
    )


def chunks(events: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Yield `chat.completion.chunk` objects for a ConverseStream's events.

    Raises:
        WireError: 502 when the stream ends early or holds what is no text.
    """
    stream = _Stream()
    for event in events:
        yield from stream.take(event)
    if not stream.complete:
        raise upstream_error("The model broke its answer off.", detail="no messageStop or metadata")


class _Stream:
    """Follows the events of one answer, numbering its tool calls from 0 without gaps."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._without_input: set[int] = set()
        self._opening: list[JsonObject] = []
        self._stopped = False
        self._counted = False

    @property
    def complete(self) -> bool:
        return self._stopped and self._counted

    def take(self, event: JsonObject) -> Iterator[JsonObject]:
        """Yield the chunks of one event.

        The role is kept back until something follows it: a failure before that is the request's, with
        a status of its own, and not the middle of an answer.
        """
        if "messageStart" in event:
            self._opening = [_chunk({"role": "assistant", "content": ""})]
            return
        for piece in self._pieces(event):
            yield from self._opening
            self._opening = []
            yield piece

    def _pieces(self, event: JsonObject) -> Iterator[JsonObject]:
        if "contentBlockStart" in event:
            yield from self._start(event["contentBlockStart"])
        elif "contentBlockDelta" in event:
            yield from self._delta(event["contentBlockDelta"])
        elif "contentBlockStop" in event:
            block = event["contentBlockStop"]["contentBlockIndex"]
            if block in self._without_input:
                yield self._arguments(block, "{}")
        elif "messageStop" in event:
            self._stopped = True
            yield _chunk({}, finish_reason(event["messageStop"].get("stopReason")))
        elif "metadata" in event:
            self._counted = True
            metadata: JsonObject = event["metadata"]
            yield {"choices": [], "usage": usage(metadata["usage"]), **_tier(metadata)}

    def _start(self, event: JsonObject) -> Iterator[JsonObject]:
        use = as_object(event["start"].get("toolUse"))
        if use is None:
            raise _no_text(event["start"])
        block = event["contentBlockIndex"]
        self._calls[block] = len(self._calls)
        self._without_input.add(block)
        call = {
            "index": self._calls[block],
            "id": use["toolUseId"],
            "type": "function",
            "function": {"name": use["name"], "arguments": ""},
        }
        yield _chunk({"tool_calls": [call]})

    def _delta(self, event: JsonObject) -> Iterator[JsonObject]:
        delta: JsonObject = event["delta"]
        if "text" in delta:
            yield _chunk({"content": delta["text"]})
        elif "toolUse" in delta:
            if fragment := delta["toolUse"]["input"]:
                self._without_input.discard(event["contentBlockIndex"])
                yield self._arguments(event["contentBlockIndex"], fragment)
        elif "reasoningContent" in delta:
            if text := delta["reasoningContent"].get("text"):
                yield _chunk({"reasoning_content": text})
        elif "citation" not in delta:
            raise _no_text(delta)

    def _arguments(self, block: int, fragment: str) -> JsonObject:
        if block not in self._calls:
            raise upstream_error("The model sent a tool's input before its name.")
        call = {"index": self._calls[block], "function": {"arguments": fragment}}
        return _chunk({"tool_calls": [call]})


def _chunk(delta: JsonObject, finish: str | None = None) -> JsonObject:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _tier(holder: JsonObject) -> JsonObject:
    tier = as_object(holder.get("serviceTier"))
    return {"service_tier": tier["type"]} if tier is not None else {}
