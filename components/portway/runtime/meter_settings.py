"""`PORTWAY_METER`: one JSON object, read once; every fault of it at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .jsons import JsonObject, as_object, decode, is_integer
from .meter_amounts import Prices

VARIABLE = "PORTWAY_METER"
AWAY = ("refuse", "allow")
LIMITS = ("requests", "tokens", "micro_usd")

_SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MOST = 10**15
_LARGEST_PORT = 65535
_PRICES = ("input_micro_usd_per_million_tokens", "output_micro_usd_per_million_tokens")
_STORES: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "dynamodb": {
        "table": re.compile(r"[A-Za-z0-9_.-]{3,255}"),
        "region": re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]"),
    },
    "firestore": {
        "project": re.compile(r"[a-z0-9:.-]{4,63}"),
        "database": re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]"),
        "collection": re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}"),
    },
    "valkey": {"host": re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})?")},
}


@dataclass(frozen=True)
class MeterSettings:
    """What is metered, against which limits, and where it is kept.

    `store` has `kind` and that kind's fields; `limits` has only those that were set, by name.
    """

    store: Mapping[str, str | int]
    service: str
    limits: Mapping[str, int]
    prices: Prices | None
    away: str
    max_output_tokens: int


def read_meter(text: str, default_output_tokens: int, faults: list[str]) -> MeterSettings | None:
    """Read the variable's value; None, and `faults` grown, when it cannot be used.

    `default_output_tokens` is what the model is asked for where a request names no limit.
    """
    read = _Reader(faults)
    try:
        given = as_object(decode(text.encode()))
    except ValueError:
        given = None
    if given is None:
        read.fault("", text[:80], "a JSON object")
        return None
    before = len(faults)
    known = {"store", "service", "limits", "prices", "away", "max_output_tokens"}
    read.unknown("", given, known)
    limits = _limits(read, given.get("limits"))
    most = given.get("max_output_tokens", default_output_tokens)
    meaning = f"an integer of at least PORTWAY_MAX_OUTPUT_TOKENS ({default_output_tokens})"
    settings = MeterSettings(
        store=_store(read, given.get("store")),
        service=read.text("service", given.get("service"), _SERVICE, "a DNS label"),
        limits=limits,
        prices=_prices(read, given.get("prices"), wanted="micro_usd" in limits),
        away=read.one_of("away", given.get("away"), AWAY),
        max_output_tokens=read.integer("max_output_tokens", most, default_output_tokens, meaning),
    )
    return settings if len(faults) == before else None


class _Reader:
    """Checks values and collects faults, each with its path in the variable."""

    def __init__(self, faults: list[str]) -> None:
        self._faults = faults

    def fault(self, path: str, given: object, meaning: str) -> None:
        where = f"{VARIABLE}.{path}" if path else VARIABLE
        said = f"{where} is not set" if given is None else f"{where} is {given!r}"
        self._faults.append(f"{said}; it must be {meaning}")

    def unknown(self, path: str, given: JsonObject, known: set[str]) -> None:
        for name in sorted(given.keys() - known):
            self._faults.append(
                f"{VARIABLE}.{path}{name} is not known; there are {', '.join(sorted(known))}"
            )

    def group(self, path: str, given: object, meaning: str) -> JsonObject:
        found = as_object(given)
        if found is None:
            self.fault(path, given, meaning)
        return found or {}

    def text(self, path: str, given: object, form: re.Pattern[str], meaning: str) -> str:
        if isinstance(given, str) and form.fullmatch(given):
            return given
        self.fault(path, given, meaning)
        return ""

    def one_of(self, path: str, given: object, values: tuple[str, ...]) -> str:
        if isinstance(given, str) and given in values:
            return given
        self.fault(path, given, " or ".join(values))
        return values[0]

    def integer(self, path: str, given: object, least: int, meaning: str) -> int:
        if is_integer(given) and isinstance(given, int) and least <= given <= _MOST:
            return given
        self.fault(path, given, meaning)
        return least


def _limits(read: _Reader, given: object) -> dict[str, int]:
    meaning = f"an object with at least one of {', '.join(LIMITS)}"
    found = read.group("limits", given, meaning)
    read.unknown("limits.", found, set(LIMITS))
    if as_object(given) is not None and not found:
        read.fault("limits", given, meaning)
    return {
        name: read.integer(f"limits.{name}", found[name], 1, f"an integer from 1 to {_MOST}")
        for name in LIMITS
        if name in found
    }


def _prices(read: _Reader, given: object, *, wanted: bool) -> Prices | None:
    if given is None and not wanted:
        return None
    meaning = f"an object with {' and '.join(_PRICES)} where limits.micro_usd is set, else absent"
    if not wanted:
        read.fault("prices", given, meaning)
        return None
    found = read.group("prices", given, meaning)
    if not found:
        return None
    read.unknown("prices.", found, set(_PRICES))
    prices = [
        read.integer(f"prices.{name}", found.get(name), 0, f"an integer from 0 to {_MOST}")
        for name in _PRICES
    ]
    return Prices(*prices)


def _store(read: _Reader, given: object) -> dict[str, str | int]:
    kinds = " or ".join(_STORES)
    found = read.group("store", given, f"an object whose kind is {kinds}")
    if not found:
        return {}
    kind = read.one_of("store.kind", found.get("kind"), tuple(_STORES))
    if kind != found.get("kind"):
        return {}
    forms = _STORES[kind]
    store: dict[str, str | int] = {"kind": kind}
    extra = {"port", "password_file"} if kind == "valkey" else set[str]()
    read.unknown("store.", found, {"kind", *forms, *extra})
    for name, form in forms.items():
        store[name] = read.text(f"store.{name}", found.get(name), form, f"the {kind} {name}")
    if kind == "valkey":
        port = read.integer("store.port", found.get("port", 6379), 1, "a TCP port")
        if port > _LARGEST_PORT:
            read.fault("store.port", port, "a TCP port")
        store["port"] = port
        if found.get("password_file") is not None:
            path = re.compile(r"/.{1,4000}")
            file = read.text("store.password_file", found["password_file"], path, "a file's path")
            store["password_file"] = file
    return store
