"""What the function's role may do: this model, this log, this secret, this table. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from portway.models import BedrockOffer
from portway.residency.profiles import destinations
from portway.targets.lambda_bedrock.options import Guardrail, LambdaBedrockOptions
from portway.targets.lambda_bedrock.shapes import KeySecret, MeterTable, Statement

INVOKE: Final = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
"""They also authorise Converse, ConverseStream and the OpenAI endpoint."""

Condition = Mapping[str, Mapping[str, str | tuple[str, ...]]]


def model_statements(
    offer: BedrockOffer, region: str, options: LambdaBedrockOptions, tag: tuple[str, str]
) -> Iterator[Statement]:
    """Leave to call the model: the profile it is called through, and the model wherever that leads.

    Args:
        offer: the model.
        region: where it is called.
        options: with the profile, the cost profile and the guardrail.
        tag: key and value of the tag that the stack's cost profile carries.
    """
    profile, guarded = options.inference_profile, _guarded(options.guardrail, region)
    if options.cost_profile:
        # The profile's id is Amazon's to choose: it is told by its tag. It leads nowhere by itself,
        # because Bedrock asks for the model in every destination as well.
        arn = f"arn:aws:bedrock:{region}:*:application-inference-profile/*"
        own = {f"aws:ResourceTag/{tag[0]}": tag[1], "aws:RequestedRegion": region}
        yield Statement(
            sid="InvokeCostProfile",
            actions=INVOKE,
            resources=(arn,),
            condition=_and({"StringEquals": own}, guarded),
        )
    elif profile is not None:
        # The account is left open: an inference profile of AWS's carries the caller's own.
        arn = f"arn:aws:bedrock:{region}:*:inference-profile/{profile}"
        yield Statement(sid="InvokeProfile", actions=INVOKE, resources=(arn,), condition=guarded)
    else:
        direct = foundation_model(region, offer.model_id)
        yield Statement(sid="InvokeModel", actions=INVOKE, resources=(direct,), condition=guarded)
        return
    places = [region] if profile is None else destinations_of(profile, region)
    yield Statement(
        sid="InvokeModelThroughProfile",
        actions=INVOKE,
        resources=tuple(foundation_model(place, offer.model_id) for place in places),
        condition=_and({"ArnLike": {"bedrock:InferenceProfileArn": arn}}, guarded),
    )


def own_statements(
    region: str,
    log_group: str,
    secrets: tuple[KeySecret, ...],
    tables: tuple[MeterTable, ...],
    options: LambdaBedrockOptions,
) -> Iterator[Statement]:
    """Leave to write the log, and to use what else belongs to the stack."""
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
    if options.guardrail is not None:
        yield Statement(
            sid="ApplyGuardrail",
            actions=("bedrock:ApplyGuardrail",),
            resources=(f"arn:aws:bedrock:{region}:*:guardrail/{options.guardrail.id}",),
        )
    if options.kms_key_arn is not None:
        through = ["lambda", *(["secretsmanager"] if secrets else [])]
        through += ["dynamodb"] if tables else []
        services = tuple(f"{service}.{region}.amazonaws.com" for service in through)
        yield Statement(
            sid="UseKey",
            actions=("kms:Decrypt",),
            resources=(options.kms_key_arn,),
            condition={"StringEquals": {"kms:ViaService": services}},
        )


def destinations_of(profile: str, region: str) -> list[str]:
    """Regions in ARNs of the models behind a profile; ``*`` where they are all, or not known."""
    if is_global(profile):
        # A global profile also asks for the ARN without a region (global cross-Region inference).
        return ["*", ""]
    reached = destinations(profile, region)
    return ["*"] if reached is None else sorted(reached)


def is_global(profile: str) -> bool:
    """Whether a profile may serve from every commercial region."""
    return profile.startswith("global.")


def foundation_model(region: str, model_id: str) -> str:
    """The ARN of a model in a region."""
    return f"arn:aws:bedrock:{region}::foundation-model/{model_id}"


def _guarded(guardrail: Guardrail | None, region: str) -> Condition:
    """Without its guardrail no call is allowed, whatever the runtime asks for."""
    if guardrail is None:
        return {}
    arn = f"arn:aws:bedrock:{region}:*:guardrail/{guardrail.id}:{guardrail.version}"
    return {"StringLike": {"bedrock:GuardrailIdentifier": arn}}


def _and(one: Condition, other: Condition) -> Condition:
    return {
        operator: {**one.get(operator, {}), **other.get(operator, {})}
        for operator in dict.fromkeys((*one, *other))
    }
