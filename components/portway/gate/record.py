"""What a preview's events prove: what was judged, what was said, and what was not judged at all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

_STACK_TYPE = "pulumi:pulumi:Stack"
_PROVIDER = "pulumi:providers:"
_NOT_RUN = "can't run policy"
_BROKE = "this rule broke ("
_READS = frozenset({"read", "read-replacement", "refresh", "delete", "delete-replaced"})
_PREFIX = "portway-"
_ENDED = "resource monitor shut down"
_FAILED = "preview failed"

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Reported:
    """One violation as a pack reported it.

    Attributes:
        rule: its id, or "" where a policy said something without one.
        level: ``mandatory`` or ``advisory``.
    """

    pack: str
    policy: str
    rule: str
    level: str
    urn: str
    message: str

    @property
    def resource(self) -> str:
        """``type name``, or the stack."""
        parts = self.urn.split("::")
        if len(parts) < 4 or parts[2].endswith(_STACK_TYPE):  # noqa: PLR2004 - urn, project, type, name
            return "the stack"
        return f"{parts[2].split('$')[-1]} {parts[3]}"


@dataclass(frozen=True)
class Record:
    """One preview.

    Attributes:
        packs: names of the packs the engine ran, without our prefix.
        registered: URNs of what the program means to have, the stack and providers left out.
        components: those of them that only hold others.
        analysed: by pack, the URNs given to its resource policies.
        whole: packs whose stack policies were run to their end.
        broken: what rules said of themselves that broke, by rule.
        texts: every text among the inputs, and the names of providers: what a stack speaks of.
    """

    packs: frozenset[str]
    registered: tuple[str, ...]
    analysed: Mapping[str, frozenset[str]]
    whole: frozenset[str]
    reported: tuple[Reported, ...]
    not_run: tuple[str, ...] = ()
    components: frozenset[str] = frozenset()
    errors: tuple[str, ...] = field(default=())
    texts: frozenset[str] = frozenset()
    broken: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def refusals(self) -> tuple[Reported, ...]:
        """The violations that refuse."""
        return tuple(one for one in self.reported if one.level == "mandatory")

    @property
    def advice(self) -> tuple[Reported, ...]:
        """What was only reported."""
        return tuple(one for one in self.reported if one.level != "mandatory")

    def gaps(self, packs: Iterable[str]) -> tuple[str, ...]:
        """Why this preview proves less than a whole judgement by ``packs``; empty when it is whole."""
        found = [f"a policy was not run: {text}" for text in self.not_run]
        for rule, texts in sorted(self.broken.items()):
            first, *others = texts
            more = f" (and {len(others)} more)" if others else ""
            found.append(f"[{rule}] {first}{more}")
        if not set(self.registered) - self.components and not self.errors:
            found.append("the program registered no resource, so nothing was judged")
        for pack in sorted(packs):
            if pack not in self.packs:
                found.append(f"the {pack} pack was not run")
                continue
            missed = [urn for urn in self.registered if urn not in self.analysed.get(pack, ())]
            if missed:
                found.append(f"the {pack} pack was not asked about {', '.join(missed[:3])}")
            # The engine leaves the whole stack out once something went wrong, which says enough.
            if pack not in self.whole and not self.errors:
                found.append(f"the {pack} pack was not asked about the whole stack")
        return tuple(found)


def read_events(events: Sequence[Event], errors: Iterable[str] = ()) -> Record:
    """The record of one preview from the engine's own events, in order.

    Args:
        events: as ``--event-log`` writes them.
        errors: what the engine complained about, for people. That the preview as a whole failed
            says nothing of its own: a refusal and a fault both end so.
    """
    analysed: dict[str, set[str]] = {}
    whole: set[str] = set()
    packs: set[str] = set()
    for event in events:
        if "policyAnalyzeSummaryEvent" in event:
            said = event["policyAnalyzeSummaryEvent"]
            analysed.setdefault(_pack(said), set()).add(said["resourceUrn"])
        elif "policyAnalyzeStackSummaryEvent" in event:
            whole.add(_pack(event["policyAnalyzeStackSummaryEvent"]))
        elif "summaryEvent" in event:
            ran: Mapping[str, Any] = event["summaryEvent"].get("PolicyPacks") or {}
            packs.update(name.split("|")[0].removeprefix(_PREFIX) for name in ran)
    said = [event["policyEvent"] for event in events if "policyEvent" in event]
    reported = [_reported(one) for one in said if not _was_not_run(one)]
    broken: dict[str, tuple[str, ...]] = {}
    for one in reported:
        if one.message.startswith(_BROKE):
            broken[one.rule] = (*broken.get(one.rule, ()), one.message)
    return Record(
        packs=frozenset(packs),
        registered=tuple(one["urn"] for one in _registered(events)),
        components=frozenset(one["urn"] for one in _registered(events) if _only_holds(one)),
        analysed={pack: frozenset(urns) for pack, urns in analysed.items()},
        whole=frozenset(whole),
        reported=tuple(one for one in reported if not one.message.startswith(_BROKE)),
        not_run=tuple(one["message"].strip() for one in said if _was_not_run(one)),
        errors=causes(error for error in errors if error != _FAILED),
        broken=broken,
        texts=frozenset(text for one in _resources(events) for text in texts_of(one.get("new"))),
    )


def texts_of(state: Event | None) -> Iterator[str]:
    """What the inputs of a resource say, its URN, and of a provider its name."""
    if not state:
        return
    urn = str(state.get("urn", ""))
    yield urn
    if str(state.get("type", "")).startswith(_PROVIDER):
        yield urn.rpartition("::")[2]
    yield from _leaves(state.get("inputs"))


def is_managed(token: str) -> bool:
    """Whether a type is a resource of its own: neither the stack nor a provider."""
    return token != _STACK_TYPE and not token.startswith(_PROVIDER)


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[str, object]", value).values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _leaves(item)


def _resources(events: Sequence[Event]) -> Iterator[Event]:
    for event in events:
        metadata = event.get("resourcePreEvent", {}).get("metadata", {})
        if metadata.get("type"):
            yield metadata


def _registered(events: Sequence[Event]) -> Iterable[Event]:
    """What the program means to have: not the stack, not providers, not what it only reads."""
    for metadata in _resources(events):
        if metadata.get("op") not in _READS and is_managed(metadata["type"]):
            yield metadata


def _only_holds(metadata: Event) -> bool:
    """Whether no cloud has it; the engine says so only of what its plugins manage."""
    state: Event | None = metadata.get("new")
    return state is not None and not state.get("custom", False)


def _was_not_run(said: Event) -> bool:
    return _NOT_RUN in said.get("message", "")


def causes(errors: Iterable[str]) -> tuple[str, ...]:
    """The errors, but for a program's complaint that the engine has ended where another says why."""
    said = tuple(errors)
    return tuple(error for error in said if _ENDED not in error) or said


def _reported(said: Event) -> Reported:
    """The SDK prints the policy's description above each message, which begins with the rule's id."""
    text = str(said["message"]).strip().split("\n", 1)[-1].strip()
    rule, bracket, rest = text.removeprefix("[").partition("] ")
    has_rule = text.startswith("[") and bool(bracket)
    return Reported(
        pack=_pack(said),
        policy=said["policyName"],
        rule=rule if has_rule else "",
        level=said["enforcementLevel"],
        urn=said.get("resourceUrn", ""),
        message=rest if has_rule else text,
    )


def _pack(said: Event) -> str:
    return str(said["policyPackName"]).removeprefix(_PREFIX)
