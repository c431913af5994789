"""Every resource is in a region inside the boundary, and can be seen to be."""

import re
from collections.abc import Iterator

from portway.gate.context import NO_BOUNDARY, ResidencyContext, declared
from portway.gate.places import (
    At,
    Kind,
    Nowhere,
    Reading,
    is_inside_another,
    places,
    provider_places,
    reading,
    zones,
)
from portway.gate.readings import Look, read
from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Unknown, shown
from portway.residency.boundary import Boundary, country_of, normalise_region
from portway.residency.places_of import members


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse a place outside the boundary, and a place nobody can know."""
    if resource.type == SERVICE_TYPE:
        yield from _declaration(resource, context)
        yield from _ends(resource, context)
        return
    if resource.is_provider:
        for found in provider_places(resource):
            yield from _judged(resource, found, context, stack)
        return
    how = reading(resource)
    if is_inside_another(resource, how):
        yield from _inside(resource, how, context, stack)
    elif how.kind in (Kind.LOCATED, Kind.IN_CLUSTER):
        for place in places(resource, how.facts, context.clusters):
            yield from _judged(resource, place, context, stack)
    yield from _zones(resource, context, stack)


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
    elif not context.boundary.holds(place.region, resource.type):
        given = f"is in {_shown(place.region)} ({place.path})"
        why = _why(place.region, resource.type, context.boundary)
        yield _refused(resource, f"{given}, {why}; {_way_out(place, context.boundary)}", place.path)


def _why(place: str, product: str, boundary: Boundary) -> str:
    reached = members(place, product)
    if reached is None:
        return f"which nobody here knows, and so outside the boundary {boundary}"
    if len(reached) == 1:
        return f"outside the boundary {boundary}"
    outside = sorted(reached - boundary.regions - boundary.countries)
    return f"which reaches {', '.join(outside[:3])}, outside the boundary {boundary}"


def _zones(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """A zone that another resource of the stack gives is where that one is; others are literals."""
    for seen in zones(resource):
        if isinstance(seen, Known):
            yield from _judged(resource, At(seen.path, str(seen.value)), context, stack)
        elif context.boundary is not None:
            look = Look(resource, context.boundary, context, stack)
            for problem in read("reference", seen, look):
                why = (
                    f"is in a zone nobody can name ({seen.path}): {problem.why}; make it a literal"
                )
                yield _refused(resource, why, seen.path, undetermined=True)


def _inside(
    resource: Resource, how: Reading, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    path = how.facts.inside or ""
    if context.boundary is None:
        return
    look = Look(resource, context.boundary, context, stack)
    seen = resource.properties.every(path)
    for one in seen:
        is_arn = isinstance(one, Known) and str(one.value).startswith("arn:")
        for problem in read("arn" if is_arn else "path", one, look):
            why = f"is kept in {problem.given} ({path}): {problem.why}; {problem.do}"
            yield _refused(resource, why, path, undetermined=problem.undetermined)
    if not seen:
        why = f"does not say what it is kept in ({path}); set it"
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


def _ends(resource: Resource, context: ResidencyContext) -> Iterator[Violation]:
    """What passes a front door is answered in the regions of its ends."""
    for seen in resource.properties.every("ends[].region"):
        if isinstance(seen, Unknown):
            why = f"leads to a region nobody can name ({seen.path}); make it a literal"
            yield _refused(resource, why, seen.path, undetermined=True)
        elif context.boundary is not None and not context.boundary.holds(str(seen.value)):
            given = f"leads to {_shown(str(seen.value))} ({seen.path})"
            why = _why(str(seen.value), resource.type, context.boundary)
            yield _refused(resource, f"{given}, {why}; take that end out of the door", seen.path)


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


def _shown(place: str) -> str:
    """A place as it was given, or the region that a path or ARN names; never any other text."""
    given = place.strip()
    is_long = shown(given) != given and country_of(given) is not None
    return normalise_region(given) if is_long else shown(given)


def _refused(
    resource: Resource, message: str, path: str, *, undetermined: bool = False
) -> Violation:
    return Violation(f"{resource} {message}", resource.urn, path, undetermined)


RULE = Rule(
    id="residency-region-inside-boundary",
    severity=Severity.CRITICAL,
    description="Every resource is in a region inside the boundary, and can be seen to be.",
    remediation="Place the resource in a region inside the boundary, as a literal value.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 45",
        "ISO/IEC 27001:2022 A.5.23",
        "ISO/IEC 27001:2022 A.5.34",
        "NIST SP 800-53 r5 SA-9(5)",
        "NIST SP 800-53 r5 CM-12",
    ),
    judge=judge,
    judge_stack=judge_stack,
)
