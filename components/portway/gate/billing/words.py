"""How rules speak of money: amounts, the lines behind them, and what could not be priced."""

from collections.abc import Iterable, Iterator

from portway.gate.billing.cannot import Fault
from portway.gate.billing.priced import CostLine, Priced
from portway.gate.billing.stack import largest
from portway.gate.resource import Resource
from portway.pricing.money import money_shown

_MOST = 3


def behind(resources: Iterable[Priced]) -> str:
    """`` (chat-service gpu 981 USD, …)``: the largest lines, at their maximum; "" for none."""
    return _listed(largest(resources, _MOST), at_rest=False)


def behind_floor(resources: Iterable[Priced]) -> str:
    """The same of what is spent with no traffic."""
    lines = [line for one in resources for line in one.lines if line.monthly.floor > 0]
    ordered = sorted(lines, key=lambda one: (-one.monthly.floor, one.urn, one.item))
    return _listed(tuple(ordered[:_MOST]), at_rest=True)


def unpriced(resources: Iterable[Priced]) -> Iterator[tuple[Resource, Fault]]:
    """What could not be priced; what only lacks a maximum is another rule's."""
    for one in resources:
        for fault in one.faults:
            if not fault.is_unbounded:
                yield one.resource, fault


def unbounded(resources: Iterable[Priced]) -> Iterator[Resource]:
    """What has a rate, and no maximum."""
    for one in resources:
        if any(fault.is_unbounded for fault in one.faults):
            yield one.resource


def untold(resources: Iterable[Priced]) -> Iterator[tuple[str, str]]:
    """Why a ceiling is not the whole of it, at most once, with the first resource that it is for."""
    listed = list(resources)
    open_ended = list(unbounded(listed))
    missing = [one for one, _ in unpriced(listed)]
    if open_ended:
        why = f"that of {_few(open_ended)}, of which nothing limits how many there may be"
        yield open_ended[0].urn, why
    elif missing:
        yield missing[0].urn, f"that of {_few(missing)}, which cannot be priced"


def _few(resources: list[Resource]) -> str:
    names = list(dict.fromkeys(map(str, resources)))
    rest = f" and {len(names) - 2} more" if len(names) > 2 else ""  # noqa: PLR2004 - two are named
    return f"{', '.join(names[:2])}{rest}"


def _listed(lines: tuple[CostLine, ...], *, at_rest: bool) -> str:
    said = [
        f"{one.resource} {one.item} "
        f"{money_shown(one.monthly.floor if at_rest else one.monthly.ceiling)}"
        for one in lines
    ]
    return f" ({', '.join(said)})" if said else ""
