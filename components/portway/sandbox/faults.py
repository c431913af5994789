"""Faults on purpose: ``faults.yaml`` in the sandbox's folder says what goes wrong, where and how often.

    faults:
      - {type: "aws:lambda/*", operation: create, name: "*", fault: denied, times: 1}
      - {type: "gcp:cloudrunv2/service:Service", operation: create, fault: {latency_seconds: 5}}
    quotas:
      NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion: {europe-west4: 1, default: 3}

``times`` is counted in the store, so a fault that strikes once strikes once, whichever plugin process is
asked. The file is read when a plugin starts.
"""

import fnmatch
import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any, cast

from portway.errors import BadInput, Problem
from portway.sandbox.store import Store

CRASHED = 70
OPERATIONS = ("create", "update", "read", "delete")
Quotas = dict[str, dict[str, int]]  # quota id → region (or "default") → amount
_KEYS = {"type", "operation", "name", "fault", "times"}


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency_seconds"
    QUOTA = "quota"
    DENIED = "denied"
    HALF_CREATE = "half_create"
    CRASH = "crash"


@dataclass(frozen=True)
class Fault:
    """One rule.

    Attributes:
        kind: what goes wrong.
        type: glob over type tokens.
        operation: one of ``OPERATIONS``.
        name: glob over logical names.
        times: how often it strikes; None for always.
        latency_seconds: how long a latency lasts.
    """

    kind: FaultKind
    type: str = "*"
    operation: str = "create"
    name: str = "*"
    times: int | None = None
    latency_seconds: float = 0.0

    def matches(self, operation: str, type_token: str, name: str) -> bool:
        """Whether this rule is about that call."""
        return (
            self.operation == operation
            and fnmatch.fnmatchcase(type_token, self.type)
            and fnmatch.fnmatchcase(name, self.name)
        )

    @property
    def identity(self) -> str:
        """What its count is kept under: the rule itself, so that an edited rule counts anew."""
        text = json.dumps([self.kind, self.type, self.operation, self.name, self.times])
        return f"fault:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@dataclass
class Faults:
    """Every rule of one sandbox."""

    store: Store
    rules: tuple[Fault, ...] = ()
    quotas: Quotas = field(default_factory=dict[str, dict[str, int]])
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def load(cls, path: Path, store: Store) -> "Faults":
        """Read ``path``; no file, no faults.

        Raises:
            BadInput: the file cannot be read as rules. Carries every problem.
        """
        if not path.is_file():
            return cls(store)
        rules, quotas = parse(path)
        return cls(store, rules, quotas)

    def due(self, operation: str, type_token: str, name: str) -> list[Fault]:
        """The faults that strike this call; each is counted as having struck."""
        found = [rule for rule in self.rules if rule.matches(operation, type_token, name)]
        return [rule for rule in found if self._take(rule)]

    def _take(self, rule: Fault) -> bool:
        if rule.times is None:
            return True
        with self._lock:
            struck = int(self.store.meta(rule.identity) or 0)
            if struck >= rule.times:
                return False
            self.store.set_meta(rule.identity, str(struck + 1))
            return True


def parse(path: Path) -> tuple[tuple[Fault, ...], Quotas]:
    """The rules and quotas in a faults file.

    Raises:
        BadInput: with every problem found.
    """
    # the parser is only paid for where there is a file
    from ruamel.yaml import YAML, YAMLError  # noqa: PLC0415

    try:
        reader = cast("Any", YAML(typ="safe", pure=True))  # the library declares no types
        loaded: Any = reader.load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise BadInput([Problem("", f"not YAML: {error}", str(path))]) from error
    document = _object({"faults": loaded} if isinstance(loaded, list) else loaded or {})
    if document is None or document.keys() - {"faults", "quotas"}:
        message = "must be a list of rules, or an object with `faults` and `quotas` only"
        raise BadInput([Problem("", message, str(path))])
    entries: list[Any] = document.get("faults") or []
    problems = [p for i, entry in enumerate(entries) for p in _problems(entry, f"faults[{i}]")]
    quotas = _object(document.get("quotas") or {})
    problems += _quota_problems(quotas)
    if problems:
        raise BadInput([problem.at(str(path)) for problem in problems])
    return tuple(_rule(entry) for entry in entries), quotas or {}


def _object(value: Any) -> dict[str, Any] | None:  # noqa: ANN401 - whatever the file holds
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _problems(entry: Any, path: str) -> list[Problem]:  # noqa: ANN401 - whatever the file holds
    rule = _object(entry)
    if rule is None:
        return [Problem(path, f"must be an object with {', '.join(sorted(_KEYS))}")]
    found = [
        Problem(f"{path}.{key}", f"unknown key; it takes {', '.join(sorted(_KEYS))}")
        for key in sorted(rule.keys() - _KEYS)
    ]
    if rule.get("operation", "create") not in OPERATIONS:
        found.append(Problem(f"{path}.operation", f"must be one of {', '.join(OPERATIONS)}"))
    times = rule.get("times")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        found.append(Problem(f"{path}.times", "must be a whole number of at least 1, or left out"))
    found += _fault_problems(rule, path)
    return found


def _fault_problems(rule: dict[str, Any], path: str) -> list[Problem]:
    fault = rule.get("fault")
    latency = (_object(fault) or {}).get("latency_seconds")
    if isinstance(latency, int | float) and not isinstance(latency, bool) and latency >= 0:
        return []
    plain = [kind for kind in FaultKind if kind is not FaultKind.LATENCY]
    if fault not in plain:
        wanted = f"must be one of {', '.join(plain)}, or {{latency_seconds: N}}"
        return [Problem(f"{path}.fault", wanted)]
    if fault == FaultKind.HALF_CREATE and rule.get("operation", "create") != "create":
        return [Problem(f"{path}.fault", "only a create can half succeed")]
    if fault == FaultKind.CRASH and rule.get("operation", "create") not in ("create", "update"):
        return [Problem(f"{path}.fault", "a crash strikes after a create or an update")]
    return []


def _quota_problems(quotas: dict[str, Any] | None) -> list[Problem]:
    if quotas is None:
        return [Problem("quotas", "must be an object: quota id → region (or default) → number")]
    return [
        Problem(f"quotas.{name}", "must be an object: region (or default) → whole number")
        for name, regions in quotas.items()
        if not all(isinstance(n, int) for n in (_object(regions) or {"": None}).values())
    ]


def _rule(entry: dict[str, Any]) -> Fault:
    fault = entry["fault"]
    latency = _object(fault)
    return Fault(
        kind=FaultKind.LATENCY if latency else FaultKind(fault),
        type=str(entry.get("type", "*")),
        operation=str(entry.get("operation", "create")),
        name=str(entry.get("name", "*")),
        times=entry.get("times"),
        latency_seconds=float(latency["latency_seconds"]) if latency else 0.0,
    )
