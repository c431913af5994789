"""Clients that never stop asking, as the official client asks, and count what went wrong."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import openai

_TIMEOUT_SECONDS = 600.0
"""As long as the official client waits when nobody tells it otherwise."""
_PAUSE_SECONDS = 0.2
_SHOWN = 5


@dataclass
class Counts:
    """What the clients saw.

    Attributes:
        answered: streams that came whole: a text, one reason to end, usage, ``[DONE]``.
        failed: requests that the client could not make an answer of.
        cut: streams that ended early.
        twice: answers whose id had come before.
        prompt_tokens: of what was answered.
        answer_tokens: the same.
        slowest_first_token_seconds: of all.
        errors: a few different ones, without the key.
    """

    answered: int = 0
    failed: int = 0
    cut: int = 0
    twice: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    slowest_first_token_seconds: float = 0.0
    errors: Counter[str] = field(default_factory=Counter[str])
    ids: set[str] = field(default_factory=set[str])

    @property
    def wrong(self) -> int:
        """Everything that a client would complain about."""
        return self.failed + self.cut + self.twice

    def __str__(self) -> str:
        """One line, and the commonest errors."""
        said = (
            f"{self.answered} answered, {self.failed} failed, {self.cut} cut short, "
            f"{self.twice} twice; slowest first token {self.slowest_first_token_seconds:.2f} s"
        )
        common = "; ".join(f"{text} ({many})" for text, many in self.errors.most_common(_SHOWN))
        return f"{said}; {common}" if common else said


@contextmanager
def asking(url: str, key: str, model: str, clients: int) -> Generator[Counts]:
    """``clients`` that stream from ``url`` all the time, until the block is left and they have ended.

    None of them tries again: a failure is a failure. The counts may be read all along.
    """
    counts, stopping = Counts(), threading.Event()

    async def work() -> None:
        client = openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=_TIMEOUT_SECONDS
        )
        async with client:
            each = (_ask_on(client, model, number, stopping, counts) for number in range(clients))
            await asyncio.gather(*each)

    thread = threading.Thread(target=lambda: asyncio.run(work()), name="clients")
    thread.start()
    try:
        yield counts
    finally:
        stopping.set()
        thread.join()


async def _ask_on(
    client: openai.AsyncOpenAI, model: str, number: int, stopping: threading.Event, counts: Counts
) -> None:
    asked = 0
    while not stopping.is_set():
        asked += 1
        try:
            await _ask(client, model, f"Client {number} asks its question {asked}.", counts)
        except openai.OpenAIError as error:
            counts.failed += 1
            status = getattr(error, "status_code", None)
            code = getattr(error, "code", None)
            counts.errors[f"{type(error).__name__} {status or ''} {code or ''}".strip()] += 1
        except Exception as error:  # noqa: BLE001 - whatever a client may meet is counted
            counts.cut += 1
            counts.errors[type(error).__name__] += 1
        await asyncio.sleep(_PAUSE_SECONDS)


async def _ask(client: openai.AsyncOpenAI, model: str, text: str, counts: Counts) -> None:
    began, first = time.monotonic(), 0.0
    said, ends, usage, identity = "", 0, None, ""
    stream = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        max_tokens=48,
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        identity, usage = chunk.id, chunk.usage or usage
        for choice in chunk.choices:
            if choice.delta.content:
                first = first or time.monotonic() - began
                said += choice.delta.content
            ends += choice.finish_reason is not None
    if not said or ends != 1 or usage is None:
        counts.cut += 1
        counts.errors["the stream ended early"] += 1
    elif identity in counts.ids:
        counts.twice += 1
    else:
        counts.answered += 1
        counts.prompt_tokens += usage.prompt_tokens
        counts.answer_tokens += usage.completion_tokens
    counts.ids.add(identity)
    counts.slowest_first_token_seconds = max(counts.slowest_first_token_seconds, first)
