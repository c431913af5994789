"""Reading a file of faults and quotas; what is wrong with it is said all at once."""

from pathlib import Path
from typing import Any, Final, cast

from ruamel.yaml import YAML, YAMLError

from portway.errors import BadInput, Problem
from portway.sandbox.faults import CALLS, OPERATIONS, OUTAGES, Fault, FaultKind, Quotas

_KEYS: Final = {"type", "operation", "name", "fault", "times", "seconds", "after"}
_OF_CALLS: Final = frozenset({
    FaultKind.QUOTA, FaultKind.DENIED, FaultKind.HALF_CREATE, FaultKind.CRASH, FaultKind.EXPIRED,
    *OUTAGES,
})  # fmt: skip
_OF: Final = {
    **dict.fromkeys((*CALLS, "*"), _OF_CALLS),
    "configure": frozenset({FaultKind.EXPIRED, FaultKind.DENIED, *OUTAGES}),
    "start": frozenset({
        FaultKind.IMAGE_NOT_FOUND, FaultKind.NEVER_READY, FaultKind.NO_CAPACITY,
    }),
    "invoke": frozenset({
        FaultKind.MODEL_ACCESS, FaultKind.EXPIRED, FaultKind.THROTTLED, FaultKind.UNAVAILABLE,
    }),
}  # fmt: skip
"""What may go wrong with each operation, beside a latency."""


def parse(path: Path) -> tuple[tuple[Fault, ...], Quotas]:
    """The rules and quotas in a faults file.

    Raises:
        BadInput: with every problem found.
    """
    try:
        reader = cast("Any", YAML(typ="safe", pure=True))  # the library declares no types
        loaded: Any = reader.load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise BadInput([Problem("", f"not YAML: {error}", str(path))]) from error
    document = _object({"faults": loaded} if isinstance(loaded, list) else loaded or {})
    if document is None or document.keys() - {"faults", "quotas", "since"}:
        message = "must be a list of rules, or an object with `faults` and `quotas` only"
        raise BadInput([Problem("", message, str(path))])
    entries: list[Any] = document.get("faults") or []
    problems = [p for i, entry in enumerate(entries) for p in _problems(entry, f"faults[{i}]")]
    quotas = _object(document.get("quotas") or {})
    problems += _quota_problems(quotas)
    if problems:
        raise BadInput([problem.at(str(path)) for problem in problems])
    since = str(document.get("since") or "")
    return tuple(_rule(entry, since) for entry in entries), quotas or {}


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
    for key in ("times", "after"):
        if not _is_count(rule.get(key)):
            told = "must be a whole number of at least 1, or left out"
            found.append(Problem(f"{path}.{key}", told))
    if not _is_while(rule.get("seconds", 1)):
        found.append(Problem(f"{path}.seconds", "must be a number above 0, or left out"))
    return [*found, *_fault_problems(rule, path)]


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)


def _is_while(seconds: object) -> bool:
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0


def _fault_problems(rule: dict[str, Any], path: str) -> list[Problem]:
    fault, operation = rule.get("fault"), rule.get("operation", "create")
    latency = (_object(fault) or {}).get("latency_seconds")
    if isinstance(latency, int | float) and not isinstance(latency, bool) and latency >= 0:
        if operation != "start":
            return []
        told = "an instance starts later by PORTWAY_SANDBOX_COLD_START_SECONDS, not by a fault"
        return [Problem(f"{path}.fault", told)]
    plain = [kind for kind in FaultKind if kind is not FaultKind.LATENCY]
    if fault not in plain:
        wanted = f"must be one of {', '.join(plain)}, or {{latency_seconds: N}}"
        return [Problem(f"{path}.fault", wanted)]
    if fault == FaultKind.HALF_CREATE and operation != "create":
        return [Problem(f"{path}.fault", "only a create can half succeed")]
    if fault == FaultKind.CRASH and operation not in ("create", "update"):
        return [Problem(f"{path}.fault", "a crash strikes after a create or an update")]
    if operation in _OF and fault not in _OF[operation]:
        listed = ", ".join(sorted(_OF[operation]))
        return [Problem(f"{path}.fault", f"operation {operation} may meet {listed}")]
    return []


def _quota_problems(quotas: dict[str, Any] | None) -> list[Problem]:
    if quotas is None:
        return [Problem("quotas", "must be an object: quota id → region (or default) → number")]
    return [
        Problem(f"quotas.{name}", "must be an object: region (or default) → whole number")
        for name, regions in quotas.items()
        if not all(isinstance(n, int) for n in (_object(regions) or {"": None}).values())
    ]


def _rule(entry: dict[str, Any], since: str) -> Fault:
    fault = entry["fault"]
    latency = _object(fault)
    seconds = entry.get("seconds")
    return Fault(
        kind=FaultKind.LATENCY if latency else FaultKind(fault),
        type=str(entry.get("type", "*")),
        operation=str(entry.get("operation", "create")),
        name=str(entry.get("name", "*")),
        times=entry.get("times"),
        latency_seconds=float(latency["latency_seconds"]) if latency else 0.0,
        after=entry.get("after") or 0,
        seconds=None if seconds is None else float(seconds),
        since=since,
    )
