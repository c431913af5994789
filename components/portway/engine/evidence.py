"""What was seen of an interrupted stack, and what its user says of it; checked against each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from portway.engine.recover import Lock
from portway.errors import BadInput, Problem

CREATING = "creating"
ADOPT, NEVER = "--adopt", "--never-happened"

Found = Mapping[str, Sequence[str]]
"""The ids a cloud has by URN, without those that the state knows."""


@dataclass(frozen=True)
class Orphan:
    """What the cloud has although no state knows it.

    Attributes:
        command: the words after ``pulumi`` that adopt it.
    """

    urn: str
    type: str
    id: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What was seen of a stack.

    Attributes:
        deployment: the ``deployment`` of ``pulumi stack export``.
        locks: the lock files; empty too where a backend does not show them.
        found: what the cloud has; None where it is not read.
        orphans: what the cloud has and no state knows.
    """

    deployment: Mapping[str, Any]
    locks: Sequence[Lock] = ()
    found: Found | None = None
    orphans: Sequence[Orphan] = ()


@dataclass(frozen=True)
class Decisions:
    """What the user says where nothing can be looked up.

    Attributes:
        adopt: ``URN=ID`` each.
        never: URNs of creates that never happened.
        release_lock: whether locks are removed whose process cannot be seen from here.
    """

    adopt: Sequence[str] = ()
    never: Sequence[str] = ()
    release_lock: bool = False


def pending(deployment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The operations that did not end, as the engine recorded them: ``type`` and ``resource``."""
    return cast("list[Mapping[str, Any]]", deployment.get("pending_operations") or [])


def new_ids(rows: Iterable[tuple[str, str]], deployment: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a cloud has by URN (``rows``: URN and id), without what the state knows under that id."""
    known = {(str(each["urn"]), str(each.get("id"))) for each in resources(deployment)}
    found: dict[str, list[str]] = {}
    for urn, identity in rows:
        if (urn, identity) not in known:
            found.setdefault(urn, []).append(identity)
    return found


def remembered(
    deployment: Mapping[str, Any], journal: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The deployment with the operations of ``journal`` still pending.

    ``pulumi stack import`` drops every pending operation (engine 3.259), so that a recovery which is
    killed after it leaves them in its journal alone.
    """
    operations = pending(deployment)
    now = {str(each["resource"]["urn"]) for each in operations}
    more = [each for each in journal if str(each["resource"]["urn"]) not in now]
    return {**deployment, "pending_operations": [*operations, *more]}


def known_id(deployment: Mapping[str, Any], urn: str) -> str:
    """The id under which the state knows ``urn``, before what waits for its deletion; "" for none."""
    alike = [each for each in resources(deployment) if each["urn"] == urn and each.get("id")]
    alike.sort(key=lambda each: bool(each.get("delete")))
    return str(alike[0]["id"]) if alike else ""


def decided(seen: Evidence, said: Decisions) -> tuple[dict[str, str], frozenset[str]]:
    """The id by URN of what is adopted, and the URNs of what never happened.

    Raises:
        BadInput: everything wrong with what the user decided.
    """
    creates = [
        str(each["resource"]["urn"])
        for each in pending(seen.deployment)
        if each.get("type") == CREATING
    ]
    problems: list[Problem] = []
    adopt: dict[str, str] = {}
    done = {(str(each["urn"]), str(each.get("id"))) for each in resources(seen.deployment)}
    for text in said.adopt:
        urn = next((each for each in creates if text.startswith(f"{each}=")), None)
        if urn is None:
            if not any(text == f"{known}={identity}" for known, identity in done):
                problems.append(_unknown(ADOPT, text, creates))
            continue
        identity = text[len(urn) + 1 :]
        problem = _wrong_id(seen, urn, identity, adopt.get(urn))
        if problem is not None:
            problems.append(problem)
        adopt[urn] = identity
    for urn in said.never:
        if urn not in creates:
            problems.append(_unknown(NEVER, urn, creates))
        elif urn in adopt:
            message = f"{urn} is adopted by {ADOPT} at once; decide one"
            problems.append(Problem(NEVER, message))
        elif seen.found and seen.found.get(urn):
            message = (
                f"the cloud has {urn}: {', '.join(seen.found[urn])}; adopt it, or delete it there"
            )
            problems.append(Problem(NEVER, message))
    if problems:
        raise BadInput(problems)
    return adopt, frozenset(said.never)


def _unknown(option: str, text: str, creates: Sequence[str]) -> Problem:
    known = f"those that are: {', '.join(creates)}" if creates else "no create is"
    form = "" if option == NEVER or "=" in text else "; its form is URN=ID"
    return Problem(option, f"{text!r} names no interrupted create; {known}{form}")


def _wrong_id(seen: Evidence, urn: str, identity: str, before: str | None) -> Problem | None:
    if not identity.strip():
        return Problem(ADOPT, f"{urn} has no ID; its form is URN=ID")
    if before not in {None, identity}:
        return Problem(ADOPT, f"{urn} is given two IDs, {before} and {identity}; give one")
    known = known_id(seen.deployment, urn)
    if seen.found is None or identity in {known, *seen.found.get(urn, ())}:
        return None
    has = ", ".join(seen.found.get(urn, ())) or "nothing"
    return Problem(ADOPT, f"the cloud has no {identity} for {urn}; it has {has}")


def resources(deployment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the state knows."""
    return cast("list[Mapping[str, Any]]", deployment.get("resources") or [])
