"""Which models a text names, and where they may be served."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.gate.routes import refusal, routes
from portway.residency.boundary import boundary
from portway.residency.profiles import destinations

EU = boundary(["eu"])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("bedrock:mistral.ministral-3-8b-instruct", ["mistral.ministral-3-8b-instruct"]),
        ("bedrock:eu.amazon.nova-lite-v1:0", ["eu.amazon.nova-lite-v1:0"]),
        (
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ["us.anthropic.claude-sonnet-4-5-20250929-v1:0"],
        ),
        (
            "a global.amazon.nova-2-lite-v1:0, or eu.amazon.nova-lite-v1:0",
            ["global.amazon.nova-2-lite-v1:0", "eu.amazon.nova-lite-v1:0"],
        ),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/us.x.y-1", ["inference-profile/us.x.y-1"]),
        ("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/x.y", ["foundation-model/x.y"]),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com/x",
            ["bedrock-runtime.us-east-1.amazonaws.com"],
        ),
        ("bedrock/us.amazon.nova-lite-v1:0", ["us.amazon.nova-lite-v1:0"]),
        ("kr.amazon.nova-lite-v1:0", ["kr.amazon.nova-lite-v1:0"]),
        ("bedrock:hunter2-is-my-password", ["a model (a text of 22 characters)"]),
        ("us.hunter2.is-my-password", ["a model (a text of 25 characters)"]),
        ("postgres://bedrock:hunter2@db", []),
        ("https://api.mistral.ai/v1-2", []),
        ("com.amazon.corretto-17", []),
        ("https://eu.example.com", []),
        ("eu.gcr.io/project/image-1", []),
        ("user@us.example-1.com", []),
        ("http://127.0.0.1:8000", []),
        ("arn:aws:s3:::bucket", []),
    ],
)
def test_a_text_names_its_models_and_nothing_else(text: str, names: list[str]) -> None:
    assert [route.name for route in routes(text)] == names


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    assert all(len(route.name) <= 200 for route in routes(text))


_PROFILES = [
    f"{geography}.{model}"
    for geography in ("global", "us", "eu", "apac", "jp", "au", "ca", "sa", "us-gov")
    for model in (
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "amazon.nova-lite-v1:0",
        "any.model-1",
    )
]


@given(
    st.sampled_from(_PROFILES),
    st.sampled_from(
        ["eu-west-1", "eu-west-2", "eu-central-2", "il-central-1", "us-east-1", "ca-central-1"]
    ),
    st.sampled_from(["eu", "eea", "de", "uk", "us", "jp"]),
)
def test_a_profile_passes_exactly_when_every_destination_is_known_and_inside(
    profile: str, source: str, name: str
) -> None:
    inside = boundary([name])
    reached = destinations(profile, source)
    is_allowed = reached is not None and all(map(inside.contains, reached))
    (route,) = routes(profile)
    assert (refusal(route, source, inside) is None) == is_allowed


@pytest.mark.parametrize(
    ("arn", "why"),
    [
        ("arn:aws:bedrock:::foundation-model/x.y", "names no region"),
        ("arn:aws:bedrock:*::foundation-model/x.y", "a pattern of regions"),
        ("arn:aws:bedrock:us-*::foundation-model/x.y", "a pattern of regions"),
        ("arn:aws:bedrock:us-east-1::foundation-model/*", "outside the boundary eu"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/*", "every model and profile"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/global.*", "outside the boundary eu"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/us.*", "is not known"),
        ("arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc", "is not known"),
        ("arn:aws:bedrock:eu-west-1:1:*", "every model and profile"),
    ],
)
def test_an_arn_that_may_lead_outside_is_refused(arn: str, why: str) -> None:
    (route,) = routes(arn)
    no = refusal(route, None, EU)
    assert no is not None
    assert why in no.why


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:bedrock:eu-west-1::foundation-model/x.y",
        "arn:aws:bedrock:eu-west-1::foundation-model/*",
        "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:eu-west-1:1:provisioned-model/abc",
    ],
)
def test_an_arn_that_stays_inside_passes(arn: str) -> None:
    (route,) = routes(arn)
    assert refusal(route, None, EU) is None
