"""GPUs are of the types that the organisation allows, and no second zone is paid for by omission."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from portway.gate.amounts import at_maximum
from portway.gate.capacity import Kind, gpus, reading, runs_pods
from portway.gate.context import CostContext
from portway.gate.counts import Count
from portway.gate.judged_cost import judge_family
from portway.gate.machines import is_accelerated, machines_of
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.tables import table
from portway.gate.values import Known, Unknown

_BY_TABLE = judge_family("zonal_redundancy")


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse a GPU of another type than ``gpu_types``, one of no known type, and a silent zone."""
    yield from _BY_TABLE(resource, context, stack)
    if context.gpu_types is None:
        return
    allowed = ", ".join(context.gpu_types) or "none"
    do = f"use one of those that gpu_types allows ({allowed}), or have it extended"
    named = list(_named(resource))
    for path, gpu in named:
        if gpu is None:
            message = f"{resource} cannot be judged: nobody can tell which GPU {path} stands for"
            yield Violation(f"{message}; {do}", resource.urn, path, undetermined=True)
        elif gpu not in context.gpu_types:
            cost = at_maximum(resource, stack)
            message = f"{resource} rents {_called(gpu)} that is not allowed ({path}){cost}; {do}"
            yield Violation(message, resource.urn, path)
    if not named and _holds_gpus(resource, stack):
        message = f"{resource} holds GPUs and does not say of which type"
        yield Violation(f"{message}; {do}, by name", resource.urn, "gpu", undetermined=True)


def _named(resource: Resource) -> Iterator[tuple[str, str | None]]:
    """Each GPU type that is named, with its path; None where it is named and cannot be known."""
    for path in _paths(resource):
        for seen in resource.properties.every(path):
            yield seen.path, _last_part(seen) or None
    for seen in machines_of(resource):
        machine = _last_part(seen)
        if isinstance(seen, Unknown) or is_accelerated(machine):
            yield seen.path, _of_machine(machine)


def _last_part(seen: Known | Unknown) -> str:
    """The name at the end of a value that may be a path; "" where it is not known."""
    return str(seen.value).strip().lower().rpartition("/")[2] if isinstance(seen, Known) else ""


def _called(gpu: str) -> str:
    """The type where it is one of those that are known: only then is it surely no secret."""
    known: dict[str, str] = table("gpu_types.json")["machines"]
    return f"a GPU ({gpu})" if gpu in known.values() else "a GPU"


@cache
def _of_machine(machine: str) -> str | None:
    families: dict[str, str] = table("gpu_types.json")["machines"]
    return next((gpu for family, gpu in families.items() if fnmatchcase(machine, family)), None)


def _paths(resource: Resource) -> list[str]:
    types: dict[str, Any] = table("gpu_types.json")
    if not runs_pods(resource):
        return types["paths"].get(resource.type, [])
    specs: list[str] = table("capacity.json")["pods"]["spec_paths"]
    return [f"{spec}.{selector}" for spec in specs for selector in types["of_pods"]]


def _holds_gpus(resource: Resource, stack: Stack | None) -> bool:
    """Whether it holds some itself; those of a machine are named where the machine is."""
    how = reading(resource)
    if how.kind is not Kind.RUNS or not (how.facts.gpus or runs_pods(resource)):
        return False
    found = gpus(resource, how.facts, stack)
    return isinstance(found, Count) and found.value > 0


RULE = Rule(
    id="cost-gpu-is-one-allowed",
    severity=Severity.HIGH,
    description="GPUs are of an allowed type, and a second zone for them is a decision.",
    remediation="Use an allowed type, and say whether GPUs are kept ready in a second zone.",
    controls=(
        "FinOps Framework: Policy & Governance",
        "AWS Well-Architected COST06-BP02",
        "Google Cloud Well-Architected, cost optimization: Optimize resource usage",
    ),
    judge=judge,
)
