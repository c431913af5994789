"""Targets made of paper, as many and as odd as a test wants: held, sold by the token, unpriced, refusing."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from portway.errors import Problem, Refused
from portway.models import Model, identity_of_weights
from portway.pricing.meter import Fixed, Held, Meter, Part, PerRequest, PerUse, Tokens
from portway.pricing.rate import RateTable, read_rates
from portway.spec import InferenceServiceSpec
from portway.target import Capabilities, Placement, Plan, Target


class NoOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WorldPlan(Plan):
    least: int
    most: int
    concurrency: int


@dataclass(frozen=True)
class Vendor:
    """One paper target.

    Attributes:
        prices: by region, by SKU: USD; a SKU that is left out has no rate there.
        sells: ``gpu`` (instances by the hour) or ``tokens``.
        needs_one: refuses to scale to zero.
    """

    name: str
    sells: str
    prices: Mapping[str, Mapping[str, str]]
    hold_seconds: int = 600
    start_seconds: int = 60
    free_units: int = 0
    needs_one: bool = False
    most_at_once: int = 10_000

    def target(self) -> Target:
        return Target(
            name=self.name,
            capabilities=Capabilities(
                auth=frozenset({"api-key"}),
                reach=frozenset({"public"}),
                scales_to_zero=not self.needs_one,
                streams=True,
                serves_own_weights=True,
            ),
            options=NoOptions,
            plan=self._plan,
            component="support.paper_world:NoSuchComponent",
            facts={},
            meters=self._gpu if self.sells == "gpu" else self._tokens,
            rates=cache(self._rates),
            regions=lambda: tuple(sorted(self.prices)),
            place=lambda spec, region: Placement(
                target=self.name, region=region, environment="prod"
            ),
        )

    def _plan(self, spec: InferenceServiceSpec, model: Model, placement: Placement) -> WorldPlan:
        scaling = spec.scaling
        reasons: list[Problem] = []
        if self.needs_one and scaling.min == 0:
            reasons.append(Problem("scaling.min", "is 0, and nothing wakes paper"))
        if scaling.max * scaling.concurrency > self.most_at_once:
            reasons.append(Problem("scaling.max", "is more than a desk holds"))
        if reasons:
            raise Refused(self.name, reasons)
        return WorldPlan.model_construct(
            target=self.name,
            service=spec.name,
            environment=placement.environment,
            region=placement.region,
            model=model.id,
            model_identity=identity_of_weights(model),
            boundary=spec.residency,
            monthly_budget_usd=None,
            auth=spec.access.auth,
            keys=placement.keys,
            least=scaling.min,
            most=scaling.max,
            concurrency=scaling.concurrency,
        )

    def _gpu(self, plan: Plan) -> tuple[Meter, ...]:
        assert isinstance(plan, WorldPlan)
        part = Part("gpu", "gpu", Decimal(1), Decimal(self.free_units), per_seconds=3600)
        held = Held(
            "desk", plan.region, (part,), plan.least, plan.most, plan.concurrency,
            self.hold_seconds, self.start_seconds, served_by="nvidia-l4", shape="a desk",
        )  # fmt: skip
        fee = Fixed("fee", "fee", "fee", plan.region, Decimal(1))
        return (held, fee, self._logs(plan))

    def _tokens(self, plan: Plan) -> tuple[Meter, ...]:
        assert isinstance(plan, WorldPlan)
        at_once = plan.most * plan.concurrency
        duration = Part("duration", "duration", Decimal(1), Decimal(self.free_units))
        function = PerRequest(
            "function", plan.region, (duration,), "requests",
            (Part("kept", "kept", Decimal(1)),), plan.least * plan.concurrency, at_once, 900,
            warm_parts=(Part("warm", "warm", Decimal(1)),), start_seconds=10, shape="a function",
        )  # fmt: skip
        tokens = Tokens(
            "model", plan.region, "input", "output", at_once, 8192, 1024, served_by="bedrock"
        )
        fee = Fixed("fee", "fee", "fee", plan.region, Decimal(1))
        return (function, tokens, fee, self._logs(plan))

    def _logs(self, plan: WorldPlan) -> Meter:
        at_once = plan.most * plan.concurrency
        return PerUse("logs", "logs", "logs", plan.region, Decimal("0.000001"), at_once)

    def _rates(self) -> RateTable:
        rows: list[dict[str, Any]] = [
            {
                "sku": sku, "regions": [region], "unit": "unit", "amount": amount,
                "source": "the stationer", "as_of": "2026-08-01", "grade": "list",
            }
            for region, prices in self.prices.items()
            for sku, amount in prices.items()
        ]  # fmt: skip
        return read_rates({"as_of": "2026-08-01", "rates": rows}, f"{self.name}/rates.json")


def gpu_prices(hour: str, fee: str = "0", logs: str = "0.5") -> dict[str, str]:
    """What a region charges for instances: by the hour, a fee a month, and logs."""
    return {"gpu": hour, "fee": fee, "logs": logs}


def token_prices(million: str, second: str = "0.00001", fee: str = "0") -> dict[str, str]:
    """What a region charges for tokens, and for the function in front of them by the second."""
    kept = str(Decimal(second) / 4)
    warm = str(Decimal(second) / 2)
    return {
        "input": million, "output": million, "requests": "0.2", "duration": second, "kept": kept,
        "warm": warm, "fee": fee, "logs": "0.5",
    }  # fmt: skip
