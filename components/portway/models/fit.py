"""Whether a model fits one GPU: weights, KV cache and the engine's own needs.

vLLM claims ``gpu_memory_utilization`` of the card, loads the weights, measures the peak of one
forward pass, gives what is left to the KV cache, and refuses to start when that cannot hold one
request of ``max_model_len``. All sizes are GB of 10^9 bytes.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from portway.models.catalogue import Model

GPU_MEMORY_UTILISATION: Final = Decimal("0.90")
"""What every target passes to vLLM as ``--gpu-memory-utilization``; vLLM's own default."""

ENGINE_OVERHEAD_GB: Final = Decimal("2.0")
"""Activation peak, CUDA graphs and non-torch memory. vLLM's start-up logs of 7-8B models on 24 GB
cards give 0.2-1.4 GiB of activations and 0.05 GiB beside; CUDA graphs take up to 0.5 GiB more."""

_GB: Final = Decimal(10**9)


@dataclass(frozen=True)
class Gpu:
    """One GPU model.

    Attributes:
        name: as clouds call it, such as ``nvidia-l4``.
        memory_gb: what the driver reports, in GB of 10^9 bytes: less than the label says.
    """

    name: str
    memory_gb: Decimal

    @property
    def usable_gb(self) -> Decimal:
        """What vLLM may claim of the card."""
        return self.memory_gb * GPU_MEMORY_UTILISATION


L4: Final = Gpu("nvidia-l4", Decimal("23.69"))
"""Sold as 24 GB. vLLM reports total_gpu_memory of 22.06-22.07 GiB on 24 GB Ada and Ampere cards."""


def kv_cache_gb(model: Model, tokens: int) -> Decimal:
    """KV cache for ``tokens`` tokens at 16 bits."""
    return Decimal(model.kv_bytes_per_token) * tokens / _GB


def vram_needed_gb(model: Model, context_tokens: int, concurrency: int = 1) -> Decimal:
    """What ``concurrency`` requests, each of ``context_tokens``, need of one GPU.

    With ``concurrency`` 1 this is what the engine needs to start at all. With more it is what it
    needs so that full-length requests never wait for one another; short ones need less.

    Raises:
        ValueError: a figure below 1.
    """
    if context_tokens < 1 or concurrency < 1:
        raise ValueError(f"context {context_tokens} and concurrency {concurrency} must be above 0")
    cache = kv_cache_gb(model, context_tokens) * concurrency
    return model.weights_gb + ENGINE_OVERHEAD_GB + cache


def fits(model: Model, gpu: Gpu = L4, context_tokens: int | None = None) -> bool:
    """Whether ``gpu`` starts ``model`` with ``context_tokens`` (None: the catalogue's context)."""
    needed = vram_needed_gb(model, context_tokens or model.context_tokens)
    return needed <= gpu.usable_gb


def largest_context(model: Model, gpu: Gpu = L4) -> int:
    """The longest context in tokens that ``gpu`` can start ``model`` with; 0 where none fits."""
    free = gpu.usable_gb - model.weights_gb - ENGINE_OVERHEAD_GB
    if free <= 0:
        return 0
    return min(int(free * _GB / model.kv_bytes_per_token), model.native_context_tokens)


def why_too_large(model: Model, gpu: Gpu = L4) -> str | None:
    """One sentence on why ``gpu`` cannot start ``model`` at the catalogue's context; None if it can."""
    if fits(model, gpu):
        return None
    needed = vram_needed_gb(model, model.context_tokens).quantize(Decimal("0.1"), ROUND_CEILING)
    return (
        f"{model.id} needs {needed} GB of GPU memory ({model.weights_gb} GB of {model.precision} "
        f"weights, {model.context_tokens} tokens of KV cache and {ENGINE_OVERHEAD_GB} GB for the "
        f"engine); one {gpu.name} lends {gpu.usable_gb.quantize(Decimal('0.1'))} GB"
    )
