"""The model catalogue: which weights, how large, under which licence, and where Bedrock has them."""

from portway.models.catalogue import Model, ModelIdentity, catalogue, find

__all__ = ["Model", "ModelIdentity", "catalogue", "find"]
