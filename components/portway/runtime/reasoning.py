"""Reasoning that a model writes into its answer between tags, as a field of its own. Pure.

Bedrock's OpenAI endpoint puts what gpt-oss thinks before the answer, inside `<reasoning>` tags (Amazon
Bedrock user guide, "OpenAI models"); model servers answer with `reasoning_content`.
"""

from collections.abc import Iterable, Iterator

from .jsons import JsonObject, as_list, as_object, as_text

OPEN, CLOSE = "<reasoning>", "</reasoning>"


def split_whole(text: str) -> tuple[str | None, str]:
    """Reasoning (None without any) and answer of a whole text."""
    if not text.startswith(OPEN):
        return None, text
    reasoning, closed, answer = text.removeprefix(OPEN).partition(CLOSE)
    return (reasoning, answer) if closed else (reasoning, "")


class SplitStream:
    """Follows one streamed answer; its tags may be cut anywhere."""

    def __init__(self) -> None:
        self._held = ""
        self._within: bool | None = None
        """None until the first tag was seen, or could not come any more."""

    def pieces(self, chunks: Iterable[JsonObject]) -> Iterator[JsonObject]:
        """Yield the chunks with text inside the tags moved to `reasoning_content`."""
        for chunk in chunks:
            yield from self._of_chunk(chunk)

    def _of_chunk(self, chunk: JsonObject) -> Iterator[JsonObject]:
        choices = as_list(chunk.get("choices")) or []
        choice = as_object(choices[0]) if choices else None
        delta = as_object((choice or {}).get("delta"))
        if choice is None or delta is None:
            yield chunk
            return
        text = as_text(delta.get("content")) or ""
        said = list(self._take(text)) if text else []
        if choice.get("finish_reason") or delta.get("tool_calls"):
            said += self._rest()
        for name, part in said:
            bare = {"index": choice.get("index", 0), "delta": {name: part}, "finish_reason": None}
            yield {**chunk, "choices": [bare]}
        if not text or choice.get("finish_reason") or len(delta) > 1:
            left = {name: value for name, value in delta.items() if name != "content" or not text}
            yield {**chunk, "choices": [{**choice, "delta": left}]}

    def _take(self, text: str) -> Iterator[tuple[str, str]]:
        self._held += text
        if self._within is None:
            if OPEN.startswith(self._held) and self._held != OPEN:
                return
            self._within = self._held.startswith(OPEN)
            self._held = self._held.removeprefix(OPEN)
        if self._within:
            thought, closed, after = self._held.partition(CLOSE)
            kept = 0 if closed else _overlap(thought)
            if ready := thought[: len(thought) - kept]:
                yield "reasoning_content", ready
            self._held = after if closed else thought[len(thought) - kept :]
            if not closed:
                return
            self._within = False
        if self._held:
            yield "content", self._held
            self._held = ""

    def _rest(self) -> Iterator[tuple[str, str]]:
        """What was held back in case a tag came."""
        held, self._held = self._held, ""
        if held:
            yield ("reasoning_content" if self._within else "content"), held


def _overlap(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of the closing tag."""
    longest = min(len(text), len(CLOSE) - 1)
    return next((n for n in range(longest, 0, -1) if CLOSE.startswith(text[-n:])), 0)
