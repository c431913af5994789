"""Every resource is in a region inside the boundary, and can be seen to be."""

import re
from collections.abc import Iterator

from portway.gate.context import NO_BOUNDARY, ResidencyContext, declared
from portway.gate.places import At, Kind, Nowhere, Reading, places, provider_places, reading
from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, shown, steps
from portway.residency.boundary import Boundary


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse a place outside the boundary, and a place nobody can know."""
    if resource.type == SERVICE_TYPE:
        yield from _declaration(resource, context)
        return
    if resource.is_provider:
        for found in provider_places(resource):
            yield from _judged(resource, found, context, stack)
        return
    how = reading(resource)
    if how.kind is Kind.UNREAD:
        yield _refused(resource, f"cannot be judged: {how.because}", "", undetermined=True)
    elif how.kind in (Kind.LOCATED, Kind.IN_CLUSTER):
        for place in places(resource, how.facts, context.clusters):
            yield from _judged(resource, place, context, stack)
    elif how.kind is Kind.INSIDE and stack is not None:
        yield from _inside(resource, how, context, stack)


def judge_stack(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    """Refuse a stack for which nobody has said where it may be."""
    del stack
    if context.boundary is None:
        yield Violation(f"the stack cannot be judged: {NO_BOUNDARY}", None, "boundary")


def _judged(
    resource: Resource, place: At | Nowhere, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    if isinstance(place, Nowhere):
        yield _refused(resource, f"has no known place: {place.why}", place.path, undetermined=True)
    elif context.boundary is None:
        # With the whole stack at hand, the stack itself is refused, once.
        if stack is None and context.is_final:
            yield _refused(resource, f"cannot be judged: {NO_BOUNDARY}", place.path)
    elif not context.boundary.contains(place.region):
        given = f"is in {shown(place.region)} ({place.path})"
        why = f"outside the boundary {context.boundary}"
        yield _refused(resource, f"{given}, {why}; {_way_out(place, context.boundary)}", place.path)


def _inside(
    resource: Resource, how: Reading, context: ResidencyContext, stack: Stack
) -> Iterator[Violation]:
    path = how.facts.inside or ""
    top = str(steps(path)[0])
    holders = (resource.depends_on or {}).get(top, ())
    if any(urn in stack.by_urn for urn in holders):
        return  # what it is kept in is judged itself
    seen = resource.properties.get(path)
    name = str(seen.value) if isinstance(seen, Known) else ""
    region = context.buckets.get(name) or context.buckets.get(name.rpartition("/")[2])
    if region is not None:
        yield from _judged(resource, At(f"buckets.{name}", region), context, stack)
        return
    why = (
        f"is kept in something outside this stack ({path}), and nobody has said where that is; "
        "say it under buckets in the configuration of the residency pack"
    )
    yield _refused(resource, why, path, undetermined=True)


def _declaration(resource: Resource, context: ResidencyContext) -> Iterator[Violation]:
    """A service may declare a boundary inside the organisation's, or the same; never a wider one."""
    said = declared(resource).boundary
    organisation = context.organisation
    if isinstance(said, str):
        yield _refused(resource, f"declares no usable boundary: {said}", "boundary")
    elif said is None and organisation is None:
        yield _refused(resource, f"cannot be judged: {NO_BOUNDARY}", "boundary")
    elif said is not None and organisation is not None:
        wider = sorted(said.regions - organisation.regions)
        if wider:
            yield _refused(
                resource,
                f"declares the boundary {said}, which allows {', '.join(wider[:3])}; the "
                f"organisation allows only {organisation}. Set residency in the spec to "
                f"{organisation} or to something inside it",
                "boundary",
            )


def _way_out(place: At, boundary: Boundary) -> str:
    if place.path.startswith("clusters."):
        return f"use a cluster inside {boundary}"
    is_amazon = re.search(r"-\d+[a-z]?$", place.region.strip()) is not None
    nearby = [
        one for one in sorted(boundary.regions) if is_amazon == bool(re.search(r"-\d+$", one))
    ]
    if not nearby:
        return "nothing on this cloud is inside it; choose another target"
    return f"choose a region inside it, such as {', '.join(nearby[:3])}"


def _refused(
    resource: Resource, message: str, path: str, *, undetermined: bool = False
) -> Violation:
    return Violation(f"{resource} {message}", resource.urn, path, undetermined)


RULE = Rule(
    id="residency-region-inside-boundary",
    severity=Severity.CRITICAL,
    description="Every resource is in a region inside the boundary, and can be seen to be.",
    remediation="Place the resource in a region inside the boundary, as a literal value.",
    judge=judge,
    judge_stack=judge_stack,
)
