"""A target made of paper: plans without a cloud, refuses for the usual reasons. For tests only."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from portway.errors import Problem, Refused
from portway.models import Model, identity_of_weights
from portway.models.fit import why_too_large
from portway.pricing.meter import Held, Meter, NoCharge, Part
from portway.pricing.rate import RateTable, read_rates
from portway.spec import InferenceServiceSpec
from portway.target import Capabilities, Placement, Plan, Target

NAME = "paper"
REGIONS = ("europe-paper1", "us-paper1")


class PaperOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    sheets: int = 1


class PaperPlan(Plan):
    sheets: int
    instances: int
    args: tuple[str, ...]
    drawers: tuple[dict[str, str], ...]
    is_lined: bool = True
    colour: str | None = None


def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> PaperPlan:
    options = PaperOptions.model_validate(dict(placement.options))
    reasons = [
        *([Problem("placement.region", "has no paper")] if placement.region not in REGIONS else []),
        *([Problem("model", too_large)] if (too_large := why_too_large(model)) else []),
        *([Problem("scaling.max", "is more than a desk holds")] if spec.scaling.max > 10 else []),
        *([Problem("placement.options.sheets", "is 0")] if options.sheets == 0 else []),
        *(
            [Problem("paper:colour", "is not set")]
            if placement.settings.get("paper:colour") == ""
            else []
        ),
    ]
    if reasons:
        raise Refused(NAME, reasons)
    return PaperPlan(
        target=NAME,
        service=spec.name,
        environment=placement.environment,
        region=placement.region,
        model=model.id,
        model_identity=identity_of_weights(model),
        boundary=spec.residency,
        monthly_budget_usd=spec.budget and spec.budget.monthly_usd,
        auth=spec.access.auth,
        keys=placement.keys,
        sheets=options.sheets,
        instances=spec.scaling.max,
        args=("--model", model.weights),
        drawers=({"name": "top", "colour": "[red]"},),
    )


def meters(plan: Plan) -> tuple[Meter, ...]:
    assert isinstance(plan, PaperPlan)
    sheet = Part("sheet", "sheet", Decimal(plan.sheets), per_seconds=3600)
    held = Held(
        "desk", plan.region, (sheet,), 0, plan.instances, 8, 600, 20,
        served_by="bedrock", shape="a desk of paper",
    )  # fmt: skip
    return (held, NoCharge("drawer", "drawer", "it comes with the desk"))


def rates() -> RateTable:
    row = {
        "sku": "sheet", "regions": ["europe-paper1"], "unit": "hour", "amount": "0.5",
        "source": "the stationer", "as_of": "2026-08-01", "grade": "list",
    }  # fmt: skip
    return read_rates({"as_of": "2026-08-01", "rates": [row]}, "paper/rates.json")


TARGET = Target(
    name=NAME,
    capabilities=Capabilities(
        auth=frozenset({"api-key"}),
        reach=frozenset({"public"}),
        scales_to_zero=True,
        streams=True,
        serves_own_weights=True,
    ),
    options=PaperOptions,
    plan=plan,
    component="support.paper_target:NoSuchComponent",
    facts={},
    meters=meters,
    rates=rates,
    regions=lambda: REGIONS,
    place=lambda spec, region: Placement(target=NAME, region=region, environment="prod"),
    without={"many-sheets": {"sheets": 1}},
)
