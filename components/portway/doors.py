"""Kinds of front door that are understood and not made, each with the reason that stands in its way."""

from collections.abc import Callable

from portway.errors import Problem, Refused
from portway.models import Model
from portway.spec import InferenceServiceSpec
from portway.spec.frozen import Frozen
from portway.target import DoorKind, Placement, Plan

_TTL_SECONDS = 60
_INSTEAD = "Use the kind that stands in front of every end itself and holds their keys"


class NoOptions(Frozen):
    """A door that is not made has no options."""


def unmade(kind: str, why: str) -> DoorKind:
    """A kind whose every plan is refused, because of ``why`` (a sentence without its end)."""

    def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> Plan:
        del spec, model
        door = placement.door
        ends = () if door is None else tuple(end.stack for end in door.ends)
        raise Refused(
            kind, [Problem("door.kind", f"is {kind}, before {', '.join(ends)}: {why}. {_INSTEAD}")]
        )

    made: Callable[[InferenceServiceSpec, Model, Placement], Plan] = plan
    return DoorKind(plan=made, component="", options=NoOptions)


def by_dns(kind: str) -> DoorKind:
    """Weighted records, which only move names.

    Every end of ours has a key of its own, and serverless ends answer to their own host name only.
    """
    return unmade(
        kind,
        "a weighted record only says where a name leads. Each end takes its own API key, which no "
        "record can present; Cloud Run and Lambda answer to the host name in their own URL and to "
        "no other; and a change reaches a client only when its resolver's copy has expired "
        f"(a TTL of {_TTL_SECONDS} s at best, longer where resolvers keep more), so that nobody can "
        "tell when an end is drained",
    )


CLOUD_DNS = by_dns("cloud-dns")
ROUTE53 = by_dns("route53")
