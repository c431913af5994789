"""Options that exclude each other, or that their service would refuse: each with its way out. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from portway.errors import Problem
from portway.models import BedrockOffer
from portway.naming import Names
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.lambda_bedrock.calls import only_converse, profile_name
from portway.targets.lambda_bedrock.edge import IDLE_SECONDS
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions

_PROFILE_NAME: Final = re.compile(r"([0-9a-zA-Z][ _-]?)+")
"""CreateInferenceProfile, ``inferenceProfileName``."""

_KEY: Final = re.compile(
    r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{12}:key/(mrk-)?[0-9a-f-]{32,36}"
)
_AT = "placement.options"


def of_call(
    spec: InferenceServiceSpec,
    offer: BedrockOffer,
    placement: Placement,
    options: LambdaBedrockOptions,
) -> Iterator[Problem]:
    """What cannot be had together where the model is called."""
    if options.bedrock_api == "openai" and not offer.openai:
        yield Problem(
            f"{_AT}.bedrock_api",
            f"is openai, and Bedrock's OpenAI endpoint does not serve {offer.model_id}; set auto or "
            "converse",
        )
    for name in only_converse(options) if options.bedrock_api == "openai" else ():
        yield Problem(
            f"{_AT}.{name}",
            "is set, and options.bedrock_api is openai, which is not known to honour it; set "
            f"bedrock_api to converse, or remove {name}",
        )
    if options.cost_profile:
        name = profile_name(Names(spec.name, placement.environment))
        if not _PROFILE_NAME.fullmatch(name):
            yield Problem(
                f"{_AT}.cost_profile",
                f"would be called {name!r}, and Bedrock takes no two hyphens in a row in the name of "
                "an inference profile (CreateInferenceProfile); rename the service or the "
                "environment, or remove cost_profile",
            )


def of_edge(spec: InferenceServiceSpec, options: LambdaBedrockOptions) -> Iterator[Problem]:
    """What a function URL cannot do, and what API Gateway would not wait for."""
    if options.edge == "function-url":
        given = {
            "throttle": options.throttle,
            "waf_requests_per_five_minutes": options.waf_requests_per_five_minutes,
        }
        for name, value in given.items():
            if value is not None:
                yield Problem(
                    f"{_AT}.{name}",
                    "is set, and a Lambda function URL has neither rate limit nor firewall; set "
                    f"options.edge to rest-api, or remove {name}",
                )
    elif spec.timeout_seconds > IDLE_SECONDS:
        yield Problem(
            "timeout_seconds",
            f"is {spec.timeout_seconds}; a REST API ends an answer that is silent for {IDLE_SECONDS} "
            "s, as one that is not streamed is until it is whole; lower it, or set options.edge to "
            "function-url",
        )


def of_key(region: str, arn: str | None) -> Iterator[Problem]:
    """A key is named by its own ARN, in the region of what it encrypts."""
    if arn is None:
        return
    found = _KEY.fullmatch(arn)
    if found is None:
        yield Problem(
            f"{_AT}.kms_key_arn",
            "does not have the form arn:aws:kms:REGION:ACCOUNT:key/ID; write the key's own ARN, not "
            "an alias",
        )
    elif found["region"] != region:
        yield Problem(
            f"{_AT}.kms_key_arn",
            f"names a key in {found['region']!r}, and Lambda, Secrets Manager, DynamoDB and "
            f"CloudWatch Logs take keys of their own region, {region!r}, only",
        )
