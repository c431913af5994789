"""What the rules of each pack are told beside the resource: limits, boundary, places."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import cast

from portway.errors import BadInput
from portway.gate.config import CostConfig, PackConfig, ResidencyConfig
from portway.gate.resource import SERVICE_TYPE, Resource
from portway.gate.sums import IncreaseLimits
from portway.gate.values import Known, Missing, Unknown
from portway.residency.boundary import Boundary, boundaries, boundary

NO_BOUNDARY = (
    "no boundary is declared, so nothing can be judged; set residency in the spec, "
    "or boundary in the configuration of the residency pack"
)


@dataclass(frozen=True)
class ResidencyContext:
    """What residency rules know.

    Attributes:
        boundary: where the resource may be; None when nobody has said so yet.
        organisation: the configured boundary, None without configuration.
        is_final: no boundary can be declared any more: what is not known now is refused now.
    """

    boundary: Boundary | None
    organisation: Boundary | None = None
    clusters: Mapping[str, str] = field(default_factory=dict[str, str])
    buckets: Mapping[str, str] = field(default_factory=dict[str, str])
    hosts: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str])
    is_final: bool = True


@dataclass(frozen=True)
class CostContext:
    """What cost rules know: the configured limits, and the budgets (USD a month) of the services.

    Attributes:
        gpu_types: the only ones that may be rented; None: every one.
        elsewhere: by rule id, where something is kept whose absence from the stack is then accepted.
        declared_usd: by type token or glob of URNs, what one such resource costs a month.
        environments: by glob of stack names, ``trial`` or ``production``.
        increase: by how much a stack may become dearer than it was, and what it was.
        today: the day on which the age of a rate is counted.
    """

    max_gpus: int | None = None
    budgets: tuple[Decimal, ...] = ()
    gpu_types: tuple[str, ...] | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str])
    monthly_ceiling_usd: Decimal | None = None
    monthly_floor_usd: Decimal | None = None
    min_utilisation: Decimal | None = None
    rates_max_age_days: int | None = None
    declared_usd: tuple[tuple[str, Decimal], ...] = ()
    environments: tuple[tuple[str, str], ...] = ()
    increase: IncreaseLimits = field(default_factory=IncreaseLimits)
    today: date = date.max


@dataclass(frozen=True)
class Declared:
    """What one service component says of itself. None: nothing; a text: why it cannot be used."""

    boundary: Boundary | str | None
    budget: Decimal | str | None


def declared(resource: Resource) -> Declared:
    """Read the inputs of an ``InferenceService``."""
    return Declared(_boundary(resource), _budget(resource))


class Declarations:
    """The services seen so far in one stack, and who is whose child."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._services: dict[str, Declared] = {}
        self._parents: dict[str, str | None] = {}

    def add(self, resource: Resource) -> None:
        """Remember ``resource``: its parent, and what it declares if it is a service."""
        self._parents[resource.urn] = resource.parent
        if resource.type == SERVICE_TYPE:
            self._services[resource.urn] = declared(resource)

    def context(
        self,
        config: PackConfig,
        resource: Resource | None,
        *,
        is_final: bool,
        today: date = date.max,
    ) -> ResidencyContext | CostContext:
        """What the rules of the pack that has ``config`` are told about ``resource``."""
        if isinstance(config, CostConfig):
            budgets = [said.budget for said in self._services.values()]
            known = tuple(budget for budget in budgets if isinstance(budget, Decimal))
            return CostContext(
                max_gpus=config.max_gpus,
                budgets=known,
                gpu_types=config.gpu_types,
                elsewhere=config.elsewhere,
                monthly_ceiling_usd=config.monthly_ceiling_usd,
                monthly_floor_usd=config.monthly_floor_usd,
                min_utilisation=config.min_utilisation,
                rates_max_age_days=config.rates_max_age_days,
                declared_usd=tuple(config.declared_usd.items()),
                environments=tuple(config.environments.items()),
                increase=config,
                today=today,
            )
        if not isinstance(config, ResidencyConfig):
            raise TypeError(f"no context for {type(config).__name__}")
        organisation = None if config.boundary is None else boundary(config.boundary)
        return ResidencyContext(
            boundary=self._boundary(organisation, resource),
            organisation=organisation,
            clusters=config.clusters,
            buckets=config.buckets,
            hosts=config.hosts,
            elsewhere=config.elsewhere,
            is_final=is_final,
        )

    def _boundary(
        self, organisation: Boundary | None, resource: Resource | None
    ) -> Boundary | None:
        service = None if resource is None else self._service_of(resource)
        services = self._services.values() if service is None else (service,)
        said = [one.boundary for one in services if isinstance(one.boundary, Boundary)]
        return _inside_all([organisation, *said] if organisation else said)

    def _service_of(self, resource: Resource) -> Declared | None:
        urn: str | None = resource.urn
        while urn is not None:
            if urn in self._services:
                return self._services[urn]
            urn = self._parents.get(urn)
        return None


def _inside_all(boundaries: Iterable[Boundary]) -> Boundary | None:
    """Inside every one; possibly inside nothing, which is a boundary that refuses everything."""
    both: Boundary | None = None
    for one in boundaries:
        if both is None:
            both = one
        else:
            names = tuple(dict.fromkeys((*both.names, *one.names)))
            both = Boundary(names, both.regions & one.regions)
    return both


def _boundary(resource: Resource) -> Boundary | str | None:
    match resource.properties.get("boundary"):
        case Missing():
            return None
        case Unknown(path):
            return f"{path} is known only after deployment; declare it as a literal"
        case Known(path, value):
            names = cast("list[object]", value) if isinstance(value, list) else [value]
            if not names or not all(isinstance(name, str) for name in names):
                return f"{path} must be the name of a boundary, or a list of names"
            known = boundaries()
            if any(name not in known for name in names):
                # What was given is not repeated: policies see secrets in clear.
                return f"{path} names what is not a boundary; choose among {', '.join(known)}"
            try:
                return boundary(map(str, names))
            except BadInput as error:
                return "; ".join(problem.message for problem in error.problems)


def _budget(resource: Resource) -> Decimal | str | None:
    match resource.properties.get("monthlyBudgetUsd"):
        case Missing():
            return None
        case Unknown(path):
            return f"{path} is known only after deployment; declare it as a literal"
        case Known(path, value):
            try:
                budget = Decimal(str(value))
            except InvalidOperation:
                return f"{path} is no amount of money"
            return budget if budget.is_finite() else f"{path} is no amount of money"
