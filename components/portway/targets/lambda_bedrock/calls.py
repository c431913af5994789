"""How the runtime calls the model, and what it is told of that. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from portway.models import BedrockOffer
from portway.naming import Names
from portway.targets.lambda_bedrock.grants import foundation_model
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions
from portway.targets.lambda_bedrock.shapes import CostProfile

PROFILE_VARIABLE: Final = "PORTWAY_BEDROCK_PROFILE_ARN"

Api = Literal["converse", "openai"]


def api_of(offer: BedrockOffer, options: LambdaBedrockOptions) -> Api:
    """Bedrock's own OpenAI endpoint where the model has it and nothing asks for Converse."""
    if options.bedrock_api != "auto":
        return options.bedrock_api
    return "openai" if offer.openai and not tuple(only_converse(options)) else "converse"


def only_converse(options: LambdaBedrockOptions) -> Iterator[str]:
    """The options that Bedrock's OpenAI endpoint is not known to honour."""
    if options.inference_profile is not None:
        yield "inference_profile"
    if options.cost_profile:
        yield "cost_profile"
    if options.guardrail is not None:
        yield "guardrail"


def call_variables(offer: BedrockOffer, options: LambdaBedrockOptions) -> Mapping[str, str]:
    """What the runtime is told of the call, beside the model; nothing for plain Converse."""
    told: dict[str, str] = {}
    if api_of(offer, options) == "openai":
        told["PORTWAY_BEDROCK_API"] = "openai"
    if options.guardrail is not None:
        told["PORTWAY_BEDROCK_GUARDRAIL"] = f"{options.guardrail.id}:{options.guardrail.version}"
    return told


def cost_profiles(
    offer: BedrockOffer, names: Names, region: str, options: LambdaBedrockOptions
) -> tuple[CostProfile, ...]:
    """The application inference profile that carries the stack's tags, where asked for."""
    if not options.cost_profile:
        return ()
    source = foundation_model(region, offer.model_id)
    if options.inference_profile is not None:
        source = (
            f"arn:aws:bedrock:{region}:{{account}}:inference-profile/{options.inference_profile}"
        )
    name = profile_name(names)
    return (CostProfile(name=name, copy_from=source, variable=PROFILE_VARIABLE),)


def profile_name(names: Names) -> str:
    """The name of the stack's application inference profile."""
    return names.physical("model", limit=64)
