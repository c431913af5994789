"""Every profile from every region against every boundary, by the vendor's lists written down again."""

from collections.abc import Iterator
from itertools import product as pairs

import pytest

from portway.gate.routes import refusal, routes
from portway.residency.boundary import boundaries, boundary
from portway.residency.profiles import destinations
from portway.residency.tables import table

AMAZON = sorted(table("boundaries.json")["countries"]["aws"])
OUTSIDE_COMMERCIAL = ("us-gov-", "us-iso", "cn-", "eusc-")
COMMERCIAL = frozenset(one for one in AMAZON if not one.startswith(OUTSIDE_COMMERCIAL))
US = "us-east-1 us-east-2 us-west-2"
EU = "eu-central-1 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-3"
AP = "ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2"
GOV = "us-gov-east-1 us-gov-west-1"
SELF = "+"
"""Stands for the region that the call comes from."""

# profile: {sources: destinations}; a source that is not named is one that Bedrock does not offer.
LISTS: dict[str, dict[str, str]] = {
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": {US: US, "us-west-1 ca-central-1 ca-west-1": f"{US} {SELF}"},
    "us.amazon.nova-2-lite-v1:0": {US: US, "us-west-1 ca-central-1 ca-west-1": f"{US} {SELF}"},
    "us.meta.llama3-2-3b-instruct-v1:0": {"us-east-1 us-west-2": "us-east-1 us-west-2", "us-east-2": US},
    "us.anthropic.claude-3-haiku-20240307-v1:0": {"us-east-1 us-west-2": "us-east-1 us-west-2", "us-east-2": US},
    "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0": {GOV: "us-gov-west-1"},
    "us-gov.anthropic.claude-3-haiku-20240307-v1:0": {GOV: GOV},
    "us-gov.guardrail.v1:0": {GOV: GOV},
    "eu.anthropic.claude-opus-4-5-20251101-v1:0": {EU: EU, "eu-central-2 eu-west-2": f"{EU} {SELF}"},
    "eu.anthropic.claude-haiku-4-5-20251001-v1:0": {EU: EU, "eu-central-2 eu-west-2": f"{EU} {SELF}"},
    "eu.twelvelabs.pegasus-1-2-v1:0": {EU: EU, "eu-central-2 eu-west-2": f"{EU} {SELF}"},
    "eu.anthropic.claude-sonnet-4-20250514-v1:0": {EU: EU, "il-central-1": f"{EU} {SELF}"},
    "eu.anthropic.claude-3-5-sonnet-20240620-v1:0": {"eu-central-1 eu-west-1 eu-west-3": "eu-central-1 eu-west-1 eu-west-3"},
    "eu.mistral.pixtral-large-2502-v1:0": {"eu-central-1 eu-north-1 eu-west-1 eu-west-3": "eu-central-1 eu-north-1 eu-west-1 eu-west-3"},
    "eu.guardrail.v1:0": {f"{EU} eu-central-2 eu-west-2 il-central-1": f"{EU} {SELF}"},
    "apac.anthropic.claude-3-sonnet-20240229-v1:0": {AP: AP},
    "jp.anthropic.claude-sonnet-4-5-20250929-v1:0": {"ap-northeast-1 ap-northeast-3": "ap-northeast-1 ap-northeast-3"},
    "au.anthropic.claude-sonnet-4-5-20250929-v1:0": {"ap-southeast-2 ap-southeast-4": "ap-southeast-2 ap-southeast-4"},
    "ca.amazon.nova-lite-v1:0": {"ca-central-1 ca-west-1": "ca-central-1 ca-west-1"},
    "mars.anthropic.claude-sonnet-4-5-20250929-v1:0": {},
    "jp.guardrail.v1:0": {},
}  # fmt: skip


def expected(profile: str, source: str) -> frozenset[str] | None:
    """Where the vendor's list lets the call go; None where it is not offered."""
    for sources, listed in LISTS[profile].items():
        if source in sources.split():
            return frozenset(source if one == SELF else one for one in listed.split())
    return None


def cases() -> Iterator[tuple[str, str]]:
    return pairs(LISTS, AMAZON)


def test_there_are_more_than_three_thousand_cases() -> None:
    assert len(list(cases())) * len(boundaries()) > 3000


@pytest.mark.parametrize("profile", LISTS)
def test_a_profile_goes_where_the_vendor_lists_it(profile: str) -> None:
    found = {source: destinations(profile, source) for source in AMAZON}
    assert found == {source: expected(profile, source) for source in AMAZON}


@pytest.mark.parametrize("name", sorted(boundaries()))
def test_a_call_is_inside_where_all_that_may_serve_it_is(name: str) -> None:
    inside = boundary([name])
    for profile, source in cases():
        reached = expected(profile, source)
        is_inside = reached is not None and reached <= inside.regions
        (route,) = routes(profile)
        assert (refusal(route, source, inside) is None) == is_inside, (profile, source)


@pytest.mark.parametrize("name", sorted(boundaries()))
def test_a_worldwide_profile_is_inside_nothing(name: str) -> None:
    for source in AMAZON:
        reached = destinations("global.anthropic.claude-sonnet-4-5-20250929-v1:0", source)
        assert reached == COMMERCIAL
        assert not boundary([name]).contains_all(COMMERCIAL)


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn", "aws-eusc", "aws-iso-b"])
@pytest.mark.parametrize("profile", LISTS)
def test_an_arn_fixes_the_source_whatever_its_partition(profile: str, partition: str) -> None:
    kind = "guardrail-profile" if ".guardrail." in profile else "inference-profile"
    for source in AMAZON:
        arn = f"arn:{partition}:bedrock:{source}:123456789012:{kind}/{profile}"
        assert destinations(arn, "us-east-1") == expected(profile, source)
        assert destinations(f" {arn} ", "mars") == expected(profile, source)


def test_an_application_profile_does_not_say_where_it_goes() -> None:
    name = "application-inference-profile/a1b2c3"
    for source in AMAZON:
        assert destinations(f"arn:aws:bedrock:{source}:123456789012:{name}", source) is None
