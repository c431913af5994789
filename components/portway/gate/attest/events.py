"""A stack as rules see it, from what the engine writes: its events, or an exported state."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from portway.gate.resource import PROVIDER_PREFIX, Provider, Resource, Stack
from portway.gate.values import UNKNOWN, View

_UNKNOWN_ON_THE_WIRE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_GONE = frozenset({"delete", "delete-replaced", "discard", "discard-replaced"})

Event = Mapping[str, Any]
State = Mapping[str, Any]


def states_of(events: Iterable[Event]) -> tuple[State, ...]:
    """The resources the program means to have, as the engine wrote them into its events."""
    found: dict[str, State] = {}
    for event in events:
        metadata = event.get("resourcePreEvent", {}).get("metadata", {})
        state = metadata.get("new")
        if state and state.get("urn") and state.get("type") and metadata.get("op") not in _GONE:
            found[state["urn"]] = state
    return tuple(found.values())


def stack_of(states: Iterable[State]) -> Stack:
    """The stack of ``states``, each by its inputs: of a preview, or of an exported state.

    Values known only after deployment, secrets, files and archives are ``UNKNOWN``, so that no secret
    can get any further than this.
    """
    kept = tuple(states)
    providers = {str(one["urn"]): _provider(one) for one in kept if _is_provider(one)}
    return Stack.of(_resource(state, providers) for state in kept)


def _resource(state: State, providers: Mapping[str, Provider]) -> Resource:
    urn = str(state["urn"])
    # A reference to a provider is its URN and its id.
    used = str(state.get("provider") or "").rpartition("::")[0]
    return Resource(
        urn=urn,
        name=urn.rpartition("::")[2],
        type=str(state["type"]),
        properties=View(settled(state.get("inputs") or {})),
        provider=providers.get(used, _unseen(used)) if used else None,
        parent=str(state["parent"]) if state.get("parent") else None,
        depends_on=_sources(state),
    )


def _sources(state: State) -> Mapping[str, tuple[str, ...]]:
    """By property the resources it comes from: a state says so, an event does not."""
    said: Mapping[str, Sequence[str]] = state.get("propertyDependencies") or {}
    return {name: tuple(urns) for name, urns in said.items()}


def _provider(state: State) -> Provider:
    urn = str(state["urn"])
    return Provider(urn.rpartition("::")[2], urn, View(settled(state.get("inputs") or {})))


def _unseen(urn: str) -> Provider:
    """A provider that no event shows: nothing of it can be known, so nothing is taken from it."""
    return Provider(urn.rpartition("::")[2], urn, View(UNKNOWN))


def _is_provider(state: State) -> bool:
    return str(state["type"]).startswith(PROVIDER_PREFIX)


def settled(value: object) -> Any:  # noqa: ANN401 - what an event holds
    """``value`` with ``UNKNOWN`` for what cannot be known, or must not be repeated."""
    if value == _UNKNOWN_ON_THE_WIRE:
        return UNKNOWN
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, object]", value)
        if _SIGNATURE in mapping:
            return UNKNOWN
        return {key: settled(child) for key, child in mapping.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [settled(child) for child in cast("Sequence[object]", value)]
    return value
