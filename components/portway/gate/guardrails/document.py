"""What a guardrail is: documents for one place where policies are attached, and what they leave open."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portway.errors import BadInput, Problem
from portway.gate.tables import table

TABLE = "guardrails.json"
_MOST_POLICIES = 5


@dataclass(frozen=True)
class Document:
    """One policy, ready to be attached.

    Attributes:
        characters: its length as the vendor counts it; None where there is no limit.
        limit: the most characters the vendor takes; None where there is no limit.
    """

    name: str
    content: Mapping[str, Any]
    characters: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Guardrail:
    """The documents of one format, in the order they are applied, and what they do not cover."""

    format: str
    documents: tuple[Document, ...]
    does_not_cover: tuple[str, ...]


def compact(content: Mapping[str, Any]) -> str:
    """JSON without any space that a vendor would count."""
    return json.dumps(content, separators=(",", ":"))


def uncovered(format_name: str) -> tuple[str, ...]:
    """What documents of this format leave open."""
    return tuple(table(TABLE)["does_not_cover"][format_name])


def limit_of(format_name: str) -> int:
    """The most characters of one IAM document of this format."""
    limit: int = table(TABLE)["limits"][format_name]
    return limit


def packed(
    format_name: str, name: str, statements: Sequence[Mapping[str, Any]], limit: int
) -> tuple[Document, ...]:
    """``statements`` in as few documents as ``limit`` characters allow, in their order.

    Raises:
        BadInput: one statement alone is longer, or more than five documents would be needed, which is
            the most that can be attached to one account.
    """
    groups: list[list[Mapping[str, Any]]] = [[]]
    for statement in statements:
        if groups[-1] and len(compact(_policy([*groups[-1], statement]))) > limit:
            groups.append([])
        groups[-1].append(statement)
    documents = tuple(
        Document(
            name if len(groups) == 1 else f"{name}-{number}",
            _policy(group),
            len(compact(_policy(group))),
            limit,
        )
        for number, group in enumerate(groups, 1)
    )
    longest = max(document.characters or 0 for document in documents)
    if longest > limit:
        message = f"{format_name} would have a statement of {longest} characters; AWS takes {limit}"
        raise BadInput([Problem("boundary", f"{message}; choose a boundary with fewer regions")])
    if len(documents) > _MOST_POLICIES:
        message = (
            f"{format_name} would need {len(documents)} policies; AWS attaches {_MOST_POLICIES}"
        )
        raise BadInput([Problem("boundary", f"{message}; choose a boundary with fewer regions")])
    return documents


def _policy(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
