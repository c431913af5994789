import pytest

from portway.residency.boundary import boundary, commercial_aws_regions, country_of
from portway.residency.profiles import destinations, is_profile
from portway.residency.tables import table

EU_SIX = {"eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"}
US_THREE = {"us-east-1", "us-east-2", "us-west-2"}


@pytest.mark.parametrize(
    ("model", "source", "expected"),
    [
        ("mistral.ministral-3-8b-instruct", "eu-west-1", {"eu-west-1"}),
        ("deepseek.v3.2", "eu-north-1", {"eu-north-1"}),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu-west-1", EU_SIX),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "eu-west-2", EU_SIX | {"eu-west-2"}),
        ("eu.anthropic.claude-sonnet-4-20250514-v1:0", "il-central-1", EU_SIX | {"il-central-1"}),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "ca-central-1", US_THREE | {"ca-central-1"}),
        ("us.meta.llama3-2-3b-instruct-v1:0", "us-east-1", {"us-east-1", "us-west-2"}),
        ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-gov-east-1", {"us-gov-west-1"}),
        ("jp.amazon.nova-2-lite-v1:0", "ap-northeast-1", {"ap-northeast-1", "ap-northeast-3"}),
        ("global.anthropic.claude-opus-4-5", "eu-west-1", set(commercial_aws_regions())),
        ("arn:aws:bedrock:eu-west-1::foundation-model/mistral.ministral-3-8b-instruct", "us-east-1", {"eu-west-1"}),
        ("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-x", "us-east-1", EU_SIX),
        ("eu.guardrail.v1:0", "eu-west-1", EU_SIX),
        ("eu.guardrail.v1:0", "eu-west-2", EU_SIX | {"eu-west-2"}),
        ("us.guardrail.v1:0", "us-east-1", US_THREE | {"us-west-1"}),
        ("us-gov.guardrail.v1:0", "us-gov-west-1", {"us-gov-east-1", "us-gov-west-1"}),
        ("arn:aws:bedrock:eu-west-1:123456789012:guardrail-profile/eu.guardrail.v1:0", "eu-west-1", EU_SIX),
        ("arn:aws-us-gov:bedrock:us-gov-west-1:1:guardrail-profile/us-gov.guardrail.v1:0", "x", {"us-gov-east-1", "us-gov-west-1"}),
        (" EU.anthropic.claude-sonnet-4-5-20250929-v1:0\n", " EU-WEST-1 ", EU_SIX),
    ],
)  # fmt: skip
def test_a_call_may_be_served_where_the_vendor_says(
    model: str, source: str, expected: set[str]
) -> None:
    assert destinations(model, source) == expected


@pytest.mark.parametrize(
    ("model", "source"),
    [
        ("mars.anthropic.claude", "eu-west-1"),
        ("eu.anthropic.claude-sonnet-4-5", "us-east-1"),
        ("eu.anthropic.claude-3-haiku", "eu-north-1"),
        ("arn:aws:bedrock:::foundation-model/mistral.x", "eu-west-1"),
        ("arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc", "eu-west-1"),
        ("gpt-4", "eu-west-1"),
        ("jp.guardrail.v1:0", "ap-northeast-1"),
        ("eu.guardrail.v1:0", "us-east-1"),
        ("mars.guardrail.v1:0", "eu-west-1"),
        ("eu.", "eu-west-1"),
        ("", "eu-west-1"),
    ],
)
def test_what_cannot_be_told_is_undetermined(model: str, source: str) -> None:
    assert destinations(model, source) is None


def test_an_unknown_model_may_go_anywhere_its_geography_goes() -> None:
    unknown = destinations("apac.newvendor.new-model", "ap-southeast-1")
    known = destinations("apac.anthropic.claude-3-haiku-20240307-v1:0", "ap-southeast-1")
    assert unknown is not None
    assert known is not None
    assert known < unknown


def test_a_profile_is_told_from_a_model() -> None:
    assert not is_profile("mistral.ministral-3-8b-instruct")
    assert not is_profile("arn:aws:bedrock:eu-west-1::foundation-model/mistral.x")
    assert is_profile("eu.mistral.pixtral-large-2502-v1:0")
    assert is_profile("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.mistral.x")


def test_the_table_names_only_regions_that_exist_and_may_call_what_they_reach() -> None:
    for rule in table("bedrock_profiles.json")["rules"]:
        for route in rule["routes"]:
            assert all(country_of(region) for region in [*route["from"], *route["to"]])
            assert route["plus_source"] or set(route["to"]) <= set(commercial_aws_regions()) or (
                rule["prefix"] == "us-gov"
            )  # fmt: skip


def test_the_eu_profile_from_inside_the_eu_stays_inside() -> None:
    europe = boundary(["eu"])
    reached = destinations("eu.newvendor.model", "eu-west-1")
    assert reached is not None
    assert europe.contains_all(reached)
    from_london = destinations("eu.newvendor.model", "eu-west-2")
    assert from_london is not None
    assert not europe.contains_all(from_london)
