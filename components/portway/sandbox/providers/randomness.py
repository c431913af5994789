"""The random package: values made once, when they are created, and kept."""

import base64
import secrets
import string
import uuid
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from portway.sandbox.providers.behaviour import Behaviour, Deployed
from portway.sandbox.providers.cloud import Cloud, Failure
from portway.sandbox.providers.schema import ResourceType
from portway.sandbox.providers.stored import StoredCloud
from portway.sandbox.providers.type_facts import TypeFacts
from portway.sandbox.providers.wire import UNKNOWN, Json
from portway.sandbox.store import Store

if TYPE_CHECKING:
    Make = Callable[["StoredCloud", Deployed, Json], Json]

PASSWORD = "random:index/randomPassword:RandomPassword"  # noqa: S105 - a type token
_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_CLASSES = (
    ("lower", "minLower", string.ascii_lowercase),
    ("upper", "minUpper", string.ascii_uppercase),
    ("numeric", "minNumeric", string.digits),
)
_random = SystemRandom()


class Randomness(StoredCloud):
    """One provider of random values; every value is its own, so nothing ever collides."""

    package = "random"
    table = "randomness"

    def scope(self, type_token: str, inputs: Json) -> str:
        """There is only one place."""
        del type_token, inputs
        return "local"

    def values(self, type_token: str, inputs: Json) -> Json:
        """Templates need nothing."""
        del type_token, inputs
        return {}

    def other_facts(self, declared: ResourceType) -> TypeFacts:
        """A made-up id."""
        del declared
        return TypeFacts(name="")


def characters(inputs: Json) -> str:
    """A random text as ``inputs`` describe it: the minimum of each kind, the rest from all that are on."""
    pools = [
        (int(inputs.get(least) or 0), pool)
        for kind, least, pool in _CLASSES
        if inputs.get(kind, True) is not False
    ]
    if inputs.get("special", True) is not False:
        special = str(inputs.get("overrideSpecial") or _SPECIAL)
        pools.append((int(inputs.get("minSpecial") or 0), special))
    everything = "".join(pool for _, pool in pools)
    drawn = [secrets.choice(pool) for least, pool in pools for _ in range(least)]
    drawn += [secrets.choice(everything) for _ in range(int(inputs["length"]) - len(drawn))]
    _random.shuffle(drawn)
    return "".join(drawn)


def check_text(inputs: Json) -> list[Failure]:
    """A length that holds all the minimums, and at least one kind of character."""
    if any(value == UNKNOWN for value in inputs.values()):
        return []
    length = int(inputs["length"])
    least = sum(int(inputs.get(f) or 0) for f in ("minLower", "minUpper", "minNumeric", "minSpecial"))  # fmt: skip
    kinds = ("lower", "upper", "numeric", "special")
    if length < 1:
        return [Failure("length", f"Attribute length value must be at least 1, got: {length}")]
    if length < least:
        text = f"Attribute length value must be at least sum of min_upper + min_lower + min_numeric + min_special, got: {length}"
        return [Failure("length", text)]
    if all(inputs.get(kind, True) is False for kind in kinds):
        text = (
            "At least one attribute out of [special,upper,lower,numeric] must be specified as true"
        )
        return [Failure("special", text)]
    return []


def _kept(make: Callable[[Json], Json]) -> "Make":
    """Values made at the creation and never again."""

    def outputs(cloud: StoredCloud, deployed: Deployed, known: Json) -> Json:
        del cloud, known
        if deployed.before is None:
            return make(deployed.inputs)
        return {**deployed.before.outputs, **deployed.inputs}

    return outputs


def _text(inputs: Json) -> Json:
    return {"result": characters(inputs)}


def _identifier(inputs: Json) -> Json:
    data = secrets.token_bytes(int(inputs["byteLength"]))
    prefix = str(inputs.get("prefix") or "")
    return {
        "hex": f"{prefix}{data.hex()}",
        "dec": f"{prefix}{int.from_bytes(data)}",
        "b64Std": f"{prefix}{base64.b64encode(data).decode()}",
        "b64Url": f"{prefix}{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}",
    }


def _bytes(inputs: Json) -> Json:
    data = secrets.token_bytes(int(inputs["length"]))
    return {"hex": data.hex(), "base64": base64.b64encode(data).decode()}


def _integer(inputs: Json) -> Json:
    low, high = int(inputs["min"]), int(inputs["max"])
    return {"result": low + secrets.randbelow(high - low + 1)}


def _shuffle(inputs: Json) -> Json:
    values = list(inputs["inputs"])
    _random.shuffle(values)
    return {"results": values[: int(inputs.get("resultCount") or len(values))]}


def _pet(inputs: Json) -> str:
    adjectives = (
        "brave",
        "calm",
        "eager",
        "gentle",
        "keen",
        "lively",
        "proud",
        "quiet",
        "swift",
        "wise",
    )
    animals = ("badger", "crane", "dolphin", "heron", "lynx", "otter", "robin", "seal", "tapir", "wren")  # fmt: skip
    length = int(inputs.get("length") or 2)
    words = [secrets.choice(adjectives) for _ in range(length - 1)] + [secrets.choice(animals)]
    prefix = [str(inputs["prefix"])] if inputs.get("prefix") else []
    return str(inputs.get("separator") or "-").join(prefix + words)


def embedded(store: Store, root: Path) -> Cloud:
    """The cloud that a plugin process of this package serves."""
    return Randomness(store, root)


_TEXT = Behaviour(validate=check_text, outputs=_kept(_text))
Randomness.behaviours = {
    PASSWORD: _TEXT,
    "random:index/randomString:RandomString": _TEXT,
    "random:index/randomId:RandomId": Behaviour(outputs=_kept(_identifier)),
    "random:index/randomBytes:RandomBytes": Behaviour(outputs=_kept(_bytes)),
    "random:index/randomInteger:RandomInteger": Behaviour(outputs=_kept(_integer)),
    "random:index/randomShuffle:RandomShuffle": Behaviour(outputs=_kept(_shuffle)),
    "random:index/randomUuid:RandomUuid": Behaviour(
        outputs=_kept(lambda _: {"result": str(uuid.uuid4())})
    ),
    "random:index/randomPet:RandomPet": Behaviour(
        identify=lambda _, inputs: _pet(inputs), outputs=_kept(lambda _: {})
    ),
}
