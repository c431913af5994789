"""The AWS policies forbid exactly what the boundary's tables put outside."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from portway.errors import BadInput
from portway.gate.denials import denies_global
from portway.gate.guardrails.aws import iam, partition_of, scp
from portway.gate.guardrails.document import Guardrail, packed
from portway.gate.statements import grants
from portway.gate.tables import table as gate_table
from portway.residency.boundary import Boundary, boundaries, boundary
from portway.residency.profiles import destinations
from portway.residency.tables import table
from support.iam_simulator import Request, decision

AWS: dict[str, str] = table("boundaries.json")["countries"]["aws"]
BOUNDARIES = [name for name, regions in boundaries().items() if regions & set(AWS)]
WITHOUT_AWS = [name for name in boundaries() if name not in BOUNDARIES]
ROUTES = [
    (rule["prefix"], (rule["models"] or ["any.model"])[0], source)
    for rule in table("bedrock_profiles.json")["rules"]
    if rule["models"] != ["guardrail."]
    for route in rule["routes"]
    for source in route["from"]
]


def policies(guardrail: Guardrail) -> list[Any]:
    return [document.content for document in guardrail.documents]


def calls(model: str, source: str) -> Iterator[Request]:
    """Every authorisation of one InvokeModel by way of a profile, as Bedrock asks for them."""
    partition = partition_of(source)
    profile = f"arn:{partition}:bedrock:{source}:123456789012:inference-profile/{model}"
    known = {"bedrock:InferenceProfileArn": profile}
    yield Request("bedrock:InvokeModel", profile, known | {"aws:RequestedRegion": source})
    name = model.split(".", 1)[1]
    if model.startswith("global."):
        anywhere = f"arn:{partition}:bedrock:::foundation-model/{name}"
        own = f"arn:{partition}:bedrock:{source}::foundation-model/{name}"
        yield Request("bedrock:InvokeModel", own, known | {"aws:RequestedRegion": source})
        yield Request(
            "bedrock:InvokeModel", anywhere, known | {"aws:RequestedRegion": "unspecified"}
        )
        return
    for region in sorted(destinations(model, source) or ()):
        arn = f"arn:{partition}:bedrock:{region}::foundation-model/{name}"
        yield Request("bedrock:InvokeModel", arn, known | {"aws:RequestedRegion": region})


@pytest.mark.parametrize("name", BOUNDARIES)
def test_every_region_is_denied_or_left_as_the_boundary_table_says(name: str) -> None:
    denied = policies(scp(boundary([name])))
    for action in (
        "s3:CreateBucket",
        "lambda:CreateFunction",
        "bedrock:InvokeModel",
        "ec2:RunInstances",
    ):
        for region in (*AWS, "unspecified", "mars-north-1"):
            request = Request(action, keys={"aws:RequestedRegion": region})
            inside = region in boundaries()[name]
            assert (decision(denied, request) == "") is inside, (action, region)


@pytest.mark.parametrize("name", BOUNDARIES)
def test_a_profile_is_denied_exactly_where_its_destinations_leave(name: str) -> None:
    inside = boundary([name])
    denied = policies(scp(inside))
    for prefix, model, source in ROUTES:
        profile = f"{prefix}.{model}-v1:0"
        reached = destinations(profile, source)
        assert reached is not None
        stays = inside.contains(source) and inside.contains_all(reached)
        passes = all(decision(denied, call) == "" for call in calls(profile, source))
        assert passes is stays, (profile, source)


@pytest.mark.parametrize("name", BOUNDARIES)
def test_a_global_profile_is_denied_from_everywhere(name: str) -> None:
    inside = boundary([name])
    for made in (scp(inside), iam(inside)):
        for source in AWS:
            assert any(
                decision(policies(made), call) == "Deny"
                for call in calls("global.anthropic.claude-sonnet-4-5-v1:0", source)
            )


@pytest.mark.parametrize("name", BOUNDARIES)
def test_a_role_may_call_what_stays_inside_and_nothing_else(name: str) -> None:
    inside = boundary([name])
    allowed = policies(iam(inside))
    for region in AWS:
        arn = f"arn:{partition_of(region)}:bedrock:{region}::foundation-model/mistral.ministral-3-8b-instruct"
        request = Request("bedrock:InvokeModel", arn, {"aws:RequestedRegion": region})
        assert (decision(allowed, request) == "Allow") is inside.contains(region)
    for prefix, model, source in ROUTES:
        profile = f"{prefix}.{model}-v1:0"
        stays = inside.contains(source) and inside.contains_all(destinations(profile, source) or ())
        given = all(decision(allowed, call) == "Allow" for call in calls(profile, source))
        assert given is stays, (profile, source)
    assert decision(allowed, Request("s3:GetObject", "arn:aws:s3:::logs/x")) == ""


def test_global_services_stay_usable_wherever_their_control_plane_is() -> None:
    denied = policies(scp(boundary(["eu"])))
    for action in (
        "iam:CreateRole",
        "sts:AssumeRole",
        "route53:ListHostedZones",
        "support:CreateCase",
    ):
        assert decision(denied, Request(action, keys={"aws:RequestedRegion": "us-east-1"})) == ""


@pytest.mark.parametrize(
    "action", ["cloudfront:CreateDistribution", "globalaccelerator:CreateAccelerator"]
)
def test_global_services_that_carry_prompts_are_not_spared(action: str) -> None:
    request = Request(action, keys={"aws:RequestedRegion": "us-east-1"})
    assert decision(policies(scp(boundary(["eu"]))), request) == "Deny"


def test_an_application_profile_is_held_by_the_region_of_each_call() -> None:
    denied = policies(scp(boundary(["eu"])))
    profile = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3"
    known = {"bedrock:InferenceProfileArn": profile}
    at_home = Request("bedrock:InvokeModel", profile, known | {"aws:RequestedRegion": "eu-west-1"})
    away = Request("bedrock:InvokeModel", profile, known | {"aws:RequestedRegion": "us-east-1"})
    assert (decision(denied, at_home), decision(denied, away)) == ("", "Deny")


@pytest.mark.parametrize("name", BOUNDARIES)
def test_every_document_is_valid_and_within_its_vendors_limit(name: str) -> None:
    for made in (scp(boundary([name])), iam(boundary([name]))):
        for document in made.documents:
            text = json.dumps(document.content, separators=(",", ":"))
            assert json.loads(text)["Version"] == "2012-10-17"
            assert document.characters == len(text)
            assert document.limit is not None
            assert len(text) <= document.limit
            sids = [statement["Sid"] for statement in document.content["Statement"]]
            assert len(sids) == len(set(sids))
            assert all(sid.isalnum() for sid in sids)


def test_a_document_names_the_partition_of_its_organisation_only() -> None:
    documents = iam(boundary(["eu"])).documents
    partitions = [
        {arn.split(":")[1] for arn in document.content["Statement"][0]["Resource"]}
        for document in documents
    ]
    assert partitions == [{"aws"}, {"aws-eusc"}]
    assert [document.name for document in documents] == [
        "portway-eu-inference",
        "portway-eu-inference-eusc",
    ]


def test_a_policy_that_is_too_long_is_split_between_statements() -> None:
    whole, split = scp(boundary(["eu"])), scp(boundary(["eu"]), limit=1200)
    joined = [statement for one in split.documents for statement in one.content["Statement"]]
    assert joined == whole.documents[0].content["Statement"]
    assert len(split.documents) > 1
    assert all((one.characters or 0) <= 1200 for one in split.documents)


@pytest.mark.parametrize("limit", [100, 500])
def test_a_statement_that_no_document_can_hold_is_refused_with_its_length(limit: int) -> None:
    with pytest.raises(BadInput, match=f"AWS takes {limit}"):
        scp(boundary(["eu"]), limit=limit)


@pytest.mark.parametrize("name", WITHOUT_AWS)
def test_a_boundary_without_a_region_of_aws_is_refused_rather_than_left_open(name: str) -> None:
    for make in (scp, iam):
        with pytest.raises(BadInput, match="no AWS region is inside"):
            make(boundary([name]))


@pytest.mark.parametrize("name", BOUNDARIES)
def test_the_gate_takes_its_own_guardrails_for_what_they_are(name: str) -> None:
    inside = boundary([name])
    assert any(denies_global(one.content, inside) for one in scp(inside).documents)
    assert all(denies_global(one.content, inside) for one in iam(inside).documents)
    for document in iam(inside).documents:
        assert list(grants(document.content, inside)) == []


def test_the_prefixes_of_partitions_are_those_of_regions() -> None:
    outside: list[str] = table("boundaries.json")["outside_aws_commercial"]
    assert {region for region in AWS if partition_of(region) != "aws"} == set(outside) & set(AWS)
    assert gate_table("guardrails.json")["as_of"] >= "2026-11-22"


def test_an_intersection_allows_what_is_inside_both() -> None:
    both: Boundary = boundary(["eu", "de"])
    denied = policies(scp(both))
    left = [
        region for region in AWS
        if decision(denied, Request("s3:CreateBucket", keys={"aws:RequestedRegion": region})) == ""
    ]  # fmt: skip
    assert left == ["eu-central-1", "eusc-de-east-1"]


def test_more_policies_than_an_account_takes_are_refused() -> None:
    statements = [{"Sid": f"S{number}", "Action": "x" * 60} for number in range(6)]
    with pytest.raises(BadInput, match="would need 6 policies; AWS attaches 5"):
        packed("aws-scp", "it", statements, 140)
