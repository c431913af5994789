"""What kinds of front door have in common, and those that are understood and not made, each with its reason."""

from collections.abc import Callable, Iterator

from portway.errors import Problem, Refused
from portway.models import Model
from portway.spec import InferenceServiceSpec
from portway.spec.frozen import Frozen
from portway.target import DoorKind, DoorPlacement, Placement, Plan

_TTL_SECONDS = 60
_INSTEAD = "Use the kind that stands in front of every end itself and holds their keys"


def access_refusals(spec: InferenceServiceSpec) -> Iterator[Problem]:
    """Why clients could not be let in as the service asks, whatever the door is made of."""
    if spec.access.auth == "iam":
        yield Problem(
            "access.auth",
            "is iam: every end then wants a request signed for itself, which a door cannot do in the "
            "client's name; use auth: api-key, or call the ends themselves",
        )
    if spec.access.reach == "private":
        yield Problem(
            "access.reach",
            "is private: no end can be reached from a door outside its own network; use reach: "
            "public, or move without a door",
        )


def most_requests(spec: InferenceServiceSpec) -> int:
    """Requests that both ends of a move answer at once."""
    return 2 * spec.scaling.max * spec.scaling.concurrency


def concurrency_refusals(
    spec: InferenceServiceSpec, concurrency: int | None, *, most_each: int, copies: int, option: str
) -> Iterator[Problem]:
    """Why a door of ``copies`` processes, a number set by ``option``, would hold requests back.

    Args:
        spec: of the service in front of which it stands.
        concurrency: requests that one process passes on at once; None where the stack says nothing.
        most_each: requests at once that one process is ever given.
        copies: how many processes there are at most.
        option: of the door, the one that sets ``copies``.
    """
    most, path = most_requests(spec), "door.options.concurrency"
    if concurrency is None and most > most_each:
        yield Problem(
            path,
            f"is not set, and both ends of a move answer {most} requests at once where one process of "
            f"a door is given {most_each} at most; set concurrency to {most_each}, and {option} to "
            f"{-(-most // most_each)} or more",
        )
    elif concurrency is not None and concurrency * copies < most:
        yield Problem(
            path,
            f"is {concurrency}, with {option} {copies}; the door would hold back requests that both "
            f"ends of a move have room for ({most} at once)",
        )


def identities(door: DoorPlacement) -> str:
    """The model's identity at every end, so that two that differ are seen."""
    return " | ".join(dict.fromkeys(end.model_identity for end in door.ends))


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
