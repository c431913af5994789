import re

import pytest

from portway.errors import BadInput
from portway.models import (
    Model,
    ModelIdentity,
    catalogue,
    find,
    identity_of_weights,
    identity_on_bedrock,
    known_equal,
)
from portway.models.fit import fits, vram_needed_gb
from portway.residency.boundary import boundary, country_of
from portway.residency.profiles import destinations, is_profile

MODELS = pytest.mark.parametrize("model", catalogue().values(), ids=lambda model: model.id)


def test_the_promised_models_are_there() -> None:
    assert {"ministral-3-8b", "qwen3-8b", "gpt-oss-20b"} <= set(catalogue())
    assert len(catalogue()) >= 5


@MODELS
def test_every_row_is_whole(model: Model) -> None:
    assert model.context_tokens <= model.native_context_tokens
    assert model.max_output_tokens < model.context_tokens
    assert model.weights_gb < vram_needed_gb(model, 1)
    assert model.sources
    assert model.revision is None or re.fullmatch("[0-9a-f]{40}", model.revision)
    assert model.created > 1_700_000_000
    assert re.fullmatch(r"[a-z0-9.-]+", model.id)


@MODELS
def test_published_sizes_agree_with_parameters_and_precision(model: Model) -> None:
    bytes_each = model.weights_gb / model.parameters_billion
    low, high = {"bf16": (1.99, 2.01), "fp8": (1.0, 1.3), "mxfp4": (0.5, 0.8)}[model.precision]
    assert low <= float(bytes_each) <= high


@MODELS
def test_what_bedrock_offers_is_in_regions_that_exist(model: Model) -> None:
    offer = model.bedrock
    if offer is None:
        return
    assert offer.unverified_regions <= offer.regions
    assert offer.reachable_from >= offer.regions
    assert {region for region in offer.reachable_from if country_of(region) is None} == set()
    assert not is_profile(offer.model_id)
    for profile, sources in offer.profiles.items():
        assert is_profile(profile)
        assert all(destinations(profile, source) for source in sources)


def test_one_model_runs_on_a_gpu_and_on_bedrock_inside_the_eu() -> None:
    model = find("ministral-3-8b")
    assert fits(model)
    assert model.bedrock is not None
    europe = boundary(["eu"])
    assert {region for region in model.bedrock.regions if europe.contains(region)} == {
        "eu-west-1",
        "eu-south-1",
    }


def test_an_unknown_model_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(BadInput) as caught:
        find("ministral3-8b")
    assert str(caught.value) == (
        "model: 'ministral3-8b' is not in the model catalogue; did you mean ministral-3-8b? "
        f"choose one of {', '.join(catalogue())}"
    )


def test_identity_names_weights_revision_and_precision() -> None:
    assert identity_of_weights(find("qwen3-8b")) == (
        "Qwen/Qwen3-8B@b968826d9c46dd6066d109eabc6255188de91218#bf16"
    )
    assert identity_on_bedrock(find("ministral-3-8b"), "eu-west-1") == (
        "mistralai/Ministral-3-8B-Instruct-2512@unpublished#unpublished "
        "(bedrock mistral.ministral-3-8b-instruct in eu-west-1)"
    )
    with pytest.raises(ValueError, match="qwen3-8b is not on Bedrock"):
        identity_on_bedrock(find("qwen3-8b"), "eu-west-1")
    assert not ModelIdentity("a/b", "0" * 40, None).is_known


def test_two_deployments_are_equal_only_where_that_is_known() -> None:
    ministral, qwen = find("ministral-3-8b"), find("qwen3-8b")
    ours, served = identity_of_weights(ministral), identity_on_bedrock(ministral, "eu-west-1")
    assert known_equal(ours, ours) is True
    assert known_equal(ours, served) is None
    assert known_equal(served, served) is None
    assert known_equal(identity_of_weights(qwen), ours) is False
    assert known_equal(identity_of_weights(qwen), served) is False
