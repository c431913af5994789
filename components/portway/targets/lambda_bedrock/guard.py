"""What keeps a service on Lambda and Bedrock within its budget: its meter, and AWS Budgets. Pure.

The runtime's meter counts each request before the model is asked. AWS Budgets learns of costs hours
later, so that it is the second line: it tells people, and denies the model when all is spent.
"""

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from portway.metering import limits_of_use
from portway.models import Model
from portway.naming import Names
from portway.pricing.assume import work_of
from portway.pricing.charges import charges
from portway.pricing.estimate import estimate
from portway.pricing.meter import Meter, Tokens
from portway.spec import InferenceServiceSpec
from portway.target import MeterPlan, TokenPrices
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions
from portway.targets.lambda_bedrock.prices import rates, token_sku
from portway.targets.lambda_bedrock.shapes import (
    Alarm,
    MeterTable,
    SpendingGuard,
    SpendingStop,
    Statement,
    Threshold,
    Trust,
)

MICRO: Final = 1_000_000
_CENT: Final = Decimal("0.01")
_KEY, _EXPIRES = "id", "expires"
"""Attributes of the meter's items; the store deletes what has expired."""

THRESHOLDS: Final = (
    Threshold(kind="ACTUAL", percent=50),
    Threshold(kind="ACTUAL", percent=90),
    Threshold(kind="ACTUAL", percent=100),
    Threshold(kind="FORECASTED", percent=100),
)
_DENIED: Final = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
_ALARM_SECONDS: Final = 300


def token_prices(model_id: str, region: str) -> TokenPrices | None:
    """What the meter counts for a million tokens, rounded up; None where one has no rate."""
    found = [rates().find(token_sku(model_id, one), region) for one in ("input", "output")]
    amounts = [int((one.amount * MICRO).to_integral_value(ROUND_CEILING)) for one in found if one]
    if len(amounts) < len(found):
        return None
    return TokenPrices(
        input_micro_usd_per_million_tokens=amounts[0],
        output_micro_usd_per_million_tokens=amounts[1],
    )


def meter_of(
    spec: InferenceServiceSpec, prices: TokenPrices | None, enforced_usd: Decimal | None
) -> MeterPlan | None:
    """What the runtime counts: uses that the spec limits, and ``enforced_usd`` where tokens have prices."""
    if spec.budget is None:
        return None
    if prices is None or enforced_usd is None:
        return limits_of_use(spec)
    limits = limits_of_use(spec) or MeterPlan(away=spec.budget.when_meter_is_away)
    micro = int((enforced_usd * MICRO).to_integral_value(ROUND_FLOOR))
    return limits.model_copy(update={"micro_usd": micro, "prices": prices})


def left_for_tokens(
    spec: InferenceServiceSpec, model: Model, meters: Iterable[Meter]
) -> tuple[Decimal, Decimal]:
    """USD a month that the meter lets tokens cost, and what all else may cost at ``scaling.max``.

    The first is the budget less the second, in whole cents. Where all else may cost the whole budget
    already, it is the whole budget: the service then may exceed it, and the cost pack refuses it.
    """
    budget = Decimal(0) if spec.budget is None else spec.budget.monthly_usd
    every = tuple(meters)
    work = work_of(spec.traffic, model, every)
    others = [one for one in every if not isinstance(one, Tokens)]
    found = estimate(charges(others, work), rates())
    rest = Decimal(0) if found.monthly is None else found.monthly.ceiling
    left = (budget - rest).quantize(_CENT, ROUND_FLOOR)
    return (left if left > 0 else budget), rest


def table_of(names: Names, meter: MeterPlan | None) -> tuple[MeterTable, ...]:
    """The table that the runtime counts in; none without a meter."""
    if meter is None:
        return ()
    return (MeterTable(name=names.physical("meter"), key=_KEY, expires=_EXPIRES),)


def guards_of(
    spec: InferenceServiceSpec,
    names: Names,
    region: str,
    role_name: str,
    options: LambdaBedrockOptions,
) -> tuple[SpendingGuard, ...]:
    """The budget in AWS's books, its topic, its alarms and its stop; none without a budget."""
    if spec.budget is None:
        return ()
    budget = names.physical()
    source = f"arn:aws:budgets::{{account}}:budget/{budget}"
    alarms = _alarms(names)
    return (
        SpendingGuard(
            name=budget,
            limit_usd=f"{spec.budget.monthly_usd:f}",
            tag=("stack", names.cost_labels(spec.model)["stack"]),
            bedrock=(
                {}
                if options.shared_account or options.cost_profile
                else {"SERVICE": "Amazon Bedrock", "REGION": region}
            ),
            thresholds=THRESHOLDS,
            topic=names.physical("alerts"),
            publishers=(
                Trust(
                    sid="Budget",
                    service="budgets.amazonaws.com",
                    action="sns:Publish",
                    sources=(source,),
                ),
                Trust(
                    sid="Alarms",
                    service="cloudwatch.amazonaws.com",
                    action="sns:Publish",
                    sources=tuple(
                        f"arn:aws:cloudwatch:{region}:{{account}}:alarm:{alarm.name}"
                        for alarm in alarms
                    ),
                ),
            ),
            emails=spec.budget.alert_emails,
            stop=_stop(names, role_name, (source, f"{source}/action/*")),
            alarms=alarms,
        ),
    )


def note(budget: Decimal, left: Decimal, rest: Decimal) -> str:
    """How the budget is divided between tokens and all else."""
    if rest >= budget:
        return (
            f"all but tokens may cost {rest} USD a month at scaling.max, which is all of "
            f"budget.monthly_usd, {budget}: the meter lets tokens cost as much again; lower "
            "scaling.max or raise budget.monthly_usd"
        )
    return (
        f"the meter lets tokens cost {left} USD a month: budget.monthly_usd, {budget}, less the "
        f"{rest} that all else may cost at scaling.max"
    )


def notes(
    spec: InferenceServiceSpec, model_id: str, region: str, options: LambdaBedrockOptions
) -> Iterator[str]:
    """What no meter and no budget can see, and who is told of nothing."""
    budget = spec.budget
    if budget is None:
        return
    if token_prices(model_id, region) is None:
        yield (
            f"no rate is known for tokens of {model_id}: the runtime cannot hold budget.monthly_usd "
            "before the model is asked; limit budget.monthly_requests or budget.monthly_tokens"
        )
    elif budget.when_meter_is_away == "allow":
        yield (
            "budget.when_meter_is_away is allow: while the meter's table does not answer, nothing "
            "holds the budget, and the ceiling is what the declared concurrency can consume"
        )
    if options.cost_profile:
        yield "the budget in AWS's books counts what carries the stack's tag, tokens among it"
    elif options.shared_account:
        yield "the budget in AWS's books counts what carries the stack's tag, and no tokens"
    else:
        yield (
            f"the budget in AWS's books counts all of Bedrock in {region}, because tokens carry no "
            "tag; where others use it too, set options.shared_account"
        )
    if not budget.alert_emails:
        yield "nobody is told of the spending yet: set budget.alert_emails, or subscribe to the topic"


def _stop(names: Names, role_name: str, sources: tuple[str, ...]) -> SpendingStop:
    policy = names.physical("stop", limit=64)
    grant = Statement(
        sid="DenyTheModel",
        actions=("iam:AttachRolePolicy", "iam:DetachRolePolicy"),
        # The account is left open: IAM reaches no role of another one.
        resources=(f"arn:aws:iam::*:role/{role_name}",),
        condition={"ArnLike": {"iam:PolicyARN": f"arn:aws:iam::*:policy/{policy}"}},
    )
    return SpendingStop(
        policy_name=policy,
        statement=Statement(sid="BudgetIsSpent", effect="Deny", actions=_DENIED, resources=("*",)),
        role_name=names.physical("budget", limit=64),
        trust=Trust(
            sid="BudgetsMayAct",
            service="budgets.amazonaws.com",
            action="sts:AssumeRole",
            sources=sources,
        ),
        grants=(grant,),
    )


def _alarms(names: Names) -> tuple[Alarm, ...]:
    return (
        Alarm(
            name=names.physical("throttles"),
            metric="Throttles",
            description=f"Requests to {names.base} were turned away: all environments were busy",
            least=1,
            period_seconds=_ALARM_SECONDS,
        ),
        Alarm(
            name=names.physical("errors"),
            metric="Errors",
            description=f"The function of {names.base} failed or ran out of time",
            least=1,
            period_seconds=_ALARM_SECONDS,
        ),
    )
