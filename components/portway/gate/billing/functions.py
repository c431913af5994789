"""What Amazon bills of a Lambda function: its time, its log, its answers, and the model it calls."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, cast

from portway.gate.billing import apis
from portway.gate.billing.cannot import CannotPrice
from portway.gate.billing.limits import most
from portway.gate.billing.models import called, token_sku
from portway.gate.billing.values import name, number, region, whole
from portway.gate.resource import Resource, Stack
from portway.gate.values import Known
from portway.pricing.meter import Fixed, Meter, Part, PerRequest, PerUse, Tokens
from portway.pricing.money import DAYS_PER_MONTH

_GB: Final = Decimal(1024**3)
_KINDS: Final = {"arm64": "arm64", "x86_64": "x86-64"}
_PROVISIONED: Final = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
_URL: Final = "aws:lambda/functionUrl:FunctionUrl"
_LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
_SECRET: Final = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type token
_NEVER_DAYS: Final = Decimal(365)
_MONTHS_KEPT: Final = Decimal(13)
_ITEM_BYTES: Final = Decimal(1024)


def function(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A function, and everything that is billed because it runs."""
    where, at_once, rates = region(resource), most(resource), given["rates"]
    size = number(resource, "memorySize", Decimal(128)) / 1024
    kind = _KINDS.get(_architecture(resource))
    if kind is None:
        raise CannotPrice("architectures", "architectures names none that is sold")
    kept = sum(
        whole(one, "provisionedConcurrentExecutions", 0)
        for one in _about(resource, stack, _PROVISIONED, "functionName")
    )
    urls = [*_about(resource, stack, _URL, "functionName"), *apis.fronts(resource, stack)]
    yield PerRequest(
        resource=resource.name,
        region=where,
        parts=_parts(resource, size, kind, given, kept),
        request_sku=f"{rates}requests",
        kept_parts=(Part("kept warm", f"{rates}kept:{kind}", size),),
        kept=kept,
        most=at_once,
        timeout_seconds=whole(resource, "timeout", 3),
        free_requests=given["free_requests"],
        start_seconds=given["start_seconds"],
        transfer_sku=f"{rates}streamed" if urls else "",
        warm_parts=(Part("duration, kept warm", f"{rates}duration-kept:{kind}", size),),
        shape=f"{size * 1024:f} MB on {kind}, {kept} kept warm, {at_once} at most",
    )
    if urls:
        yield PerUse(
            resource.name, "egress", f"{rates}egress", where, given["answer_bytes"] / _GB, at_once,
            units_per_output_token=given["token_bytes"] / _GB,
            assumed=f"an answer leaves the cloud's network with {given['answer_bytes']} bytes, and "
            f"{given['token_bytes']} for each output token",
        )  # fmt: skip
    if _meter(resource).get("store", {}).get("kind") == "dynamodb":
        counted = Decimal(given["counts_per_request"]) / 1_000_000
        sku = f"{rates}table-writes"
        yield PerUse(resource.name, "table writes", sku, where, counted, at_once)
    yield from _log(resource, stack, where, at_once, given)
    yield from _secrets(resource, stack, where, at_once, given)
    yield from _model(resource, stack, where, at_once, given)
    yield from apis.of_function(resource, stack, where, at_once, given)
    yield from _beside(resource, where, at_once, given)


def table(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """What a meter of ours keeps in a table; nothing for any other, which its rows describe."""
    name_ = _text(resource, "name")
    for one in stack.resources if stack and name_ else ():
        if _is_function(one) and _meter(one).get("store", {}).get("table") == name_:
            kept = _MONTHS_KEPT * _ITEM_BYTES / _GB
            yield Fixed(resource.name, "table storage", given["storage"], region(resource), kept)
            return


def writes(group: Resource, stack: Stack | None) -> bool:
    """Whether a function of ``stack`` writes into the log group ``group``: then its log is billed."""
    functions = (one for one in (stack.resources if stack else ()) if _is_function(one))
    return any(_group(one, stack) is group for one in functions)


def _is_function(resource: Resource) -> bool:
    return resource.type == "aws:lambda/function:Function"


def _parts(
    resource: Resource, size: Decimal, kind: str, given: Mapping[str, Any], kept: int
) -> tuple[Part, ...]:
    free = Decimal(0) if kept else Decimal(given["free_gb_seconds"])
    duration = Part("duration", f"{given['rates']}duration:{kind}", size, free)
    beyond = max(number(resource, "ephemeralStorage.size", Decimal(512)) - 512, Decimal(0)) / 1024
    if not beyond:
        return (duration,)
    return (duration, Part("ephemeral storage", f"{given['rates']}ephemeral-storage", beyond))


def _architecture(resource: Resource) -> str:
    return name(resource, "architectures[0]", "x86_64")


def _about(resource: Resource, stack: Stack | None, token: str, path: str) -> Iterator[Resource]:
    """Resources of type ``token`` that name ``resource`` at ``path``, by name or by dependency."""
    called_ = {_text(resource, "name"), _text(resource, "functionName"), _text(resource, "arn")}
    for one in stack.resources if stack else ():
        if one.type != token:
            continue
        sources = (one.depends_on or {}).get(path, ())
        if resource.urn in sources or (_text(one, path) or "-") in called_:
            yield one


def _text(resource: Resource, path: str) -> str | None:
    seen = resource.properties.get(path)
    return seen.value if isinstance(seen, Known) and isinstance(seen.value, str) else None


def _group(resource: Resource, stack: Stack | None) -> Resource | None:
    """The log group it writes to, where the stack holds it."""
    wanted = _text(resource, "loggingConfig.logGroup") or f"/aws/lambda/{_text(resource, 'name')}"
    sources = (resource.depends_on or {}).get("loggingConfig", ())
    for one in stack.resources if stack else ():
        if one.type == _LOGS and (one.urn in sources or _text(one, "name") == wanted):
            return one
    return None


def _log(
    resource: Resource,
    stack: Stack | None,
    where: str,
    at_once: int | None,
    given: Mapping[str, Any],
) -> Iterator[Meter]:
    group = _group(resource, stack)
    days = Decimal(0) if group is None else number(group, "retentionInDays", Decimal(0))
    written = given["log_bytes"] / _GB
    kept = f"kept {days} days" if days else "kept for ever: those of one year are counted"
    yield PerUse(
        resource.name, "log intake", f"{given['rates']}logs", where, written, at_once,
        assumed=f"{given['log_bytes']} bytes are logged for each request, and {kept}",
    )  # fmt: skip
    months = (days or _NEVER_DAYS) / DAYS_PER_MONTH
    sku = f"{given['rates']}logs-kept"
    yield PerUse(resource.name, "log storage", sku, where, written * months, at_once)


def _secrets(
    resource: Resource,
    stack: Stack | None,
    where: str,
    at_once: int | None,
    given: Mapping[str, Any],
) -> Iterator[Meter]:
    """Secrets that its environment names."""
    sources = (resource.depends_on or {}).get("environment", ())
    told = {
        one.value
        for one in resource.properties.leaves("environment.variables")
        if isinstance(one, Known)
    }
    for one in stack.resources if stack else ():
        if one.type == _SECRET and (one.urn in sources or _text(one, "name") in told):
            yield PerUse(
                resource.name, "secret reads", f"{given['rates']}secret-reads", where,
                Decimal("0.01") / 10_000, at_once,
                assumed="a secret is read once for each hundred requests",
            )  # fmt: skip


def _model(
    resource: Resource,
    stack: Stack | None,
    where: str,
    at_once: int | None,
    given: Mapping[str, Any],
) -> Iterator[Meter]:
    model = called(resource, stack, where, given)
    if model is None:
        return
    limits = _enforced(resource)
    usd = limits.get("micro_usd")
    yield Tokens(
        resource=resource.name,
        region=where,
        input_sku=token_sku(model, "input", given),
        output_sku=token_sku(model, "output", given),
        most=at_once,
        context_tokens=_whole(resource, "PORTWAY_CONTEXT_TOKENS"),
        max_output_tokens=_whole(resource, "PORTWAY_MAX_OUTPUT_TOKENS"),
        monthly_budget_usd=None if usd is None else Decimal(usd) / 1_000_000,
        monthly_requests=limits.get("requests"),
        monthly_tokens=limits.get("tokens"),
        served_by="bedrock",
    )


def _beside(
    resource: Resource, where: str, at_once: int | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """What a runtime of ours uses beside the model: a guardrail, and a key of the customer's."""
    if not apis.is_ours(resource):
        return
    if _text(resource, "environment.variables.PORTWAY_BEDROCK_GUARDRAIL"):
        begun = Decimal(given["text_units_per_request"]) / 1000
        each = Decimal(given["text_units_per_token"]) / 1000
        yield PerUse(
            resource.name, "guardrail", f"{given['rates']}guardrail-units", where, begun, at_once,
            units_per_output_token=each,
            units_per_input_token=each,
            assumed="the guardrail has every policy that is billed; one with fewer costs less",
        )  # fmt: skip
    if resource.properties.every("kmsKeyArn"):
        yield PerUse(
            resource.name, "key requests", f"{given['rates']}key-requests", where,
            Decimal("0.01") / 10_000, at_once,
            assumed="the key is used once for each hundred requests",
        )  # fmt: skip


def _enforced(resource: Resource) -> Mapping[str, int]:
    """What the runtime lets through in a month, by what is limited; nothing if it may look away."""
    meter = _meter(resource)
    limits = meter.get("limits")
    if meter.get("away") != "refuse" or not isinstance(limits, dict):
        return {}
    given = cast("dict[str, Any]", limits)
    return {what: most for what, most in given.items() if type(most) is int and most >= 0}


def _meter(resource: Resource) -> Mapping[str, Any]:
    """How its runtime counts what it lets through; empty where it does not."""
    text = _text(resource, "environment.variables.PORTWAY_METER")
    try:
        meter: object = json.loads(text) if text else None
    except ValueError:
        return {}
    found = cast("dict[str, Any]", meter) if isinstance(meter, dict) else {}
    return found if isinstance(found.get("store"), dict) else {}


def _whole(resource: Resource, variable: str) -> int:
    text = _text(resource, f"environment.variables.{variable}") or ""
    return int(text) if text.isdecimal() else 0
