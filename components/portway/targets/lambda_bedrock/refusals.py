"""What Lambda with Bedrock cannot honour, each reason with its way out. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from portway.errors import Problem
from portway.models import BedrockOffer, Model
from portway.options import invoker_refusals
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.lambda_bedrock import choices
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions

MAX_TIMEOUT_SECONDS: Final = 900
"""Of a function (Lambda quotas)."""

MAX_RESERVED: Final = 900
"""A new region's 1000 concurrent executions less the 100 that must stay unreserved
(PutFunctionConcurrency)."""

_PRINCIPAL: Final = re.compile(
    r"\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role)/\S+)"
)
_PROFILE: Final = re.compile(r"[a-z]{2,10}(-[a-z]{2,10})?")


@cache
def regions() -> Mapping[str, str]:
    """Regions with Lambda and Bedrock, each ``open`` or ``unverified``."""
    text = files("portway.targets.lambda_bedrock").joinpath("regions.json").read_text("utf-8")
    found: dict[str, str] = json.loads(text)["regions"]
    return found


def of_placement(
    spec: InferenceServiceSpec, model: Model, placement: Placement
) -> Iterator[Problem]:
    """Reasons that no option can remove: region, limits of Lambda, a model Bedrock does not have."""
    yield from _region(placement)
    if placement.cluster is not None:
        yield Problem(
            "placement.cluster",
            f"is {placement.cluster!r}; lambda-bedrock has no cluster, remove it",
        )
    if model.bedrock is None:
        yield Problem(
            "model",
            f"Bedrock does not sell {model.id}; choose a model it sells, or a target that serves "
            "its own weights (cloud-run, kubernetes)",
        )
    elif not model.bedrock.converse:
        yield Problem(
            "model",
            f"Bedrock serves {model.id} without Converse, which the runtime speaks; choose another "
            "model or target",
        )
    yield from _limits(spec)


def of_options(
    spec: InferenceServiceSpec, model: Model, placement: Placement, options: LambdaBedrockOptions
) -> Iterator[Problem]:
    """Reasons that lie in the options, alone or together with the spec."""
    if model.bedrock is not None and options.inference_profile is None:
        yield from _offered(model.id, model.bedrock, placement.region)
    if model.bedrock is not None and options.inference_profile is not None:
        yield from _profile(model.bedrock, options.inference_profile)
    if model.bedrock is not None:
        yield from choices.of_call(spec, model.bedrock, placement, options)
    yield from choices.of_edge(spec, options)
    yield from choices.of_key(placement.region, options.kms_key_arn)
    yield from invoker_refusals(
        spec.access.auth,
        options.invokers,
        _PRINCIPAL,
        nobody="the function URL; list AWS principals such as arn:aws:iam::123456789012:role/app",
        how="an account id or the ARN of a user or role",
    )


def _region(placement: Placement) -> Iterator[Problem]:
    configured = placement.settings.get("aws:region")
    if configured is not None and configured != placement.region:
        yield Problem(
            "aws:region",
            f"is {configured!r} and placement.region is {placement.region!r}; make them equal, or "
            "remove aws:region",
        )
    if placement.region not in regions():
        yield Problem(
            "placement.region",
            f"{placement.region!r} does not sell both Lambda and Bedrock; "
            f"choose one of {', '.join(sorted(regions()))}",
        )


def _limits(spec: InferenceServiceSpec) -> Iterator[Problem]:
    if spec.timeout_seconds > MAX_TIMEOUT_SECONDS:
        yield Problem(
            "timeout_seconds",
            f"is {spec.timeout_seconds}; a Lambda function runs {MAX_TIMEOUT_SECONDS} s at most, "
            "lower it, or choose cloud-run or kubernetes",
        )
    if spec.access.reach == "private":
        yield Problem(
            "access.reach",
            "is private; a Lambda function URL is on the internet, set public (with auth: iam only "
            "listed principals get in), or choose cloud-run or kubernetes",
        )
    reserved = spec.scaling.max * spec.scaling.concurrency
    if reserved > MAX_RESERVED:
        yield Problem(
            "scaling.max",
            f"{spec.scaling.max} times concurrency {spec.scaling.concurrency} reserves {reserved} "
            f"concurrent executions; an account has 1000 in a region and must leave 100 unreserved, "
            f"keep the product at {MAX_RESERVED} or below",
        )


def _offered(name: str, offer: BedrockOffer, region: str) -> Iterator[Problem]:
    if region in offer.regions:
        return
    through = sorted(profile for profile, sources in offer.profiles.items() if region in sources)
    if through:
        yield Problem(
            "placement.region",
            f"Bedrock serves {name} in {region!r} only through an inference profile; set "
            f"options.inference_profile to {' or '.join(through)}",
        )
        return
    yield Problem(
        "placement.region",
        f"Bedrock does not serve {name} in {region!r} (listing of {offer.regions_as_of}); "
        f"choose one of {', '.join(sorted(offer.regions))}",
    )


def _profile(offer: BedrockOffer, profile: str) -> Iterator[Problem]:
    prefix, _, name = profile.partition(".")
    if name != offer.model_id or not _PROFILE.fullmatch(prefix):
        yield Problem(
            "placement.options.inference_profile",
            f"is {profile!r}, which does not name a route to {offer.model_id}; write a geography "
            f"and that id, such as eu.{offer.model_id}",
        )
