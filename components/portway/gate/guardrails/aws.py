"""AWS: a service control policy for the organisation, and a policy for the identities that call models."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from portway.errors import BadInput, Problem
from portway.gate.guardrails.document import TABLE, Document, Guardrail, limit_of, packed, uncovered
from portway.gate.tables import table
from portway.residency.boundary import Boundary
from portway.residency.tables import table as residency_table

SCP = "aws-scp"
IAM = "aws-iam"
_REGION = "aws:RequestedRegion"
_PROFILE = "bedrock:InferenceProfileArn"
_COMMERCIAL = "aws"


def scp(boundary: Boundary, limit: int | None = None) -> Guardrail:
    """The service control policy: only regions inside, no global profile, no other geography's.

    Args:
        boundary: where calls may be served.
        limit: the most characters of one document; AWS's own where it is None.

    Raises:
        BadInput: no AWS region is inside ``boundary``, or the policy would be too long.
    """
    regions = aws_regions(boundary, SCP)
    infer: list[str] = table(TABLE)["inference_actions"]
    outside = {"StringNotEquals": {_REGION: regions}}
    statements = [
        {
            "Sid": "OnlyRegionsInside",
            "Effect": "Deny",
            "NotAction": table(TABLE)["global_services"]["actions"],
            "Resource": "*",
            "Condition": outside,
        },
        {
            "Sid": "OnlyModelsInside",
            "Effect": "Deny",
            "Action": infer,
            "Resource": "*",
            "Condition": outside,
        },
        *_no_global(infer),
        {
            "Sid": "OnlyProfilesThatStayInside",
            "Effect": "Deny",
            "Action": infer,
            "Resource": "*",
            "Condition": {
                "Null": {_PROFILE: "false"},
                "ArnNotLike": {_PROFILE: _allowed_profiles(boundary, regions)},
            },
        },
    ]
    documents = packed(SCP, f"portway-{_named(boundary)}", statements, limit or limit_of(SCP))
    return Guardrail(SCP, documents, uncovered(SCP))


def iam(boundary: Boundary, limit: int | None = None) -> Guardrail:
    """A policy for the roles that call models: inference inside, and nothing else of Bedrock.

    Raises:
        BadInput: no AWS region is inside ``boundary``, or the policy would be too long.
    """
    regions = aws_regions(boundary, IAM)
    made: list[Document] = []
    for partition in sorted({partition_of(region) for region in regions}):
        own = [region for region in regions if partition_of(region) == partition]
        # IAM refuses the ARNs of another partition, so each has a document of its own.
        suffix = "" if partition == _COMMERCIAL else f"-{partition.removeprefix('aws-')}"
        name = f"portway-{_named(boundary)}-inference{suffix}"
        statements = [
            _inference(boundary, partition, own),
            *_no_global(table(TABLE)["inference_actions"]),
        ]
        made += packed(IAM, name, statements, limit or limit_of(IAM))
    return Guardrail(IAM, tuple(made), uncovered(IAM))


def _inference(boundary: Boundary, partition: str, regions: list[str]) -> dict[str, Any]:
    bedrock = f"arn:{partition}:bedrock"
    models = [f"{bedrock}:{one}::foundation-model/*" for one in regions]
    profiles = [
        f"{bedrock}:{region}:*:inference-profile/{prefix}.*"
        for region, prefix in profiles_inside(boundary, regions)
    ]
    own = [f"{bedrock}:{one}:*:application-inference-profile/*" for one in regions]
    return {
        "Sid": "InferenceInside",
        "Effect": "Allow",
        "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
        "Resource": [*models, *profiles, *own],
        "Condition": {"StringEquals": {_REGION: regions}},
    }


def aws_regions(boundary: Boundary, format_name: str) -> list[str]:
    """The AWS regions inside, sorted.

    Raises:
        BadInput: there is none, and a policy that names none would forbid everything, or nothing.
    """
    known = residency_table("boundaries.json")["countries"]["aws"]
    regions = sorted(boundary.regions & frozenset(known))
    if not regions:
        message = f"no AWS region is inside {boundary}, so {format_name} has nothing to allow"
        raise BadInput(
            [Problem("boundary", f"{message}; forbid AWS as a whole, or name a wider one")]
        )
    return regions


def partition_of(region: str) -> str:
    """``aws`` for a commercial region, ``aws-us-gov`` and so on for the others."""
    prefix = re.sub(r"-[a-z]+-\d+$", "", region)
    partition: str = table(TABLE)["partitions"].get(prefix, _COMMERCIAL)
    return partition


def profiles_inside(boundary: Boundary, regions: list[str]) -> list[tuple[str, str]]:
    """Source region and geography of every system profile some model of which stays inside."""
    return sorted(set(_profiles_inside(boundary, frozenset(regions))))


def _profiles_inside(boundary: Boundary, regions: frozenset[str]) -> Iterator[tuple[str, str]]:
    rules = residency_table("bedrock_profiles.json")["rules"]
    for rule in (one for one in rules if not _is_of_guardrails(one)):
        for route in rule["routes"]:
            for source in regions.intersection(route["from"]):
                reached = {*route["to"], *([source] if route["plus_source"] else [])}
                if reached <= boundary.regions:
                    yield source, rule["prefix"]


def _is_of_guardrails(rule: Mapping[str, Any]) -> bool:
    """A guardrail profile evaluates and serves no model, so nothing is invoked by way of it."""
    return bool(rule["models"]) and all(one.startswith("guardrail.") for one in rule["models"])


def _allowed_profiles(boundary: Boundary, regions: list[str]) -> list[str]:
    system = [
        f"arn:*:bedrock:{region}:*:inference-profile/{prefix}.*"
        for region, prefix in profiles_inside(boundary, regions)
    ]
    # Which regions an application profile leads to is held by the region of each call.
    return [*system, "arn:*:bedrock:*:*:application-inference-profile/*"]


def _no_global(actions: list[str]) -> Iterator[dict[str, Any]]:
    """A call that a global profile routes has no region: a list of regions alone may not match it."""
    yield {
        "Sid": "NoCallWithoutRegion",
        "Effect": "Deny",
        "Action": actions,
        "Resource": "*",
        "Condition": {"StringEquals": {_REGION: "unspecified"}},
    }
    yield {
        "Sid": "NoGlobalProfile",
        "Effect": "Deny",
        "Action": actions,
        "Resource": "*",
        "Condition": {"ArnLike": {_PROFILE: "arn:*:bedrock:*:*:inference-profile/global.*"}},
    }


def _named(boundary: Boundary) -> str:
    return "-".join(boundary.names)
