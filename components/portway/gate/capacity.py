"""How many instances a resource may run, and how many GPUs one of them holds."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Any, cast

from portway.gate.counts import Count, Uncounted, number
from portway.gate.machines import machine_gpus
from portway.gate.pod_gpus import pod_gpus
from portway.gate.resource import Resource, Stack
from portway.gate.tables import NO_FACTS, both, reason, table, table_facts, target_facts
from portway.gate.values import Known, Missing, Unknown
from portway.target import ResourceFacts

_TABLE = "capacity.json"
_ZONE = re.compile(r".*-[a-z]+\d+-[a-z]")
_ZONES_OF_A_REGION = 3


class Kind(Enum):
    """What is known of a resource type's instances."""

    RUNS = auto()
    NOTHING = auto()
    UNREAD = auto()


@dataclass(frozen=True)
class Reading:
    """How to count the instances of one resource type."""

    kind: Kind
    facts: ResourceFacts = NO_FACTS
    because: str = ""


def reading(resource: Resource) -> Reading:
    """How to count ``resource``: the targets' facts and the reviewed lists."""
    return _reading(resource.type, resource.package, resource.provider is not None)


@cache
def _reading(token: str, package: str, has_provider: bool) -> Reading:  # noqa: FBT001 - a cache key
    targets = target_facts().get(token, NO_FACTS)
    facts = table_facts(_TABLE, token)
    if facts is not None or targets.maximum or targets.gpus or targets.scales:
        return Reading(Kind.RUNS, both(targets, facts or NO_FACTS))
    if because := reason(_TABLE, "runs_nothing", token):
        return Reading(Kind.NOTHING, because=because)
    if because := reason(_TABLE, "may_run", token):
        return Reading(Kind.UNREAD, because=because)
    if because := _reviewed(token, package):
        return Reading(Kind.NOTHING, because=because)
    if token in target_facts():
        return Reading(Kind.NOTHING, because="its target says that it runs no instance")
    clouds: Mapping[str, Any] = table("reviewed.json")["clouds"]
    if reason("reviewed.json", "components", token) or (not has_provider and package not in clouds):
        return Reading(Kind.NOTHING, because="a component: its children are judged one by one")
    why = f"nobody has read yet how many instances or GPUs {token} may run"
    return Reading(Kind.UNREAD, because=why)


def _reviewed(token: str, package: str) -> str:
    """Why a type of a module that was read as a whole runs nothing; "" for every other."""
    module = token.partition(":")[2].partition("/")[0]
    reviewed: Mapping[str, list[str]] = table(_TABLE)["reviewed_modules"]
    return "runs nothing that multiplies unseen" if module in reviewed.get(package, ()) else ""


def maximum(resource: Resource, facts: ResourceFacts) -> Count | Uncounted:
    """The most instances ``resource`` itself declares, in all of its places together."""
    if facts.maximum is None:
        return Count(1)
    found: list[Count] = []
    absent = Uncounted(facts.maximum, f"{facts.maximum} is not set", is_missing=True)
    for path in (facts.maximum, *facts.maximum_also):
        count = _limit(resource, path)
        if isinstance(count, Count):
            found.append(count)
        elif not count.is_missing:
            return count
        elif not isinstance(resource.properties.get(path), Missing):
            absent = count
    if not found:
        return absent
    copies = list(resource.properties.leaves(*facts.replicas))
    for seen in copies:
        if isinstance(seen, Unknown):
            return Uncounted(seen.path, f"{seen.path} is known only after deployment")
    counts = (
        Count(one.value * _places(resource, one.path, len(copies)), one.path) for one in found
    )
    return max(counts, key=lambda count: count.value)


def _places(resource: Resource, path: str, listed: int) -> int:
    """How often the number at ``path`` counts: in each of the ``listed`` places, or in all at once.

    Where zones are not listed, a regional node pool has nodes in three of them
    (docs.cloud.google.com: regional clusters).
    """
    per_zone: list[str] | None = table(_TABLE)["per_zone"].get(resource.type)
    if per_zone is None:
        return listed or 1
    if path not in per_zone:
        return 1
    if listed:
        return listed
    location = resource.properties.get("location")
    is_zone = isinstance(location, Known) and _ZONE.fullmatch(str(location.value).strip().lower())
    return 1 if is_zone else _ZONES_OF_A_REGION


def gpus(resource: Resource, facts: ResourceFacts, stack: Stack | None = None) -> Count | Uncounted:
    """The GPUs (or other accelerators) of one instance of ``resource``."""
    total, of_machine = 0, 0
    for machine in machine_gpus(resource, stack):
        if not isinstance(machine, int):
            return Uncounted(*machine)
        of_machine = max(of_machine, machine)
    if runs_pods(resource):
        held = pod_gpus(resource, stack)
        if isinstance(held, Uncounted):
            return held
        total = held.value
    else:
        for path in facts.gpu_claims:
            if not isinstance(resource.properties.get(path), Missing):
                return Uncounted(path, f"{path} claims devices that cannot be counted here")
        for seen in _gpu_values(resource, facts):
            count = number(seen)
            if isinstance(count, Uncounted):
                return count
            total += count.value
    if total and resource.type in table(_TABLE)["one_per_node"]:
        return Uncounted("", "there is one pod on each node, and nobody knows how many nodes")
    # What is attached to a machine that brings its own is the same GPUs, named twice.
    return Count(max(total, of_machine))


def at_most(resource: Resource, facts: ResourceFacts, stack: Stack) -> Count | Uncounted:
    """The most instances of ``resource``, by itself and by whatever scales it in ``stack``."""
    counts = [maximum(scaler, by) for scaler, by, _ in scalers(resource, stack)]
    own = maximum(resource, facts)
    if not (isinstance(own, Uncounted) and own.is_missing and counts):
        counts.append(own)
    for count in counts:
        if isinstance(count, Uncounted):
            return count
    return max((count for count in counts if isinstance(count, Count)), key=lambda one: one.value)


def scalers(resource: Resource, stack: Stack) -> Iterator[tuple[Resource, ResourceFacts, bool]]:
    """The autoscalers in ``stack`` that scale ``resource``; True where that is certain."""
    name = resource.properties.get("metadata.name")
    for other, facts in _all_scalers(stack):
        if facts.scales is None or resource.package != other.package:
            continue
        wanted = other.properties.get(facts.scales)
        sources = [urn for urns in (other.depends_on or {}).values() for urn in urns]
        if isinstance(name, Known) and isinstance(wanted, Known):
            if name.value == wanted.value:
                yield other, facts, True
        else:
            yield other, facts, resource.urn in sources


def scaled(scaler: Resource, facts: ResourceFacts, stack: Stack) -> bool:
    """Whether what the autoscaler ``scaler`` scales is in ``stack``, and so counted there."""
    wanted = scaler.properties.get(facts.scales or "")
    if isinstance(wanted, Known):
        return any(urn != scaler.urn for urn in _by_object_name(stack).get(str(wanted.value), ()))
    sources = (urn for urns in (scaler.depends_on or {}).values() for urn in urns)
    return any(urn in stack.by_urn for urn in sources)


@lru_cache(maxsize=4)
def _all_scalers(stack: Stack) -> tuple[tuple[Resource, ResourceFacts], ...]:
    read = ((one, reading(one).facts) for one in stack.resources)
    return tuple((one, facts) for one, facts in read if facts.scales is not None)


@lru_cache(maxsize=4)
def _by_object_name(stack: Stack) -> Mapping[str, tuple[str, ...]]:
    """By the name of a Kubernetes object, the URNs of those in ``stack`` that have it."""
    found: dict[str, tuple[str, ...]] = {}
    for one in stack.resources:
        name = one.properties.get("metadata.name")
        if isinstance(name, Known):
            found[str(name.value)] = (*found.get(str(name.value), ()), one.urn)
    return found


def may_be_autoscaled(resource: Resource) -> bool:
    """Whether another resource of the stack may declare its maximum."""
    return runs_pods(resource) or resource.type in table(_TABLE)["autoscaled"]


def runs_pods(resource: Resource) -> bool:
    """Whether it is an object of an API in which workloads start pods and autoscalers count them."""
    return resource.package in table(_TABLE)["pods"]["packages"]


def _gpu_values(resource: Resource, facts: ResourceFacts) -> Iterator[Known | Unknown]:
    yield from resource.properties.leaves(*facts.gpus)
    yield from _provisioned(resource)


def _provisioned(resource: Resource) -> Iterator[Known | Unknown]:
    """The most of each kind of GPU that a cluster may make machines for by itself."""
    how = cast("Mapping[str, dict[str, Any]]", table(_TABLE)["provisioned"]).get(resource.type)
    if how is None:
        return
    for limit in resource.properties.every(str(how["limits"])):
        if isinstance(limit, Unknown) or not isinstance(limit.value, Mapping):
            yield Unknown(limit.path)
            continue
        given = cast("Mapping[str, Any]", limit.value)
        if str(given.get(how["name"])) not in how["without_gpus"]:
            most = given.get(how["most"])
            path = f"{limit.path}.{how['most']}"
            yield Known(path, most) if isinstance(most, str | int | float) else Unknown(path)


def _limit(resource: Resource, path: str) -> Count | Uncounted:
    """The limit at ``path``, where it is one: not a zero that means none, nor one for another mode."""
    count = number(resource.properties.get(path))
    if isinstance(count, Uncounted):
        return count
    if count.value == 0 and any(fnmatchcase(path, one) for one in table(_TABLE)["zero_is_none"]):
        return Uncounted(path, f"{path} is 0, which sets no limit", is_missing=True)
    above, _, name = path.rpartition(".")
    mode = resource.properties.get(f"{above}.scalingMode")
    if name == "manualInstanceCount" and not (isinstance(mode, Known) and mode.value == "MANUAL"):
        why = f"{path} limits nothing unless {above}.scalingMode is MANUAL"
        return Uncounted(path, why, is_missing=True)
    return count
