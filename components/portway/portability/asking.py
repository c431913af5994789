"""Asks real ends, as clients do: streamed, with their key, and without any patience for a failure."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, TypeVar, cast

import httpx

from portway.conformance.check import Ended, run_checks
from portway.conformance.endpoint import CHAT, Endpoint
from portway.conformance.suite import chosen
from portway.errors import BadInput, Problem
from portway.portability.guards import Pair, Sample
from portway.portability.world import End

_OK: Final = 200
_BUSY: Final = 429
_TRIES: Final = 3
"""As OpenAI's clients do by default when they are told that there are too many requests."""
_BUSY_SECONDS: Final = 0.5
_AT_ONCE: Final = 4
_DONE: Final = "[DONE]"

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Prompt:
    """What both ends are asked.

    Attributes:
        name: what it is called wherever it is told of; its text never is.
        messages: as the API takes them.
    """

    name: str
    messages: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Prompts:
    """The prompts of a replay, and how long answers may be."""

    each: tuple[Prompt, ...]
    max_tokens: int


def shipped_prompts() -> Prompts:
    """A few prompts of ours: short, in several languages, with nothing personal in them."""
    text = files("portway.portability").joinpath("prompts.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return Prompts(
        tuple(
            Prompt(name, ({"role": "user", "content": said},))
            for name, said in found["prompts"].items()
        ),
        int(found["max_tokens"]),
    )


def read_prompts(file: Path) -> Prompts:
    """Recorded prompts: one JSON object a line with ``messages``, or with ``prompt``, a text.

    Raises:
        BadInput: every line that is neither, or there is none.
    """
    problems: list[Problem] = []
    each: list[Prompt] = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput([Problem("--prompts", f"{file} cannot be read: {error}")]) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        messages = _messages(line)
        if messages is None:
            message = 'is no JSON object with "messages" (a list) or "prompt" (a text)'
            problems.append(Problem("--prompts", message, f"{file}:{number}"))
        else:
            each.append(Prompt(f"prompt {number}", messages))
    if not each and not problems:
        problems.append(Problem("--prompts", "holds no prompt", str(file)))
    if problems:
        raise BadInput(problems)
    return Prompts(tuple(each), shipped_prompts().max_tokens)


def _messages(line: str) -> tuple[Mapping[str, Any], ...] | None:
    try:
        parsed: object = json.loads(line)
    except ValueError:
        return None
    if not isinstance(parsed, dict):
        return None
    found = cast("dict[str, object]", parsed)
    if isinstance(found.get("prompt"), str):
        return ({"role": "user", "content": found["prompt"]},)
    messages = found.get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    listed = cast("list[object]", messages)
    if not all(isinstance(one, dict) for one in listed):
        return None
    return tuple(cast("list[Mapping[str, Any]]", listed))


class HttpAsker:
    """Asks over HTTP, a few requests side by side."""

    def __init__(self, prompts: Prompts, timeout_seconds: float, samples: int = 8) -> None:
        """Wait at most ``timeout_seconds`` for one answer; ``samples`` requests make a sample."""
        self._prompts = prompts
        self._timeout_seconds = timeout_seconds
        self._samples = samples

    def probe(self, end: End) -> tuple[str, ...]:
        """As ``world.Asker``: the whole suite of ``portway probe``."""
        with Endpoint(end.url, end.key, end.model, self._timeout_seconds) as endpoint:
            results = run_checks(endpoint, chosen(()), at_once=_AT_ONCE)
        broken = [one for one in results if one.ended is Ended.BROKEN]
        return tuple(f"{one.check.id}: {one.detail}" for one in broken)

    def sample(self, end: End) -> Sequence[Sample]:
        """As ``world.Asker``; always with the prompts of ours."""
        prompts = islice(cycle(shipped_prompts().each), self._samples)
        return _each(lambda prompt: self._ask(end, prompt), prompts)

    def replay(self, source: End, destination: End) -> Sequence[Pair]:
        """As ``world.Asker``."""

        def both(prompt: Prompt) -> Pair:
            return Pair(prompt.name, self._ask(source, prompt), self._ask(destination, prompt))

        return _each(both, self._prompts.each)

    def _ask(self, end: End, prompt: Prompt) -> Sample:
        body = {
            "model": end.model,
            "messages": prompt.messages,
            "max_tokens": self._prompts.max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        with httpx.Client(timeout=self._timeout_seconds, trust_env=False) as client:
            for _ in range(_TRIES - 1):
                found = _streamed(client, end, body)
                if found.error != _failed(_BUSY):
                    return found
                sleep(_BUSY_SECONDS)
            return _streamed(client, end, body)


def _each(ask: Callable[[Prompt], _Found], prompts: Iterable[Prompt]) -> list[_Found]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, prompts))


def _streamed(client: httpx.Client, end: End, body: Mapping[str, Any]) -> Sample:
    """One streamed request, read to its end; what goes wrong is told without the key."""
    began = monotonic()
    reading = _Reading(began)
    url = f"{end.url.rstrip('/').removesuffix('/v1')}{CHAT}"
    try:
        with client.stream(
            "POST", url, json=body, headers={"authorization": f"Bearer {end.key}"}
        ) as answer:
            if answer.status_code != _OK:
                return _failure(_failed(answer.status_code), began)
            for line in answer.iter_lines():
                reading.line(line)
    except httpx.HTTPError as error:
        text = f"{type(error).__name__}: {error}".replace(end.key or "\0", "<key>")
        return _failure(text[:120], began)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return _failure("an event is not of the documented shape", began)
    if not reading.ended:
        return _failure("the stream was cut", began)
    if not reading.text:
        return _failure("no text came", began)
    return reading.sample()


class _Reading:
    """What has come of one stream so far."""

    def __init__(self, began: float) -> None:
        self.text = ""
        self.ended = False
        self._began = began
        self._first_token_seconds = 0.0
        self._usage: Mapping[str, int] = {}

    def line(self, line: str) -> None:
        """One line of the stream. Raises what JSON of another shape raises."""
        if not line.startswith("data: "):
            return
        data = line.removeprefix("data: ")
        if data == _DONE:
            self.ended = True
            return
        chunk: dict[str, Any] = json.loads(data)
        if "error" in chunk:
            raise ValueError(chunk)
        self._usage = chunk.get("usage") or self._usage
        piece = "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
        if piece and not self.text:
            self._first_token_seconds = monotonic() - self._began
        self.text += piece

    def sample(self) -> Sample:
        """A whole answer."""
        return Sample(
            self.text, self._first_token_seconds, monotonic() - self._began,
            self._usage.get("prompt_tokens", 0), self._usage.get("completion_tokens", 0),
        )  # fmt: skip


def _failure(error: str, began: float) -> Sample:
    return Sample("", 0.0, monotonic() - began, error=error)


def _failed(status: int) -> str:
    return f"HTTP {status}"
