from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.models import Model, catalogue, find
from portway.models.fit import (
    L4,
    Gpu,
    fits,
    kv_cache_gb,
    largest_context,
    vram_needed_gb,
    why_too_large,
)

MODELS = st.sampled_from(list(catalogue().values()))


def test_what_a_model_needs_is_weights_cache_and_the_engine() -> None:
    model = find("ministral-3-8b")
    assert kv_cache_gb(model, 32_768) == Decimal("4.563402752")
    assert vram_needed_gb(model, 32_768) == Decimal("10.42") + 2 + Decimal("4.563402752")
    assert vram_needed_gb(model, 32_768, 2) == vram_needed_gb(model, 65_536)


def test_one_l4_holds_the_small_models_and_not_the_large() -> None:
    assert {model.id: fits(model) for model in catalogue().values()} == {
        "ministral-3-8b": True,
        "qwen3-8b": True,
        "gpt-oss-20b": True,
        "gemma-3-12b": False,
        "qwen3-32b": False,
        "llama-3.1-8b": True,
    }


def test_too_large_is_said_with_every_figure() -> None:
    assert why_too_large(find("qwen3-8b")) is None
    assert why_too_large(find("qwen3-32b")) == (
        "qwen3-32b needs 76.2 GB of GPU memory (65.53 GB of bf16 weights, 32768 tokens of KV cache "
        "and 2.0 GB for the engine); one nvidia-l4 lends 21.3 GB"
    )


@given(MODELS, st.integers(8, 200))
def test_the_largest_context_fits_and_one_token_more_does_not(model: Model, memory: int) -> None:
    chosen = model
    gpu = Gpu("a-gpu", Decimal(memory))
    most = largest_context(chosen, gpu)
    if most:
        assert vram_needed_gb(chosen, most) <= gpu.usable_gb
    if most < chosen.native_context_tokens:
        assert vram_needed_gb(chosen, most + 1) > gpu.usable_gb


def test_a_context_is_never_larger_than_its_publisher_states() -> None:
    small = find("qwen3-8b")
    assert largest_context(small, Gpu("huge", Decimal(640))) == small.native_context_tokens
    assert largest_context(find("qwen3-32b"), L4) == 0


@pytest.mark.parametrize(("context", "concurrency"), [(0, 1), (1, 0)])
def test_nothing_needs_no_memory(context: int, concurrency: int) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        vram_needed_gb(find("qwen3-8b"), context, concurrency)
