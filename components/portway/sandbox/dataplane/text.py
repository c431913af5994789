"""Text that a stand-in model answers: fixed by the model's identity and the prompt, and nothing else.

Two deployments of the same weights, revision and precision answer a prompt with the same text; a
different identity answers differently. Sampling parameters change nothing. A token is a word, or up
to five letters of a long one, with the space before it, or a single other character: about four
characters each, and the tokens of a text joined together are the text.
"""

import hashlib
import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, cast

FEWEST_WORDS = 24
MOST_WORDS = 60
_TOKEN = re.compile(r"\s?\w{1,5}|\s?[^\w\s]|\s")
_WORDS: Sequence[str] = [
    "the",
    "a",
    "one",
    "each",
    "model",
    "answer",
    "token",
    "region",
    "service",
    "request",
    "budget",
    "boundary",
    "stream",
    "latency",
    "weight",
    "revision",
    "précision",
    "naïve",
    "café",
    "façade",
    "Zürich",
    "Køge",
    "señal",
    "größer",
    "over",
    "under",
    "inside",
    "between",
    "carries",
    "keeps",
    "serves",
    "moves",
    "holds",
    "returns",
    "counts",
    "measures",
    "balances",
    "refuses",
    "follows",
    "compares",
    "quiet",
    "steady",
    "small",
    "careful",
    "local",
    "remote",
    "exact",
    "plain",
    "known",
    "early",
    "later",
    "first",
    "last",
    "again",
    "always",
    "never",
    "often",
    "here",
    "there",
    "because",
    "while",
    "so",
    "and",
    "or",
    "but",
    "with",
    "without",
    "through",
    "toward",
    "from",
]
_ENDS = (".", ".", ".", " →", ";", "?", " 🙂.")


@dataclass(frozen=True, order=True)
class Identity:
    """What makes two deployments the same model.

    Attributes:
        weights: a Hugging Face repository.
        revision: a commit of it.
        precision: ``fp8``, ``bf16``, ``mxfp4`` …, or ``auto`` where it is not known.
    """

    weights: str
    revision: str
    precision: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.weights}@{self.revision} {self.precision}"


@dataclass(frozen=True)
class Turn:
    """One message: ``system``, ``user``, ``assistant`` or ``tool``, and its text."""

    role: str
    text: str


def published_precision(weights: str, revision: str) -> str | None:
    """The precision in which that revision was published, where this sandbox knows it."""
    table = json.loads(
        files("portway.sandbox.dataplane").joinpath("bedrock_models.json").read_text("utf-8")
    )
    known = table["weights"].get(weights)
    return known["precision"] if known and known["revision"] == revision else None


def tokens(text: str) -> list[str]:
    """``text`` in tokens."""
    return _TOKEN.findall(text)


def count(turns: Iterable[Turn]) -> int:
    """Tokens of a prompt: its texts, and four for each message's frame."""
    return sum(len(tokens(turn.text)) + 4 for turn in turns)


def canonical(turns: Iterable[Turn]) -> list[Turn]:
    """The same conversation whatever API carried it: instructions first, neighbours merged."""
    given = [Turn("system" if t.role == "developer" else t.role, t.text.strip()) for t in turns]
    system = "\n".join(turn.text for turn in given if turn.role == "system")
    merged = [Turn("system", system)] if system else []
    for turn in given:
        if turn.role == "system":
            continue
        if merged and merged[-1].role == turn.role:
            merged[-1] = Turn(turn.role, f"{merged[-1].text}\n{turn.text}".strip())
        else:
            merged.append(turn)
    return merged


def answer(identity: Identity, turns: Iterable[Turn], *, choice: int = 0) -> str:
    """What the model says: 24 to 60 words in a few sentences."""
    source = _random(identity, turns, f"text {choice}")
    words = [source.choice(_WORDS) for _ in range(source.randint(FEWEST_WORDS, MOST_WORDS))]
    sentences: list[str] = []
    while words:
        length = source.randint(6, 12)
        sentence, words = words[:length], words[length:]
        sentences.append(" ".join(sentence).capitalize() + source.choice(_ENDS))
    return " ".join(sentences)


def value(identity: Identity, turns: Iterable[Turn], schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """A JSON value that ``schema`` allows: its required properties, and nothing that is optional."""
    return _value(_random(identity, turns, "value"), schema, schema)


def call_id(identity: Identity, turns: Iterable[Turn], name: str) -> str:
    """The id of a call of the tool ``name``."""
    return f"{_random(identity, turns, f'call {name}').getrandbits(128):032x}"


def cut(text: str, most_tokens: int, stops: Sequence[str]) -> tuple[str, str, str | None]:
    """``text`` as far as it may go.

    Returns:
        What is left, why it ended (``stop`` or ``length``), and the stop sequence that ended it.
    """
    found = [(text.find(stop), stop) for stop in stops if stop and stop in text]
    at, stop = min(found, default=(len(text), None))
    pieces = tokens(text[:at])
    if len(pieces) > most_tokens:
        return "".join(pieces[:most_tokens]), "length", None
    return text[:at], "stop", stop


def _random(identity: Identity, turns: Iterable[Turn], purpose: str) -> random.Random:
    prompt = [[turn.role, turn.text] for turn in canonical(turns)]
    seed = json.dumps([str(identity), prompt, purpose], ensure_ascii=False)
    return random.Random(hashlib.sha256(seed.encode()).digest())  # noqa: S311 - no secret in it


def _value(source: random.Random, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return source.choice(schema["enum"])
    given: Any = schema.get("type", "object" if "properties" in schema else "string")
    kinds = cast("list[str]", given) if isinstance(given, list) else [str(given)]
    match next((kind for kind in kinds if kind != "null"), "null"):
        case "object":
            properties: Mapping[str, Any] = schema.get("properties", {})
            return {
                name: _value(source, properties.get(name, {"type": "string"}), root)
                for name in schema.get("required", ())
            }
        case "array":
            items = range(int(schema.get("minItems", 1)))
            return [_value(source, schema.get("items", {"type": "string"}), root) for _ in items]
        case "integer" | "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            return min(least, schema.get("maximum", least))
        case "boolean":
            return source.random() < 0.5  # noqa: PLR2004 - a coin
        case "null":
            return None
        case _:
            word = source.choice(_WORDS)
            return word.ljust(int(schema.get("minLength", 1)), "a")


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return _resolved(schema[name][0], root)
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        found: Any = root
        for part in reference[2:].split("/"):
            found = found[part]
        return _resolved(found, root)
    return schema
