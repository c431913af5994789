"""Faults on purpose: files in the sandbox's folder say what goes wrong, where and how often.

``faults.yaml`` is the user's own; ``faults.d`` holds what ``portway sandbox fault`` set, one file each:

    faults:
      - {type: "aws:lambda/*", operation: create, name: "*", fault: denied, times: 1}
      - {type: "gcp:*", operation: "*", fault: unavailable, seconds: 10}
      - {type: "aws:bedrock/model", operation: invoke, fault: throttled, times: 2}
    quotas:
      NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion: {europe-west4: 1, default: 3}

``times`` and the beginning of ``seconds`` are kept in the store, so that a fault that strikes once
strikes once, whichever process is asked. Plugins read the files when they start; what runs services
reads them each time it starts an instance or is asked for a model.
"""

import fnmatch
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Lock

from portway.sandbox.store import Store

CRASHED = 70
CALLS = ("create", "update", "read", "delete")
OPERATIONS = (*CALLS, "*", "configure", "start", "invoke")
"""Calls of the engine (``*``: each of them), a plugin that begins, an instance that starts, a model
that is asked."""

Quotas = dict[str, dict[str, int]]  # quota id → region (or "default") → amount


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency_seconds"
    QUOTA = "quota"
    DENIED = "denied"
    HALF_CREATE = "half_create"
    CRASH = "crash"
    EXPIRED = "expired"
    REFUSED = "connection_refused"
    UNAVAILABLE = "unavailable"
    THROTTLED = "throttled"
    IMAGE_NOT_FOUND = "image_not_found"
    NEVER_READY = "never_ready"
    NO_CAPACITY = "no_capacity"
    MODEL_ACCESS = "model_access"


OUTAGES = frozenset({FaultKind.REFUSED, FaultKind.UNAVAILABLE, FaultKind.THROTTLED})
"""What passes by itself, so that a provider may wait for it."""


@dataclass(frozen=True)
class Fault:
    """One rule.

    Attributes:
        kind: what goes wrong.
        type: glob over type tokens.
        operation: one of ``OPERATIONS``.
        name: glob over logical names; of a model, over its id.
        times: how often it strikes; None for always.
        latency_seconds: how long a latency lasts.
        seconds: how long it lasts from the first time that it strikes; None for ever.
        after: how many calls that it is about are let pass before.
        since: anything; a rule that is set again counts anew.
    """

    kind: FaultKind
    type: str = "*"
    operation: str = "create"
    name: str = "*"
    times: int | None = None
    latency_seconds: float = 0.0
    seconds: float | None = None
    after: int = 0
    since: str = ""

    def matches(self, operation: str, type_token: str, name: str) -> bool:
        """Whether this rule is about that call."""
        return (
            (self.operation == operation or (self.operation == "*" and operation in CALLS))
            and fnmatch.fnmatchcase(type_token, self.type)
            and fnmatch.fnmatchcase(name, self.name)
        )

    @property
    def identity(self) -> str:
        """What its count is kept under: the rule itself, so that an edited rule counts anew."""
        told: list[object] = [self.kind, self.type, self.operation, self.name, self.times]
        if self.seconds is not None or self.after or self.since:
            told += [self.seconds, self.after, self.since]
        return f"fault:{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]}"


@dataclass
class Faults:
    """Every rule of one sandbox. ``clock`` gives seconds since 1970."""

    store: Store
    rules: tuple[Fault, ...] = ()
    quotas: Quotas = field(default_factory=dict[str, dict[str, int]])
    clock: Callable[[], float] = time.time
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def load(cls, path: Path, store: Store, folder: Path | None = None) -> "Faults":
        """Read ``path`` and every file of ``folder``; no file, no faults.

        Raises:
            BadInput: a file cannot be read as rules. Carries every problem of the first such file.
        """
        rules: list[Fault] = []
        quotas: Quotas = {}
        for file in _files(path, folder):
            # the parser is only paid for where there is a file
            from portway.sandbox.faults_file import parse  # noqa: PLC0415

            read, told = parse(file)
            rules += read
            quotas = {**quotas, **{k: {**quotas.get(k, {}), **v} for k, v in told.items()}}
        return cls(store, tuple(rules), quotas)

    def due(self, operation: str, type_token: str, name: str) -> list[Fault]:
        """The faults that strike this call; each is counted as having struck."""
        found = [rule for rule in self.rules if rule.matches(operation, type_token, name)]
        return [rule for rule in found if self.strikes(rule)]

    def strikes(self, rule: Fault) -> bool:
        """Whether ``rule`` strikes once more, now; it is counted."""
        if rule.times is None and rule.seconds is None and not rule.after:
            return True
        with self._lock:
            return self._counts(f"{rule.identity}:passed", rule.after) and (
                self._lasts(rule) and self._takes(rule)
            )

    def _counts(self, key: str, most: int) -> bool:
        """Whether ``key`` was counted ``most`` times before; if not, this is once more."""
        counted = int(self.store.meta(key) or 0)
        if counted < most:
            self.store.set_meta(key, str(counted + 1))
        return counted >= most

    def _lasts(self, rule: Fault) -> bool:
        if rule.seconds is None:
            return True
        key, now = f"{rule.identity}:from", self.clock()
        begun = self.store.meta(key)
        if not begun:
            self.store.set_meta(key, repr(now))
            return True
        return now - float(begun) < rule.seconds

    def _takes(self, rule: Fault) -> bool:
        return rule.times is None or not self._counts(rule.identity, rule.times)


def _files(path: Path, folder: Path | None) -> Iterable[Path]:
    set_by_command = sorted(folder.glob("*.yaml")) if folder and folder.is_dir() else []
    return [*([path] if path.is_file() else []), *set_by_command]
