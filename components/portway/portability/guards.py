"""What was measured of an end, and whether it is good enough to send traffic there. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

_SHOWN = 3


@dataclass(frozen=True)
class Sample:
    """One streamed answer.

    Attributes:
        text: what the model said; "" where it failed.
        first_token_seconds: from sending the request to the first piece of the answer.
        seconds: to its end.
        error: what went wrong, in a few words and without a key; "" where nothing did.
    """

    text: str
    first_token_seconds: float
    seconds: float
    prompt_tokens: int = 0
    answer_tokens: int = 0
    error: str = ""


@dataclass(frozen=True)
class Limits:
    """How much worse the destination may be.

    Attributes:
        errors: the share of requests that may fail, 0 to 1.
        slower: how many times as long the first token may take, beside ``allowance_seconds``.
        allowance_seconds: by how much it may be later whatever the ratio.
        likeness: how alike answers must be where weights or precision are not published, 0 to 1;
            where both ends are known to be the same model, answers must be the same.
        tokens: how many times as many tokens an answer or a prompt may be counted as.
    """

    errors: float = 0.01
    slower: float = 2.0
    allowance_seconds: float = 1.0
    likeness: float = 0.5
    tokens: float = 1.5

    def first_token_at_most(self, before_seconds: float) -> float:
        """Seconds that the first token may take where it took ``before_seconds``."""
        return max(before_seconds * self.slower, before_seconds + self.allowance_seconds)


@dataclass(frozen=True)
class Health:
    """What many samples of one end say.

    Attributes:
        first_token_seconds: the 95th percentile of those that were answered; 0 where none was.
        errors: a few different ones.
    """

    asked: int
    failed: int
    first_token_seconds: float
    errors: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether any request was answered."""
        return self.failed < self.asked

    def as_data(self) -> dict[str, Any]:
        """As a journal keeps it."""
        return {
            "asked": self.asked,
            "failed": self.failed,
            "first_token_seconds": round(self.first_token_seconds, 4),
        }

    def __str__(self) -> str:
        """One line."""
        said = f"{self.asked} asked, {self.failed} failed"
        return (
            f"{said}, first token {self.first_token_seconds * 1000:.0f} ms"
            if self.answers
            else said
        )


def health(samples: Sequence[Sample]) -> Health:
    """What ``samples`` of one end say together."""
    good = sorted(one.first_token_seconds for one in samples if not one.error)
    at = math.ceil(0.95 * len(good)) - 1
    errors = tuple(dict.fromkeys(one.error for one in samples if one.error))[:_SHOWN]
    return Health(len(samples), len(samples) - len(good), good[at] if good else 0.0, errors)


def faults_of(what: str, now: Health, before_seconds: float, limits: Limits) -> tuple[str, ...]:
    """Why ``now`` is not good enough; empty where it is.

    Args:
        what: whom it was measured of, for the sentences.
        now: what was measured.
        before_seconds: the time to the first token through the door before the move.
        limits: how much worse it may be.
    """
    found: list[str] = []
    if now.failed > now.asked * limits.errors:
        errors = "; ".join(now.errors)
        found.append(
            f"{what}: {now.failed} of {now.asked} requests failed, {limits.errors:.0%} may: {errors}"
        )
    most = limits.first_token_at_most(before_seconds)
    if now.answers and now.first_token_seconds > most:
        found.append(
            f"{what}: the first token took {now.first_token_seconds:.2f} s (95th percentile), at most "
            f"{most:.2f} s is allowed; before the move it took {before_seconds:.2f} s"
        )
    return tuple(found)


@dataclass(frozen=True)
class Pair:
    """One prompt, and what both ends answered.

    Attributes:
        prompt: its name; never its text, which may be a client's.
    """

    prompt: str
    source: Sample
    destination: Sample


@dataclass(frozen=True)
class Likeness:
    """How alike the answers of both ends are.

    Attributes:
        least: of the pair that is least alike, 0 to 1.
        same: how many are the same to the letter.
    """

    compared: int
    same: int
    least: float
    faults: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """As a journal keeps it."""
        return {"compared": self.compared, "same": self.same, "least": round(self.least, 3)}

    def __str__(self) -> str:
        """One line."""
        return f"{self.compared} prompts, {self.same} answered to the letter alike, the least {self.least:.0%}"


def compare_answers(pairs: Sequence[Pair], limits: Limits, *, is_same_model: bool) -> Likeness:
    """Whether the destination answers as the source does, as fast, and counts tokens alike."""
    needed = 1.0 if is_same_model else limits.likeness
    found: list[float] = []
    faults: list[str] = []
    for pair in pairs:
        failed = [
            f"the {end} failed at {pair.prompt}: {sample.error}"
            for end, sample in (("source", pair.source), ("destination", pair.destination))
            if sample.error
        ]
        if failed:
            faults += failed
            continue
        alike = likeness(pair.source.text, pair.destination.text)
        found.append(alike)
        if alike < needed:
            what = (
                "the same model must answer the same"
                if is_same_model
                else f"{needed:.0%} is needed"
            )
            faults.append(f"answers to {pair.prompt} are {alike:.0%} alike, and {what}")
        faults += _tokens(pair, limits)
    faults += _slower(pairs, limits)
    same = sum(one == 1.0 for one in found)
    return Likeness(len(pairs), same, min(found, default=0.0), tuple(faults))


def likeness(one: str, other: str) -> float:
    """How alike two texts are, word by word: 1 for the same, 0 for nothing in common."""
    if one == other:
        return 1.0
    ratio = SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio()
    return min(ratio, 0.999)


def _tokens(pair: Pair, limits: Limits) -> Iterable[str]:
    counts = (
        ("the prompt", pair.source.prompt_tokens, pair.destination.prompt_tokens),
        ("the answer", pair.source.answer_tokens, pair.destination.answer_tokens),
    )
    for what, before, after in counts:
        if before and after > before * limits.tokens:
            yield (
                f"{what} of {pair.prompt} is {after} tokens at the destination and {before} at "
                f"the source: more than {limits.tokens:g} times as many are billed"
            )


def _slower(pairs: Sequence[Pair], limits: Limits) -> tuple[str, ...]:
    before = health([pair.source for pair in pairs])
    after = health([pair.destination for pair in pairs])
    most = limits.first_token_at_most(before.first_token_seconds)
    if not (before.answers and after.answers) or after.first_token_seconds <= most:
        return ()
    return (
        f"the destination's first token took {after.first_token_seconds:.2f} s (95th percentile), the "
        f"source's {before.first_token_seconds:.2f} s; at most {most:.2f} s is allowed",
    )
