"""Portway: one spec for an LLM inference service, three places to run it.

The public surface is small and lazy: importing ``portway`` imports no Pulumi.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portway.inference_service import InferenceService
    from portway.program import read_stack
    from portway.spec import InferenceServiceSpec
    from portway.target import Placement

_HOMES = {
    "InferenceService": "portway.inference_service",
    "InferenceServiceSpec": "portway.spec",
    "Placement": "portway.target",
    "read_stack": "portway.program",
}

__all__ = ["InferenceService", "InferenceServiceSpec", "Placement", "read_stack"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    """The public names, imported when first used."""
    if name not in _HOMES:
        message = f"module 'portway' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)
