"""An attestation judged again, by what it records and the tables installed here; no network, no Pulumi."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from portway.errors import BadInput, Missing, Problem
from portway.gate.attest.document import (
    FORMAT,
    TABLES,
    VERSION,
    Standing,
    installed,
    is_attested,
    sha256,
    standing,
)
from portway.gate.attest.hop import Basis, Hop, Verdict, judged, kept_to
from portway.gate.attest.shape import DocumentSaid, StackSaid, TableSaid
from portway.residency.boundary import Boundary, boundary
from portway.residency.profiles import destinations

_LARGEST_BYTES = 64 * 1024 * 1024
_MOST_NAMED = 3


@dataclass(frozen=True)
class Attestation:
    """A document that has the shape of one: as it was read, and typed."""

    raw: Mapping[str, Any]
    said: DocumentSaid


def read(file: Path) -> Attestation:
    """The document in ``file``.

    Raises:
        Missing: there is no such file.
        BadInput: it is not JSON, not an attestation, one of another version, or one with fields that
            are wrong, absent or unknown.
    """
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise BadInput([Problem("", "is too large to be an attestation", str(file))])
        content: object = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise Missing(f"{file}: cannot be read: {error.strerror}; give its path") from error
    except (ValueError, RecursionError) as error:
        message = (
            f"is not JSON ({error}): it was cut off, or is something else; have it written again"
        )
        raise BadInput([Problem("", message, str(file))]) from None
    if not isinstance(content, dict) or cast("dict[str, Any]", content).get("format") != FORMAT:
        message = "is no attestation; portway gate --attest writes one"
        raise BadInput([Problem("format", message, str(file))])
    document = cast("dict[str, Any]", content)
    if document.get("version") != VERSION:
        given = document.get("version")
        message = (
            f"is {given!r}; this portway reads version {VERSION}: verify it where it was written"
        )
        raise BadInput([Problem("version", message, str(file))])
    try:
        return Attestation(
            document, DocumentSaid.model_validate_json(json.dumps(document), strict=True)
        )
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise BadInput(
            [Problem(_path(one["loc"]), one["msg"], str(file)) for one in faults]
        ) from None


def verify(given: Attestation) -> tuple[str, ...]:
    """Everything that speaks against an attestation; empty when it holds."""
    return tuple(_findings(given))


def _findings(given: Attestation) -> Iterator[str]:
    said = given.said
    told = {key: value for key, value in given.raw.items() if key != "digest"}
    digest = f"sha256:{sha256(told)}"
    if said.digest != digest:
        yield f"digest: the document was changed after it was written; what it holds now is {digest}"
    for name in TABLES:
        yield from _of_table(name, said.tables.get(name))
    for one in said.stacks:
        for finding in _of_stack(one):
            yield f"{one.stack}: {finding}"
    if said.attested != is_attested(one.verdict for one in said.stacks):
        yield "attested: says otherwise than its stacks do"
    if not said.stacks:
        yield "stacks: there is none, so it attests nothing"


def _of_table(name: str, said: TableSaid | None) -> Iterator[str]:
    here = installed(name)
    if said is None:
        yield f"tables: does not say by which {name} it was made"
    elif said.as_of != here["as_of"]:
        yield f"tables: made with {name} of {said.as_of}, installed is that of {here['as_of']}; attest anew"
    elif said.sha256 != here["sha256"]:
        yield f"tables: made with another {name} of {said.as_of} than is installed; attest anew"


def _of_stack(said: StackSaid) -> Iterator[str]:
    try:
        inside = boundary(said.boundary) if said.boundary else None
    except BadInput as error:
        yield "boundary: " + "; ".join(problem.message for problem in error.problems)
        return
    for index, one in enumerate(said.hops):
        for finding in _of_hop(one.hop(), one.verdict, inside):
            yield f"hops[{index}] ({one.kind} {one.name}): {finding}"
    verdicts = [one.verdict for one in said.hops]
    if dict(said.counts) != {verdict: verdicts.count(verdict) for verdict in Verdict}:
        yield "counts: do not add up to its hops"
    due = standing(has_passed=said.gate.passed, verdicts=verdicts)
    if said.verdict != due:
        yield f"verdict: says {said.verdict}, and what it records makes it {due}"
    elif due is not Standing.ATTESTED:
        yield f"is {due}, not attested: {_why(said)}"


def _of_hop(hop: Hop, verdict: Verdict, inside: Boundary | None) -> Iterator[str]:
    due = Verdict.UNDETERMINED if inside is None else judged(hop, inside)
    if verdict != due:
        where = ", ".join(sorted(kept_to(hop.places))) or "no known place"
        yield f"says {verdict}; by the installed tables {where} is {due} of {inside or 'no boundary'}"
    if hop.called_from:
        listed = kept_to(place for place in hop.places if place.basis is Basis.PROFILE)
        reached = destinations(hop.model, hop.called_from)
        if reached is not None and listed != reached:
            served = ", ".join(sorted(reached))
            yield f"lists other regions than those that serve it from {hop.called_from}: {served}"


def _why(said: StackSaid) -> str:
    if not said.gate.passed:
        return "the gate did not pass it"
    if not said.hops:
        return "it has no hop"
    open_verdicts = (Verdict.OUTSIDE, Verdict.UNDETERMINED)
    bad = [f"{one.kind} {one.name}" for one in said.hops if one.verdict in open_verdicts]
    more = f" and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else ""
    return f"{', '.join(bad[:_MOST_NAMED])}{more}"


def _path(parts: tuple[int | str, ...]) -> str:
    named = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return "".join(named).removeprefix(".")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which two values share a key is read differently by different programs.

    Raises:
        ValueError: it is one.
    """
    read_once = dict(pairs)
    if len(read_once) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return read_once
