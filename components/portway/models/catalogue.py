"""The rows of ``catalogue.json``: one reader, whole-file checks, lookup by id."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from portway.errors import BadInput, Missing, Problem

UNPUBLISHED = "unpublished"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ModelIdentity:
    """What makes two deployments the same model: weights, their revision, their precision.

    Attributes:
        weights: Hugging Face repository, such as ``Qwen/Qwen3-8B``.
        revision: 40 hex digits of the repository's commit, or None where nobody published it.
        precision: of the weights as loaded (``bf16``, ``fp8``, ``mxfp4``), or None likewise.
    """

    weights: str
    revision: str | None
    precision: str | None

    @property
    def is_known(self) -> bool:
        """Whether weights, revision and precision are all published."""
        return self.revision is not None and self.precision is not None

    def __str__(self) -> str:
        """``weights@revision#precision``, with ``unpublished`` for what is not known."""
        return f"{self.weights}@{self.revision or UNPUBLISHED}#{self.precision or UNPUBLISHED}"


@dataclass(frozen=True)
class BedrockOffer:
    """Where Amazon Bedrock sells a model.

    Attributes:
        model_id: the foundation model id.
        converse: whether Converse and ConverseStream serve it.
        regions: AWS regions that serve the model themselves, on demand.
        profiles: inference profile id to the AWS regions it may be called from.
        regions_as_of: the day the region list was true.
        unverified_regions: those of ``regions`` that only launch notes or hearsay name.
        sources: where the row comes from.
        openai: whether Bedrock's own endpoint for OpenAI chat completions serves it too.
    """

    model_id: str
    converse: bool
    regions: frozenset[str]
    profiles: Mapping[str, frozenset[str]]
    regions_as_of: date
    unverified_regions: frozenset[str]
    sources: tuple[str, ...]
    openai: bool = False

    @property
    def verified(self) -> bool:
        """Whether every region was seen in the vendor's own listing."""
        return not self.unverified_regions

    @property
    def reachable_from(self) -> frozenset[str]:
        """AWS regions that can call the model at all: on demand or through a profile."""
        return self.regions.union(*self.profiles.values())


@dataclass(frozen=True)
class Model:
    """One row of the catalogue.

    Attributes:
        id: what a spec writes and what clients send as ``model``.
        weights: Hugging Face repository.
        revision: commit of that repository, 40 hex digits; None where none was found.
        precision: of the published weights, as an engine loads them.
        parameters_billion: all parameters, also those of experts that one token does not use.
        weights_gb: size of the weights to load, in GB of 10^9 bytes.
        context_tokens: prompt and answer together that we serve, the same on every target.
        native_context_tokens: the most its publisher states.
        max_output_tokens: the longest answer we serve, and the answer's limit when a client sets none.
        kv_bytes_per_token: bytes of KV cache one token needs in all layers together, at 16 bits.
            Layers with a sliding window are counted in full, so that the figure is never too low.
        license: SPDX identifier, or the publisher's own name for its licence.
        owner: ``owned_by`` in ``/v1/models``.
        created: the publisher's release, unix seconds.
        vllm: engine arguments this model needs beside the common ones, such as ``--dtype``.
        bedrock: where Amazon Bedrock sells it, or None.
        revision_verified: whether two independent public sources name the revision.
        sources: where the row's figures come from.
    """

    id: str
    weights: str
    revision: str | None
    precision: str
    parameters_billion: Decimal
    weights_gb: Decimal
    context_tokens: int
    native_context_tokens: int
    max_output_tokens: int
    kv_bytes_per_token: int
    license: str
    owner: str
    created: int
    vllm: tuple[str, ...]
    bedrock: BedrockOffer | None
    revision_verified: bool
    sources: tuple[str, ...]

    @property
    def identity(self) -> ModelIdentity:
        """The identity of the published weights, loaded unchanged."""
        return ModelIdentity(self.weights, self.revision, self.precision)


def identity_of_weights(model: Model) -> str:
    """Identity text of ``model`` where we load its published weights ourselves."""
    return str(model.identity)


def identity_on_bedrock(model: Model, region: str) -> str:
    """Identity text of ``model`` as Bedrock serves it: revision and precision are not published.

    Raises:
        ValueError: Bedrock does not sell the model.
    """
    if model.bedrock is None:
        raise ValueError(f"{model.id} is not on Bedrock")
    unknown = ModelIdentity(model.weights, None, None)
    return f"{unknown} (bedrock {model.bedrock.model_id} in {region})"


def known_equal(left: str, right: str) -> bool | None:
    """Whether two identity texts name the same model; None where one end does not publish enough."""
    if UNPUBLISHED in left or UNPUBLISHED in right:
        same_weights = left.partition("@")[0] == right.partition("@")[0]
        return None if same_weights else False
    return left == right


@cache
def catalogue() -> Mapping[str, Model]:
    """Every model by id, in the order of the file.

    Raises:
        Missing: the catalogue that ships with the package is absent or broken.
    """
    try:
        rows = json.loads(files("portway.models").joinpath("catalogue.json").read_text("utf-8"))
        models = [_model(row) for row in rows["models"]]
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise Missing(
            f"models/catalogue.json cannot be read: {error}; reinstall portway"
        ) from error
    return MappingProxyType({model.id: model for model in models})


def find(model_id: str) -> Model:
    """The model called ``model_id``.

    Raises:
        BadInput: no such model; the message offers the nearest one and lists them all.
    """
    models = catalogue()
    if model_id in models:
        return models[model_id]
    raise BadInput([Problem("model", _unknown(model_id, models))])


def _unknown(model_id: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(model_id, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{model_id!r} is not in the model catalogue; {hint}choose one of {', '.join(names)}"


def _model(row: Mapping[str, Any]) -> Model:
    revision = row["revision"]
    if revision is not None and not _COMMIT.fullmatch(revision):
        raise ValueError(f"{row['id']}: revision {revision!r} is not 40 hex digits")
    return Model(
        id=row["id"],
        weights=row["weights"],
        revision=revision,
        precision=row["precision"],
        parameters_billion=Decimal(row["parameters_billion"]),
        weights_gb=Decimal(row["weights_gb"]),
        context_tokens=row["context_tokens"],
        native_context_tokens=row["native_context_tokens"],
        max_output_tokens=row["max_output_tokens"],
        kv_bytes_per_token=row["kv_bytes_per_token"],
        license=row["license"],
        owner=row["owner"],
        created=row["created"],
        vllm=tuple(row["vllm"]),
        bedrock=_offer(row["bedrock"]),
        revision_verified=row["revision_verified"],
        sources=tuple(row["sources"]),
    )


def _offer(row: Mapping[str, Any] | None) -> BedrockOffer | None:
    if row is None:
        return None
    profiles = {profile: frozenset(regions) for profile, regions in row["profiles"].items()}
    return BedrockOffer(
        model_id=row["model_id"],
        converse=row["converse"],
        regions=frozenset(row["regions"]),
        profiles=MappingProxyType(profiles),
        regions_as_of=date.fromisoformat(row["regions_as_of"]),
        unverified_regions=frozenset(row["unverified_regions"]),
        sources=tuple(row["sources"]),
        openai=row.get("openai", False),
    )
