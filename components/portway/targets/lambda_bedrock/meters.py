"""What Amazon bills of a plan for Lambda with Bedrock: every resource that the component creates."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.pricing.meter import Fixed, Meter, NoCharge, Part, PerRequest, PerUse, Tokens
from portway.pricing.money import DAYS_PER_MONTH
from portway.target import MeterPlan, Plan
from portway.targets.lambda_bedrock.prices import token_sku
from portway.targets.lambda_bedrock.shapes import LambdaBedrockPlan

FREE_GB_SECONDS: Final = Decimal(400_000)
FREE_REQUESTS: Final = 1_000_000
"""Free tier of a month, by account (AWS Lambda pricing)."""

MB_PER_GB: Final = 1024
GB: Final = Decimal(1024**3)
LOG_BYTES: Final = 900
"""Our own line, and the three that Lambda writes: START, END and REPORT."""

ANSWER_BYTES: Final = 600
TOKEN_BYTES: Final = 255
"""One streamed chunk: five bytes of text in a frame of server-sent events."""

COUNTS_PER_REQUEST: Final = 2
"""Writes to the meter's table for an answered request: one reserves, one settles."""

ITEM_BYTES: Final = 1024
MONTHS_KEPT: Final = 13
"""The meter keeps one item for each month, and the table deletes it after thirteen."""

FREE_ALARMS: Final = 10
"""Of an account in a month (Amazon CloudWatch pricing, free tier)."""
ACTIONS_FREE: Final = 2
"""Budgets of an account with actions (AWS Budgets pricing)."""

TEXT_UNITS_PER_REQUEST: Final = Decimal(2)
"""A guardrail counts texts by the thousand characters begun: one beginning for prompt and answer each."""
TEXT_UNITS_PER_TOKEN: Final = Decimal("0.005")
"""Five characters of a token, of a unit of 1000."""

SERIES: Final = 12
"""Metrics that the runtime writes: four readings for one model, and the duration once more for each of
eight classes of errors."""
FREE_SERIES: Final = 10
FREE_DASHBOARDS: Final = 3
"""Both of an account in a month (Amazon CloudWatch pricing, free tier)."""

READS_PER_REQUEST: Final = Decimal("0.01")
START_SECONDS: Final = 10
"""The longest that Lambda lets a new environment start (Lambda runtime environment, init phase)."""

MICRO: Final = Decimal(1_000_000)
_SKUS: Final = {"arm64": "arm64", "x86_64": "x86-64"}


def meters(plan: Plan) -> tuple[Meter, ...]:
    """Every meter of ``plan``; what costs nothing says why.

    Raises:
        TypeError: it is another target's plan.
    """
    if not isinstance(plan, LambdaBedrockPlan):
        raise TypeError(f"{plan.target} has meters of its own")
    return (
        *_function(plan),
        *_model(plan),
        *_logs(plan),
        *_keys(plan),
        *_meter(plan),
        *_guards(plan),
        *_call(plan),
        *_edge(plan),
        *_watched(plan),
        *_beside(plan),
    )


def _function(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    size, kind = Decimal(plan.memory_mb) / MB_PER_GB, _SKUS[plan.architecture]
    kept = sum(alias.provisioned for alias in plan.aliases)
    yield PerRequest(
        resource="function",
        region=plan.region,
        parts=(
            Part("duration", f"duration:{kind}", size, Decimal(0) if kept else FREE_GB_SECONDS),
        ),
        request_sku="requests",
        kept_parts=(Part("kept warm", f"kept:{kind}", size),),
        kept=kept,
        most=plan.reserved_concurrency,
        timeout_seconds=plan.timeout_seconds,
        free_requests=FREE_REQUESTS,
        start_seconds=START_SECONDS,
        transfer_sku="streamed",
        warm_parts=(Part("duration, kept warm", f"duration-kept:{kind}", size),),
        shape=(
            f"{plan.memory_mb} MB on {plan.architecture}, {kept} kept warm, "
            f"{plan.reserved_concurrency} at most"
        ),
    )
    yield PerUse(
        "function", "egress", "egress", plan.region, ANSWER_BYTES / GB, plan.reserved_concurrency,
        units_per_output_token=TOKEN_BYTES / GB,
        assumed=f"an answer leaves Amazon's network with {ANSWER_BYTES} bytes, and {TOKEN_BYTES} for "
        "each output token",
    )  # fmt: skip


def _model(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    environment, limits = plan.environment_variables, _held(plan)
    model_id = environment["PORTWAY_UPSTREAM"].removeprefix("bedrock:")
    yield Tokens(
        resource="model",
        region=plan.region,
        input_sku=token_sku(model_id, "input"),
        output_sku=token_sku(model_id, "output"),
        most=plan.reserved_concurrency,
        context_tokens=int(environment["PORTWAY_CONTEXT_TOKENS"]),
        max_output_tokens=int(environment["PORTWAY_MAX_OUTPUT_TOKENS"]),
        monthly_budget_usd=_enforced(plan),
        monthly_requests=None if limits is None else limits.requests,
        monthly_tokens=None if limits is None else limits.tokens,
        served_by="bedrock",
    )


def _enforced(plan: LambdaBedrockPlan) -> Decimal | None:
    """USD that tokens cannot exceed; None where requests are let through without being counted."""
    limits = _held(plan)
    return None if limits is None or limits.micro_usd is None else limits.micro_usd / MICRO


def _held(plan: LambdaBedrockPlan) -> MeterPlan | None:
    """The meter, where it lets nothing through while its table is away."""
    return plan.meter if plan.meter is not None and plan.meter.away == "refuse" else None


def _logs(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    most = plan.reserved_concurrency
    written = LOG_BYTES / GB
    months = Decimal(plan.log_retention_days) / DAYS_PER_MONTH
    yield PerUse(
        "logs", "log intake", "logs", plan.region, written, most,
        assumed=f"{LOG_BYTES} bytes are logged for each request, and kept {plan.log_retention_days} "
        "days",
    )  # fmt: skip
    yield PerUse("logs", "log storage", "logs-kept", plan.region, written * months, most)


def _keys(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    most = plan.reserved_concurrency
    for _ in plan.key_secrets:
        yield Fixed("keys", "secret", "secret", plan.region, Decimal(1))
        yield NoCharge("keys", "secret version", "billed with its secret")
        yield PerUse(
            "keys", "secret reads", "secret-reads", plan.region, READS_PER_REQUEST / 10_000, most,
            assumed="the key document is read once for each hundred requests",
        )  # fmt: skip
    for key in plan.keys:
        yield NoCharge(f"key-{key}", "random value", "it exists in the stack's state only")


def _meter(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    most = plan.reserved_concurrency
    for _ in plan.tables:
        yield PerUse(
            "meter", "table writes", "table-writes", plan.region, COUNTS_PER_REQUEST / MICRO, most,
            assumed="each answered request is counted by two writes to the meter's table",
        )  # fmt: skip
        kept = MONTHS_KEPT * ITEM_BYTES / GB
        yield Fixed("meter", "table storage", "table-storage", plan.region, kept)


def _guards(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    for guard in plan.guards:
        yield Fixed(
            "budget", "action", "budget-days", plan.region, DAYS_PER_MONTH,
            free_units=ACTIONS_FREE * DAYS_PER_MONTH,
        )  # fmt: skip
        yield NoCharge("budget", "budget", "a budget costs nothing, but for its action")
        yield NoCharge("budget-role", "role", "IAM costs nothing")
        yield NoCharge("budget-role", "policy", "IAM costs nothing")
        yield NoCharge("stop", "policy", "IAM costs nothing")
        yield NoCharge("alerts", "topic", "its few alerts are within an account's free million")
        yield NoCharge("alerts", "topic policy", "a policy costs nothing")
        for alarm in guard.alarms:
            yield Fixed(
                alarm.metric.lower(), "alarm", "alarm", plan.region, Decimal(1),
                free_units=Decimal(FREE_ALARMS),
            )  # fmt: skip


def _call(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    most = plan.reserved_concurrency
    for _ in plan.cost_profiles:
        yield NoCharge("model", "inference profile", "billed with the tokens that pass through it")
    if "PORTWAY_BEDROCK_GUARDRAIL" in plan.environment_variables:
        yield PerUse(
            "model", "guardrail", "guardrail-units", plan.region,
            TEXT_UNITS_PER_REQUEST / 1000, most,
            units_per_output_token=TEXT_UNITS_PER_TOKEN / 1000,
            units_per_input_token=TEXT_UNITS_PER_TOKEN / 1000,
            assumed="the guardrail has every policy that is billed; one with fewer costs less",
        )  # fmt: skip
    if plan.kms_key_arn is not None:
        yield PerUse(
            "key", "requests", "key-requests", plan.region, READS_PER_REQUEST / 10_000, most,
            assumed="the key is used once for each hundred requests",
        )  # fmt: skip


def _edge(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    most = plan.reserved_concurrency
    for edge in plan.rest_edges:
        yield PerUse(
            "api", "requests", "api-requests", plan.region, 1 / MICRO, most,
            assumed="an answer is shorter than 10 MB, so that it is one request",
        )  # fmt: skip
        for part in (
            "api",
            *(["every"] * 3),
            "deployment",
            "stage",
            *(["throttle"] * len(edge.throttles)),
        ):
            yield NoCharge(part, "API", "billed with the requests of the API")
        for _ in edge.firewalls:
            yield Fixed("firewall", "web ACL", "acl", plan.region, Decimal(1))
            yield Fixed("firewall", "rule", "acl-rule", plan.region, Decimal(1))
            yield PerUse("firewall", "requests", "acl-requests", plan.region, 1 / MICRO, most)
            yield NoCharge("firewall", "association", "billed with the web ACL")


def _watched(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    for _ in plan.dashboards:
        yield Fixed(
            "dashboard", "dashboard", "dashboard", plan.region, Decimal(1),
            free_units=Decimal(FREE_DASHBOARDS),
        )  # fmt: skip
        yield Fixed(
            "dashboard", "metrics", "metric", plan.region, Decimal(SERIES),
            free_units=Decimal(FREE_SERIES),
            assumed=f"the runtime writes {SERIES} metrics: four of the model, and eight of errors",
        )  # fmt: skip


def _beside(plan: LambdaBedrockPlan) -> Iterator[Meter]:
    yield NoCharge("role", "role", "IAM costs nothing")
    yield NoCharge("policy", "policy", "IAM costs nothing")
    if not plan.rest_edges:
        yield NoCharge("url", "function URL", "billed with the function's requests")
    for _ in plan.rest_edges:
        yield NoCharge("api", "permission", "IAM costs nothing")
    for permission in plan.permissions:
        yield NoCharge(permission.statement_id, "permission", "IAM costs nothing")
    for alias in plan.aliases:
        yield NoCharge("alias", alias.name, "a name for a version costs nothing")
        yield NoCharge("warm", "kept warm", "billed with the function")
    if plan.make_provider:
        yield NoCharge("aws", "provider", "it exists in the stack's state only")
