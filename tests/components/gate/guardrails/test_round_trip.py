"""The gate and the guardrails of one boundary refuse the same: what one stops, the other stops too."""

import re
from collections.abc import Sequence

import pytest

from portway.gate.guardrails.aws import partition_of, scp
from portway.gate.guardrails.google import org_policy
from portway.gate.testing import Given, judge, resource
from portway.residency.boundary import boundary
from portway.residency.profiles import destinations
from portway.residency.tables import table
from support.iam_simulator import Request, decision
from support.packs import POLICIES

REGIONS: dict[str, dict[str, str]] = table("boundaries.json")["countries"]
BOUNDARIES = ("eu", "uk", "us", "jp", "de", "us-gov")


def refused(resources: Sequence[Given], name: str) -> set[str]:
    """The names of the resources that the residency pack refuses."""
    said = judge(resources, POLICIES / "residency", {"boundary": name})
    return {one.name for one in said.refusals}


def denied(name: str, *requests: Request) -> bool:
    policies = [document.content for document in scp(boundary([name])).documents]
    return any(decision(policies, request) == "Deny" for request in requests)


@pytest.mark.parametrize("name", BOUNDARIES)
def test_a_bucket_is_refused_by_the_gate_exactly_where_the_scp_denies_its_creation(
    name: str,
) -> None:
    buckets = [
        resource("aws:s3/bucket:Bucket", region, {"region": region}) for region in REGIONS["aws"]
    ]
    by_scp = {
        region
        for region in REGIONS["aws"]
        if denied(name, Request("s3:CreateBucket", keys={"aws:RequestedRegion": region}))
    }
    assert refused(buckets, name) == by_scp


@pytest.mark.parametrize("name", ["eu", "uk", "us", "jp"])
def test_a_location_is_refused_by_the_gate_exactly_where_google_refuses_it(name: str) -> None:
    buckets = [
        resource("gcp:storage/bucket:Bucket", one, {"location": one}) for one in REGIONS["gcp"]
    ]
    values = org_policy(boundary([name])).documents[0].content["spec"]["rules"][0]["values"]
    allowed = {re.sub(r"^in:|-locations$", "", value) for value in values["allowedValues"]}
    assert refused(buckets, name) == set(REGIONS["gcp"]) - allowed


@pytest.mark.parametrize("name", BOUNDARIES)
def test_a_call_is_refused_by_the_gate_exactly_where_the_scp_denies_it(name: str) -> None:
    callers: list[Given] = []
    by_scp: set[str] = set()
    for rule in table("bedrock_profiles.json")["rules"]:
        if rule["models"] == ["guardrail."]:
            continue
        for source in {source for route in rule["routes"] for source in route["from"]}:
            profile = f"{rule['prefix']}.{(rule['models'] or ['amazon.model'])[0]}-v1:0"
            called = f"{profile} from {source}"
            variables = {"environment": {"variables": {"MODEL": profile}}}
            callers.append(
                resource("aws:lambda/function:Function", called, {"region": source, **variables})
            )
            if denied(name, *_calls(profile, source)):
                by_scp.add(called)
    assert len(callers) > 60
    assert refused(callers, name) == by_scp


def _calls(profile: str, source: str) -> list[Request]:
    arn = f"arn:{partition_of(source)}:bedrock:{source}:123456789012:inference-profile/{profile}"
    return [
        Request(
            "bedrock:InvokeModel",
            keys={"bedrock:InferenceProfileArn": arn, "aws:RequestedRegion": region},
        )
        for region in sorted({source} | (destinations(profile, source) or frozenset()))
    ]
