"""The attestation: one JSON document for the stacks of one gate run. Its format is in docs/attestation.md."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from portway.gate.attest.hop import Hop, Verdict, judged
from portway.residency.boundary import Boundary

FORMAT = "portway-residency-attestation"
VERSION = 1
TABLES = {
    "boundaries.json": "portway.residency",
    "places.json": "portway.residency",
    "bedrock_profiles.json": "portway.residency",
    "reviewed.json": "portway.gate/data",
    "hops.json": "portway.gate/data",
}
"""Tables by which hops are found and judged, and the package each ships in."""
_SDKS = ("pulumi", "pulumi-policy", "pulumi-aws", "pulumi-gcp", "pulumi-kubernetes")


class Standing(StrEnum):
    """How one stack stands."""

    ATTESTED = "attested"
    """The gate passed it, it has hops, and each is inside or declared."""
    UNDETERMINED = "undetermined"
    """The gate passed it, and yet a hop's place is not known, or no hop was found."""
    REFUSED = "refused"
    """The gate refused it, did not judge it wholly, or a hop is outside."""


@dataclass(frozen=True)
class Judged:
    """One stack as the gate left it.

    Attributes:
        boundary: None where none was declared.
        has_passed: the gate's own verdict.
        resources: how many it judged.
        advice: how many violations it only reported.
    """

    stack: str
    boundary: Boundary | None
    has_passed: bool
    resources: int
    advice: int
    hops: tuple[Hop, ...]


@dataclass(frozen=True)
class Made:
    """By what the stacks were judged: the pack, its configuration, the engine."""

    pack: str
    pack_version: str
    rules: tuple[str, ...]
    configuration: Mapping[str, Any]
    engine: str


def attestation(
    stacks: Sequence[Judged], made: Made, now: datetime | None = None
) -> dict[str, Any]:
    """The document for ``stacks``, with its digest."""
    at = (now or datetime.now(tz=UTC)).astimezone(UTC)
    written = [_stack(one) for one in stacks]
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "issued_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "attested": is_attested(one["verdict"] for one in written),
        "pack": {
            "name": made.pack,
            "version": made.pack_version,
            "rules": sorted(made.rules),
            "configuration_sha256": sha256(made.configuration),
        },
        "tables": {name: dict(installed(name)) for name in TABLES},
        "tools": {"portway": _version("portway"), "engine": made.engine}
        | {name: _version(name) for name in _SDKS},
        "stacks": written,
    }
    return document | {"digest": f"sha256:{sha256(document)}"}


def is_attested(verdicts: Iterable[str]) -> bool:
    """Whether every stack is, and there is one."""
    all_of_them = list(verdicts)
    return bool(all_of_them) and set(all_of_them) == {Standing.ATTESTED}


def standing(*, has_passed: bool, verdicts: Iterable[str]) -> Standing:
    """How a stack stands, by the gate's verdict and those of its hops."""
    said = set(verdicts)
    if not has_passed or Verdict.OUTSIDE in said:
        return Standing.REFUSED
    return Standing.UNDETERMINED if not said or Verdict.UNDETERMINED in said else Standing.ATTESTED


def canonical(document: object) -> bytes:
    """The one way to write ``document`` that its digest is taken of: sorted keys, no space, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def sha256(document: object) -> str:
    """Hexadecimal SHA-256 over the canonical form."""
    return hashlib.sha256(canonical(document)).hexdigest()


@cache
def installed(name: str) -> Mapping[str, str]:
    """The date and the SHA-256 of an installed table."""
    package, _, folder = TABLES[name].partition("/")
    content = files(package).joinpath(*filter(None, (folder, name))).read_bytes()
    as_of: str = json.loads(content)["as_of"]
    return {"as_of": as_of, "sha256": hashlib.sha256(content).hexdigest()}


_TEXTS = ("kind", "type", "name", "urn", "model", "called_from", "note")


def _stack(one: Judged) -> dict[str, Any]:
    hops = [_hop(hop, one.boundary) for hop in one.hops]
    verdicts = [hop["verdict"] for hop in hops]
    found = {hop.kind for hop in one.hops}
    return {
        "stack": one.stack,
        "verdict": standing(has_passed=one.has_passed, verdicts=verdicts).value,
        "boundary": list(one.boundary.names) if one.boundary is not None else [],
        "gate": {
            "passed": one.has_passed,
            "resources_judged": one.resources,
            "advice": one.advice,
        },
        "counts": {verdict.value: verdicts.count(verdict.value) for verdict in Verdict},
        "without_a_hop": [kind for kind in _EXPECTED if kind not in found],
        "hops": hops,
    }


_EXPECTED = ("entry", "compute", "model", "logs", "stores", "keys")
"""Kinds of hop that are named when a stack has none: another stack may hold them."""


def _hop(hop: Hop, boundary: Boundary | None) -> dict[str, Any]:
    verdict = Verdict.UNDETERMINED if boundary is None else judged(hop, boundary)
    written: dict[str, Any] = {
        name: getattr(hop, name)
        for name in _TEXTS
        if getattr(hop, name) or name in ("kind", "name")
    }
    written["places"] = [
        {"place": one.place, "path": one.path, "basis": one.basis.value} for one in hop.places
    ]
    return written | {"verdict": verdict.value}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
