"""Which models the embedded Bedrock has, where, and the IAM checks a call of one needs."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from portway.sandbox.dataplane.text import Identity

INVALID = "The provided model identifier is invalid."


class UnknownModel(Exception):
    """Bedrock's sentence for a model that cannot be called that way in that region."""


@dataclass(frozen=True)
class Served:
    """A model as it is called.

    Attributes:
        model_id: the base model's id.
        resources: the ARN a caller needs for each thing touched, with the region it is in ("" for
            none): an inference profile first, then the base model wherever a call may be sent.
        profile_arn: of the inference profile, when the call goes through one.
    """

    model_id: str
    identity: Identity
    context_tokens: int
    resources: tuple[str, ...]
    profile_arn: str | None = None


class Catalogue:
    """The table ``bedrock_models.json``, or another of its shape."""

    def __init__(self, table: Mapping[str, Any] | None = None) -> None:
        path = files("portway.sandbox.dataplane").joinpath("bedrock_models.json")
        self._table = json.loads(path.read_text("utf-8")) if table is None else table

    def find(self, model_id: str, region: str, account: str) -> Served:
        """The model that ``model_id`` (an id, or an ARN) names in ``region``.

        Raises:
            UnknownModel: with Bedrock's own sentence.
        """
        name = re.sub(
            r"^arn:aws:bedrock:[^:]*:[^:]*:(foundation-model|inference-profile)/", "", model_id
        )
        profile = self._table["profiles"].get(name)
        if profile is not None:
            if region not in profile["regions"]:
                raise UnknownModel(INVALID)
            arn = f"arn:aws:bedrock:{region}:{account}:inference-profile/{name}"
            return self._served(profile["model"], profile["regions"], arn)
        model = self._table["models"].get(name)
        if model is None:
            raise UnknownModel(INVALID)
        if region not in model["regions"]:
            if any(p["model"] == name and region in p["regions"] for p in self._profiles()):
                raise UnknownModel(
                    f"Invocation of model ID {name} with on-demand throughput isn't supported. Retry your request with the ID or ARN of an inference profile that contains this model."
                )
            raise UnknownModel(INVALID)
        return self._served(name, [region], None)

    def _profiles(self) -> list[Any]:
        return list(self._table["profiles"].values())

    def _served(self, name: str, regions: list[str], profile_arn: str | None) -> Served:
        weights = self._table["models"][name]["weights"]
        known = self._table["weights"][weights]
        models = [f"arn:aws:bedrock:{region}::foundation-model/{name}" for region in regions]
        return Served(
            model_id=name,
            identity=Identity(weights, known["revision"], known["precision"]),
            context_tokens=known["context_tokens"],
            resources=(*([profile_arn] if profile_arn else []), *models),
            profile_arn=profile_arn,
        )
