"""The model catalogue: which weights, how large, under which licence, and where Bedrock has them."""

from portway.models.catalogue import (
    BedrockOffer,
    Model,
    ModelIdentity,
    catalogue,
    find,
    identity_of_weights,
    identity_on_bedrock,
    known_equal,
)

__all__ = [
    "BedrockOffer",
    "Model",
    "ModelIdentity",
    "catalogue",
    "find",
    "identity_of_weights",
    "identity_on_bedrock",
    "known_equal",
]
