"""The ends of a door: stacks of the same service, judged as they stand, and what they must share."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from portway.errors import Problem
from portway.residency.boundary import boundary
from portway.spec.door_file import DOOR, weight_place
from portway.spec.service import InferenceServiceSpec
from portway.spec.stack_file import DOOR_KEY
from portway.target import End

if TYPE_CHECKING:
    from portway.spec.document import Document
    from portway.spec.load import Judgement

_SHARED: Final = ("model", "interface", "access", "residency", "timeout_seconds")
"""What clients of one door may rely on, whichever end answers."""


def misnamed(name: str, service: str, environment: str) -> str | None:
    """Why ``name`` cannot be behind the door of ``service`` in ``environment``; None where it can."""
    match name.split("."):
        case [same, here, target] if target != DOOR and (same, here) == (service, environment):
            return None
        case [_, _, target] if target == DOOR:
            return "is a door itself; a door leads to services"
        case [_, _, _]:
            return f"is no stack of {service} in {environment}; a door leads to stacks of its own service and environment"
        case _:
            return f"is no stack's name, such as {service}.{environment}.<target>"


def ends_of(
    weights: Mapping[str, int],
    judged: Mapping[str, "Judgement"],
    spec: InferenceServiceSpec,
    document: "Document",
    problems: list[Problem],
) -> tuple[End, ...]:
    """The ends, as their own stacks have them; what is wrong with them is added to ``problems``.

    Args:
        weights: percent by stack.
        judged: what is to be said of each of these stacks that could be read at all.
        spec: of the door.
        document: the door's stack file.
        problems: those found so far.
    """
    ends: list[End] = []
    for name, judgement in judged.items():
        stack, plan = judgement.stack, judgement.plan
        where = weight_place(name, document)
        if stack is None or plan is None:
            message = f"has problems of its own; mend what `portway check {name}` says"
            problems.append(Problem(f"{DOOR}.weights.{name}", message, where))
            continue
        problems += [
            Problem(f"{DOOR}.weights.{name}", why, where) for why in _differences(spec, stack.spec)
        ]
        ends.append(
            End(
                stack=name,
                weight=weights[name],
                target=stack.placement.target,
                region=stack.placement.region,
                model_identity=plan.model_identity,
            )
        )
    return tuple(ends)


def _differences(spec: InferenceServiceSpec, other: InferenceServiceSpec) -> Iterator[str]:
    for name in _SHARED:
        if getattr(spec, name) != getattr(other, name):
            yield f"has another {name} in its spec than the door; clients could tell the ends apart, make them one"


def outside(spec: InferenceServiceSpec, region: str, document: "Document") -> Iterator[Problem]:
    """A door sees every request and every answer: it stands inside the service's boundary."""
    if spec.residency is None:
        return
    allowed = boundary(spec.residency)
    if not allowed.contains(region):
        message = f"{region!r} is outside the boundary {allowed} of {spec.name}; all that clients say passes the door, choose a region inside"
        yield Problem(f"{DOOR}.region", message, document.where(("config", DOOR_KEY, "region")))
