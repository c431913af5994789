"""Spec and placement to the Lambda and Bedrock resources that honour them. Pure."""

from collections.abc import Iterator
from typing import Any, Final

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
from portway.targets.lambda_bedrock.calls import api_of, call_variables, cost_profiles
from portway.targets.lambda_bedrock.edge import rest_edges, url_permissions
from portway.targets.lambda_bedrock.grants import is_global, model_statements, own_statements
from portway.targets.lambda_bedrock.meters import meters
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions
from portway.targets.lambda_bedrock.shapes import (
    Alias,
    KeySecret,
    LambdaBedrockPlan,
    MeterTable,
)
from portway.targets.lambda_bedrock.watch import dashboards, metric_variables

TARGET_NAME: Final = "lambda-bedrock"
RUNTIME: Final = "python3.13"
GRACE_SECONDS: Final = 10
"""How much later than the runtime Lambda gives up, so that a late answer is an OpenAI error."""

ALIAS: Final = "live"


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
    function, region = names.physical(limit=64), placement.region
    log_group = f"/aws/lambda/{function}"
    secrets = _secrets(names, options) if has_keys else ()
    aliases = _aliases(spec)
    role, tables = names.physical("lambda", limit=64), guard.table_of(names, meter)
    tags = names.cost_labels(model.id)
    timeout = min(spec.timeout_seconds + GRACE_SECONDS, refusals.MAX_TIMEOUT_SECONDS)
    edges = rest_edges(spec, names, options, timeout)
    told = {
        **_environment(spec, model, offer, options, secrets),
        **_metered(names, model, region, meter, tables),
        **metric_variables(names, options),
    }
    return LambdaBedrockPlan(
        **_of_every_target(spec, model, placement, meter),
        make_provider="aws:region" not in placement.settings,
        tags=tags,
        function_name=function,
        role_name=role,
        log_group=log_group,
        log_retention_days=options.log_retention_days,
        key_secrets=secrets,
        architecture=options.architecture,
        memory_mb=options.memory_mb,
        runtime=RUNTIME,
        handler=f"{PACKAGE}.main.handler",
        environment_variables=told,
        timeout_seconds=timeout,
        reserved_concurrency=spec.scaling.max * spec.scaling.concurrency,
        publish=bool(aliases),
        aliases=aliases,
        qualifier=ALIAS if aliases else None,
        url_auth_type="NONE" if has_keys else "AWS_IAM",
        permissions=() if edges else tuple(url_permissions(options.invokers)),
        rest_edges=edges,
        statements=(
            *model_statements(offer, region, options, ("stack", tags["stack"])),
            *own_statements(region, log_group, secrets, tables, options),
        ),
        cost_profiles=cost_profiles(offer, names, region, options),
        kms_key_arn=options.kms_key_arn,
        dashboards=dashboards(names, model.id, told["PORTWAY_UPSTREAM"], region, options),
        tables=tables,
        guards=guard.guards_of(spec, names, region, role, options),
        runtime_sha256=runtime_digest(),
        notes=tuple(_notes(spec, offer, region, options)),
    )


def _of_every_target(
    spec: InferenceServiceSpec, model: Model, placement: Placement, meter: MeterPlan | None
) -> dict[str, Any]:
    """The fields that the plan of any target has."""
    budget = spec.budget
    return {
        "target": TARGET_NAME,
        "service": spec.name,
        "environment": placement.environment,
        "region": placement.region,
        "model": model.id,
        "model_identity": identity_on_bedrock(model, placement.region),
        "boundary": spec.residency,
        "monthly_budget_usd": None if budget is None else budget.monthly_usd,
        "auth": spec.access.auth,
        "keys": placement.keys if spec.access.auth == "api-key" else (),
        "meter": meter,
        "alert_emails": () if budget is None else budget.alert_emails,
    }


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
    told = call_variables(offer, options)
    return {**env, **told, **keys, "AWS_LAMBDA_EXEC_WRAPPER": f"/var/task/{WRAPPER}"}


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
    if profile is not None and is_global(profile):
        yield f"{profile} may serve from every commercial region of AWS"
    elif reached is not None:
        yield f"{profile} may serve from {', '.join(sorted(reached))}"
    yield from _of_call(offer, options)
    yield from guard.notes(spec, profile or offer.model_id, region, options)
    yield (
        f"quota used at most, in this region: Lambda concurrent executions "
        f"{spec.scaling.max * spec.scaling.concurrency}; Bedrock's own quotas of requests and tokens "
        f"a minute for {offer.model_id} come on top"
    )


def _of_call(offer: BedrockOffer, options: LambdaBedrockOptions) -> Iterator[str]:
    if api_of(offer, options) == "openai":
        yield (
            f"{offer.model_id} answers at Bedrock's own OpenAI endpoint, and the runtime passes its "
            "answers on; set options.bedrock_api to converse for Converse"
        )
    if options.guardrail is not None:
        yield (
            f"guardrail {options.guardrail.id} is another stack's: where it sends texts to is not "
            "judged here"
        )
    if options.kms_key_arn is not None:
        yield (
            "the policy of options.kms_key_arn must let logs.amazonaws.com of this region use it; "
            "alerts are not encrypted under it, they hold no prompts"
        )
    if options.edge == "rest-api" and options.throttle is None:
        yield "the REST API takes what the account lets in; set options.throttle to hold it"
