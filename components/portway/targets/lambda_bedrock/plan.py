"""Spec and placement to the Lambda and Bedrock resources that honour them. Pure."""

from collections.abc import Iterator
from typing import Final

from portway.bundle import PACKAGE, WRAPPER, runtime_digest
from portway.errors import Refused
from portway.metering import meter_variable, without_a_meter
from portway.models import BedrockOffer, Model, identity_on_bedrock
from portway.naming import Names
from portway.options import read_options
from portway.residency.profiles import destinations
from portway.runtime_env import runtime_env
from portway.spec import InferenceServiceSpec
from portway.target import MeterPlan, Placement
from portway.targets.lambda_bedrock import guard, refusals
from portway.targets.lambda_bedrock.meters import meters
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions
from portway.targets.lambda_bedrock.shapes import (
    Alias,
    KeySecret,
    LambdaBedrockPlan,
    MeterTable,
    Statement,
    UrlPermission,
)

TARGET_NAME: Final = "lambda-bedrock"
RUNTIME: Final = "python3.13"
GRACE_SECONDS: Final = 10
"""How much later than the runtime Lambda gives up, so that a late answer is an OpenAI error."""

ALIAS: Final = "live"
_INVOKE: Final = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")


def plan(spec: InferenceServiceSpec, model: Model, placement: Placement) -> LambdaBedrockPlan:
    """The function, its URL and permissions, its role and log group, and its key.

    Raises:
        Refused: Lambda or Bedrock cannot honour the spec at this placement; lists every reason.
    """
    options, problems = read_options(LambdaBedrockOptions, placement)
    reasons = [*problems, *refusals.of_placement(spec, model, placement)]
    if options is not None:
        reasons += refusals.of_options(spec, model, placement, options)
    if reasons or options is None or model.bedrock is None:
        raise Refused(TARGET_NAME, reasons)
    budget = None if spec.budget is None else spec.budget.monthly_usd
    upstream = options.inference_profile or model.bedrock.model_id
    prices = guard.token_prices(upstream, placement.region)
    meter = guard.meter_of(spec, prices, budget)
    unpriced = f"no rate is known for tokens of {upstream}, so that there is nothing to meter"
    if unmetered := tuple(without_a_meter(spec, meter, unpriced)):
        raise Refused(TARGET_NAME, unmetered)
    drawn = _plan(spec, model, model.bedrock, placement, options, meter)
    if budget is None or prices is None:
        return drawn
    # What all else may cost follows from the plan, and what the meter lets tokens cost from that.
    left, rest = guard.left_for_tokens(spec, model, meters(drawn))
    meter = guard.meter_of(spec, prices, left)
    whole = _plan(spec, model, model.bedrock, placement, options, meter)
    return whole.model_copy(update={"notes": (*whole.notes, guard.note(budget, left, rest))})


def _plan(
    spec: InferenceServiceSpec,
    model: Model,
    offer: BedrockOffer,
    placement: Placement,
    options: LambdaBedrockOptions,
    meter: MeterPlan | None,
) -> LambdaBedrockPlan:
    names = Names(spec.name, placement.environment)
    has_keys = spec.access.auth == "api-key"
    function = names.physical(limit=64)
    log_group = f"/aws/lambda/{function}"
    secrets = _secrets(names, options) if has_keys else ()
    aliases = _aliases(spec)
    url_auth = "NONE" if has_keys else "AWS_IAM"
    role, tables = names.physical("lambda", limit=64), guard.table_of(names, meter)
    metered = _metered(names, model, placement.region, meter, tables)
    return LambdaBedrockPlan(
        target=TARGET_NAME,
        service=spec.name,
        environment=placement.environment,
        region=placement.region,
        model=model.id,
        model_identity=identity_on_bedrock(model, placement.region),
        boundary=spec.residency,
        monthly_budget_usd=None if spec.budget is None else spec.budget.monthly_usd,
        auth=spec.access.auth,
        keys=placement.keys if has_keys else (),
        meter=meter,
        alert_emails=() if spec.budget is None else spec.budget.alert_emails,
        make_provider="aws:region" not in placement.settings,
        tags=names.cost_labels(model.id),
        function_name=function,
        role_name=role,
        log_group=log_group,
        log_retention_days=options.log_retention_days,
        key_secrets=secrets,
        architecture=options.architecture,
        memory_mb=options.memory_mb,
        runtime=RUNTIME,
        handler=f"{PACKAGE}.main.handler",
        environment_variables={**_environment(spec, model, offer, options, secrets), **metered},
        timeout_seconds=min(spec.timeout_seconds + GRACE_SECONDS, refusals.MAX_TIMEOUT_SECONDS),
        reserved_concurrency=spec.scaling.max * spec.scaling.concurrency,
        publish=bool(aliases),
        aliases=aliases,
        qualifier=ALIAS if aliases else None,
        url_auth_type=url_auth,
        permissions=tuple(_permissions(("*",) if has_keys else options.invokers, url_auth)),
        statements=(
            *_bedrock_statements(offer, placement.region, options.inference_profile),
            *_own_statements(placement.region, log_group, secrets, tables),
        ),
        tables=tables,
        guards=guard.guards_of(spec, names, placement.region, role, options),
        runtime_sha256=runtime_digest(),
        notes=tuple(_notes(spec, offer, placement.region, options)),
    )


def _secrets(names: Names, options: LambdaBedrockOptions) -> tuple[KeySecret, ...]:
    name = names.physical("api-keys")
    return (KeySecret(name=name, recovery_window_days=options.secret_recovery_days),)


def _environment(
    spec: InferenceServiceSpec,
    model: Model,
    offer: BedrockOffer,
    options: LambdaBedrockOptions,
    secrets: tuple[KeySecret, ...],
) -> dict[str, str]:
    upstream = options.inference_profile or offer.model_id
    # One environment of a function serves one request at a time (Lambda, function scaling).
    env = runtime_env(spec, model, upstream=f"bedrock:{upstream}", concurrency=1)
    # By name and not by ARN: GetSecretValue takes both, and only the name is known at preview.
    keys = {"PORTWAY_API_KEYS_SECRET": secrets[0].name} if secrets else {}
    return {**env, **keys, "AWS_LAMBDA_EXEC_WRAPPER": f"/var/task/{WRAPPER}"}


def _metered(
    names: Names,
    model: Model,
    region: str,
    meter: MeterPlan | None,
    tables: tuple[MeterTable, ...],
) -> dict[str, str]:
    if meter is None:
        return {}
    (table,) = tables
    return meter_variable(
        meter,
        {"kind": "dynamodb", "table": table.name, "region": region},
        service=names.physical(),
        max_output_tokens=model.max_output_tokens,
    )


def _aliases(spec: InferenceServiceSpec) -> tuple[Alias, ...]:
    warm = spec.scaling.min * spec.scaling.concurrency
    return (Alias(name=ALIAS, provisioned=warm),) if warm else ()


def _permissions(principals: tuple[str, ...], url_auth: str) -> Iterator[UrlPermission]:
    """A function URL made since October 2025 needs both (Lambda, urls-auth)."""
    for number, principal in enumerate(principals, start=1):
        yield UrlPermission(
            statement_id=f"url-{number}",
            action="lambda:InvokeFunctionUrl",
            principal=principal,
            url_auth_type=url_auth,
            invoked_via_url=None,
        )
        yield UrlPermission(
            statement_id=f"invoke-{number}",
            action="lambda:InvokeFunction",
            principal=principal,
            url_auth_type=None,
            invoked_via_url=True,
        )


def _bedrock_statements(
    offer: BedrockOffer, region: str, profile: str | None
) -> tuple[Statement, ...]:
    if profile is None:
        direct = _foundation_model(region, offer.model_id)
        return (Statement(sid="InvokeModel", actions=_INVOKE, resources=(direct,)),)
    # The account is left open: an inference profile of AWS's carries the caller's own.
    arn = f"arn:aws:bedrock:{region}:*:inference-profile/{profile}"
    models = [_foundation_model(place, offer.model_id) for place in _destinations(profile, region)]
    return (
        Statement(sid="InvokeProfile", actions=_INVOKE, resources=(arn,)),
        Statement(
            sid="InvokeModelThroughProfile",
            actions=_INVOKE,
            resources=tuple(models),
            condition={"StringLike": {"bedrock:InferenceProfileArn": arn}},
        ),
    )


def _destinations(profile: str, region: str) -> list[str]:
    """Regions in ARNs of the models behind a profile; ``*`` where they are all, or not known."""
    if _is_global(profile):
        # A global profile also asks for the ARN without a region (global cross-Region inference).
        return ["*", ""]
    reached = destinations(profile, region)
    return ["*"] if reached is None else sorted(reached)


def _is_global(profile: str) -> bool:
    return profile.startswith("global.")


def _foundation_model(region: str, model_id: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model_id}"


def _own_statements(
    region: str,
    log_group: str,
    secrets: tuple[KeySecret, ...],
    tables: tuple[MeterTable, ...],
) -> Iterator[Statement]:
    yield Statement(
        sid="WriteLogs",
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resources=(f"arn:aws:logs:{region}:*:log-group:{log_group}:*",),
    )
    for secret in secrets:
        # Secrets Manager adds a hyphen and six characters of its own to the name.
        yield Statement(
            sid="ReadKeys",
            actions=("secretsmanager:GetSecretValue",),
            resources=(f"arn:aws:secretsmanager:{region}:*:secret:{secret.name}-??????",),
        )
    for table in tables:
        yield Statement(
            sid="Meter",
            actions=("dynamodb:UpdateItem",),
            resources=(f"arn:aws:dynamodb:{region}:*:table/{table.name}",),
        )


def _notes(
    spec: InferenceServiceSpec, offer: BedrockOffer, region: str, options: LambdaBedrockOptions
) -> Iterator[str]:
    profile = options.inference_profile
    reached = None if profile is None else destinations(profile, region)
    if refusals.regions()[region] != "open":
        yield f"{region} is not verified to have Bedrock"
    if profile is None and region in offer.unverified_regions:
        yield f"{offer.model_id} in {region} is known from launch notes only, not from a listing"
    if profile is not None and reached is None:
        yield (
            f"{profile} is not known to be offered in {region}: its destinations cannot be told, so "
            "that the policy allows the model in every region through this profile only"
        )
    if profile is not None and _is_global(profile):
        yield f"{profile} may serve from every commercial region of AWS"
    elif reached is not None:
        yield f"{profile} may serve from {', '.join(sorted(reached))}"
    yield from guard.notes(spec, profile or offer.model_id, region, options)
    yield (
        f"quota used at most, in this region: Lambda concurrent executions "
        f"{spec.scaling.max * spec.scaling.concurrency}; Bedrock's own quotas of requests and tokens "
        f"a minute for {offer.model_id} come on top"
    )
