"""A whole stack at its rates: per service of ours, and everything together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Any, cast

from pydantic import ValidationError

from portway.errors import PortwayError
from portway.gate.billing.billed import Billed, billed
from portway.gate.billing.cannot import Fault
from portway.gate.billing.priced import ORDINARY, CostLine, Priced, as_declared, priced
from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.values import Known
from portway.models import Model, catalogue, find
from portway.pricing.assume import engines, work_of
from portway.pricing.meter import Held, Meter, Tokens
from portway.pricing.money import cents, money_shown
from portway.pricing.rate import Rate
from portway.pricing.work import Work
from portway.spec.traffic import Traffic

Declared = tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True)
class Totals:
    """USD a month of what could be priced: at least that, where something could not be."""

    floor: Decimal
    expected: Decimal
    ceiling: Decimal


@dataclass(frozen=True)
class ServiceEstimate:
    """What one service of ours may cost.

    Attributes:
        resource: its ``InferenceService``.
        traffic: as its spec declares it; None where it declares none, or none that can be read.
        resources: all that belongs to it.
        work: what its requests were taken for.
    """

    resource: Resource
    traffic: Traffic | None
    resources: tuple[Priced, ...]
    totals: Totals
    work: Work

    @property
    def name(self) -> str:
        """As its spec calls it."""
        return self.resource.name

    @property
    def is_whole(self) -> bool:
        """Whether everything of it could be priced."""
        return not any(one.faults for one in self.resources)


@dataclass(frozen=True)
class StackEstimate:
    """What a stack may cost.

    Attributes:
        resources: every one of the stack, in its order.
        totals: of all that could be priced.
        services: those of ours.
    """

    resources: tuple[Priced, ...]
    totals: Totals
    services: tuple[ServiceEstimate, ...]

    @property
    def is_whole(self) -> bool:
        """Whether everything could be priced."""
        return not any(one.faults for one in self.resources)

    @property
    def faults(self) -> tuple[tuple[Resource, Fault], ...]:
        """Why something could not be priced."""
        return tuple((one.resource, fault) for one in self.resources for fault in one.faults)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """Every rate that was used for something that costs anything, once."""
        return tuple(
            dict.fromkeys(
                rate
                for one in self.resources
                for line in one.lines
                if line.monthly.ceiling
                for rate in line.rates
            )
        )

    @cached_property
    def by_urn(self) -> Mapping[str, Priced]:
        """Every resource by its URN."""
        return {one.resource.urn: one for one in self.resources}

    def largest(self, count: int = 3) -> tuple[CostLine, ...]:
        """The lines with the highest ceilings, the highest first."""
        return largest(self.resources, count)


def largest(resources: Iterable[Priced], count: int = 3) -> tuple[CostLine, ...]:
    """The lines of ``resources`` with the highest ceilings, the highest first."""
    lines = [line for one in resources for line in one.lines if line.monthly.ceiling > 0]
    return tuple(sorted(lines, key=lambda one: (-one.monthly.ceiling, one.urn, one.item))[:count])


def stack_estimate(stack: Stack, declared: Declared = ()) -> StackEstimate:
    """What ``stack`` may cost a month; never raises over what its resources say.

    Args:
        stack: every resource of it.
        declared: by type token, or glob of URNs, what the organisation says one resource costs.
    """
    return _estimate(stack, declared)


def amount(resource: Resource, stack: Stack | None) -> str:
    """``764 USD a month at its maximum``; "" where it is not known, or costs nothing."""
    if stack is None:
        found = priced(resource, billed(resource, None), ORDINARY)
    else:
        found = _estimate(stack, ()).by_urn.get(resource.urn)
    if found is None or found.faults or not found.ceiling:
        return ""
    return f"{money_shown(found.ceiling)} a month at its maximum"


@lru_cache(maxsize=8)
def _estimate(stack: Stack, declared: Declared) -> StackEstimate:
    belongs = {one.urn: _service_of(one, stack) for one in stack.resources}
    seen = {one.urn: _seen(one, stack, declared) for one in stack.resources}
    services = [one for one in stack.resources if one.type == SERVICE_TYPE]
    traffic = {one.urn: traffic_of(one) for one in services}
    works: dict[str | None, Work] = {
        one.urn: _work(one, traffic[one.urn], _meters(one.urn, belongs, seen)) for one in services
    }
    found = tuple(_price(one, seen[one.urn], belongs[one.urn], works) for one in stack.resources)
    return StackEstimate(
        resources=found,
        totals=totals(found),
        services=tuple(_service(one, traffic[one.urn], found, works[one.urn]) for one in services),
    )


def _seen(resource: Resource, stack: Stack, declared: Declared) -> Billed | tuple[str, Decimal]:
    for key, usd in declared:
        if key == resource.type or fnmatchcase(resource.urn, key):
            return key, usd
    return billed(resource, stack)


def _meters(
    service: str,
    belongs: Mapping[str, str | None],
    seen: Mapping[str, Billed | tuple[str, Decimal]],
) -> tuple[Meter, ...]:
    return tuple(
        meter
        for urn, owner in belongs.items()
        if owner == service
        for one in (seen[urn],)
        if isinstance(one, Billed)
        for meter in one.meters
    )


def _price(
    resource: Resource,
    seen: Billed | tuple[str, Decimal],
    service: str | None,
    works: Mapping[str | None, Work],
) -> Priced:
    if not isinstance(seen, Billed):
        key, usd = seen
        return as_declared(resource, usd, key, service)
    work = works.get(service)
    if work is None:
        work = (
            _of_model(None, _any_model(), seen.meters)
            if any(map(_answers, seen.meters))
            else ORDINARY
        )
    return priced(resource, seen, work, service)


def _service(
    resource: Resource, traffic: Traffic | None, found: tuple[Priced, ...], work: Work
) -> ServiceEstimate:
    own = tuple(one for one in found if one.service == resource.urn)
    return ServiceEstimate(resource, traffic, own, totals(own), work)


def totals(found: Iterable[Priced]) -> Totals:
    """The sums of all lines of ``found``."""
    floor, expected, ceiling = cents(Decimal(0)), cents(Decimal(0)), cents(Decimal(0))
    for one in found:
        for line in one.lines:
            floor += line.monthly.floor
            expected += line.monthly.expected
            ceiling += line.monthly.ceiling
    return Totals(floor, expected, ceiling)


def _service_of(resource: Resource, stack: Stack) -> str | None:
    """URN of the nearest service of ours above ``resource``, or ``resource`` itself."""
    for one in _up(resource, stack):
        if one.type == SERVICE_TYPE:
            return one.urn
    return None


def _up(resource: Resource, stack: Stack) -> Iterator[Resource]:
    here: Resource | None = resource
    met: set[str] = set()
    while here is not None and here.urn not in met:
        met.add(here.urn)
        yield here
        here = stack.by_urn.get(here.parent or "")


def traffic_of(service: Resource) -> Traffic | None:
    """The traffic that the inputs of a service record; None where there is none to be read."""
    seen = service.properties.get("traffic")
    if not isinstance(seen, Known) or not isinstance(seen.value, Mapping):
        return None
    try:
        given = cast("Mapping[str, Any]", seen.value)
        return Traffic.model_validate({name: _whole(value) for name, value in given.items()})
    except ValidationError:
        return None


def _whole(value: object) -> object:
    """Numbers cross the engine's wire as floats: 600 arrives as 600.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _work(service: Resource, traffic: Traffic | None, meters: tuple[Meter, ...]) -> Work:
    return _of_model(traffic, _model_of(service), meters)


def _of_model(traffic: Traffic | None, model: Model, meters: tuple[Meter, ...]) -> Work:
    """As ``work_of``; what answers at a speed that nobody measured is left out of it."""
    return work_of(traffic, model, (one for one in meters if _answers(one)))


def _answers(meter: Meter) -> bool:
    """Whether a model answers there, at a speed that is known."""
    return isinstance(meter, Held | Tokens) and meter.served_by in engines()


def _model_of(service: Resource) -> Model:
    seen = service.properties.get("model")
    try:
        return find(str(seen.value)) if isinstance(seen, Known) else _any_model()
    except PortwayError:
        return _any_model()


def _any_model() -> Model:
    """Where the model is not known: the catalogue's smallest, which answers the most requests."""
    return min(catalogue().values(), key=lambda one: one.weights_gb)
