"""The resources of a preview, read off the engine's own events and settled as rules see them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from portway.gate.resource import PROVIDER_PREFIX, Provider, Resource, Stack
from portway.gate.values import UNKNOWN, View

_UNKNOWN_ON_THE_WIRE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_GONE = frozenset({"delete", "delete-replaced", "discard", "discard-replaced"})

Event = Mapping[str, Any]


def stack_of(events: Iterable[Event]) -> Stack:
    """Every resource the program means to have, by its inputs.

    Values known only after deployment, secrets, files and archives are ``UNKNOWN``: the engine blanks
    secrets in its events, so none can get any further than this.
    """
    states = {state["urn"]: state for state in _states(events)}
    providers = {urn: _provider(state) for urn, state in states.items() if _is_provider(state)}
    return Stack.of(_resource(state, providers) for state in states.values())


def _states(events: Iterable[Event]) -> Iterator[Mapping[str, Any]]:
    for event in events:
        metadata = event.get("resourcePreEvent", {}).get("metadata", {})
        state = metadata.get("new")
        if state and state.get("urn") and state.get("type") and metadata.get("op") not in _GONE:
            yield state


def _resource(state: Mapping[str, Any], providers: Mapping[str, Provider]) -> Resource:
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


def _sources(state: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """By property the resources it comes from: a state says so, an event does not."""
    said: Mapping[str, Sequence[str]] = state.get("propertyDependencies") or {}
    return {name: tuple(urns) for name, urns in said.items()}


def _provider(state: Mapping[str, Any]) -> Provider:
    urn = str(state["urn"])
    return Provider(urn.rpartition("::")[2], urn, View(settled(state.get("inputs") or {})))


def _unseen(urn: str) -> Provider:
    """A provider that no event shows: nothing of it can be known, so nothing is taken from it."""
    return Provider(urn.rpartition("::")[2], urn, View(UNKNOWN))


def _is_provider(state: Mapping[str, Any]) -> bool:
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
