"""What a stack may hold of Bedrock itself: application inference profiles, and guardrails of words."""

import re
from dataclasses import dataclass, replace
from typing import Any

from portway.sandbox.dataplane.bedrock_catalogue import INVALID, Catalogue, Served, UnknownModel
from portway.sandbox.dataplane.chat import Ask
from portway.sandbox.dataplane.world import World, child, items, text
from portway.sandbox.store import Row

PROFILE = "aws:bedrock/inferenceProfile:InferenceProfile"
GUARDRAIL = "aws:bedrock/guardrail:Guardrail"
NO_GUARDRAIL = "The guardrail identifier or version provided in the request does not exist."


@dataclass(frozen=True)
class Tagged:
    """An application profile's tags, as IAM sees them."""

    arn: str
    tags: dict[str, str]


def find(
    catalogue: Catalogue, world: World, model_id: str, region: str, account: str
) -> tuple[Served, Tagged | None]:
    """The model that ``model_id`` names, also through an application profile of the store.

    Raises:
        UnknownModel: with Bedrock's own sentence.
    """
    if ":application-inference-profile/" not in model_id:
        return catalogue.find(model_id, region, account), None
    row = next((one for one in world.of(PROFILE) if text(one.outputs, "arn") == model_id), None)
    if row is None or model_id.split(":")[3] != region:
        raise UnknownModel(INVALID)
    source = text(child(row.inputs, "modelSource"), "copyFrom")
    behind = catalogue.find(source, region, account)
    models = [one for one in behind.resources if ":foundation-model/" in one]
    tags = {str(name): str(value) for name, value in child(row.inputs, "tags").items()}
    served = replace(behind, resources=(model_id, *models), profile_arn=model_id)
    return served, Tagged(model_id, tags)


@dataclass(frozen=True)
class Guard:
    """A guardrail that a request is under."""

    arn: str
    version: str
    row: Row

    def stops(self, ask: Ask) -> str | None:
        """What it answers instead of the model, where a word that it blocks was said."""
        policy = child(self.row.inputs, "wordPolicyConfig")
        words = [text(one, "text") for one in items(policy, "wordsConfigs")]
        said = " ".join(turn.text for turn in ask.turns if turn.role == "user")
        for word in words:
            if word and re.search(rf"\b{re.escape(word)}\b", said, re.IGNORECASE):
                return text(self.row.inputs, "blockedInputMessaging")
        return None


def guard_of(body: dict[str, Any], world: World, region: str, account: str) -> Guard | None:
    """The guardrail that a Converse request asks for.

    Raises:
        UnknownModel: there is none of that name, with Bedrock's own sentence.
    """
    config = child(body, "guardrailConfig")
    name, version = text(config, "guardrailIdentifier"), text(config, "guardrailVersion")
    if not name:
        return None
    for row in world.of(GUARDRAIL):
        if name in (
            row.key.id,
            text(row.outputs, "guardrailId"),
            text(row.outputs, "guardrailArn"),
        ):
            return Guard(f"arn:aws:bedrock:{region}:{account}:guardrail/{name}", version, row)
    raise UnknownModel(NO_GUARDRAIL)
