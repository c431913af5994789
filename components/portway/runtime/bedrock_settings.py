"""How Bedrock is to be called: which of its interfaces, through which profile, under which guardrail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_APIS = ("converse", "openai")
_GUARDRAIL = re.compile(r"(?P<id>[a-z0-9]{1,64}):(?P<version>[1-9][0-9]{0,7})")
_PROFILE = re.compile(
    r"arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:application-inference-profile/[a-zA-Z0-9-]{1,64}"
)


@dataclass(frozen=True)
class BedrockSettings:
    """What the target chose.

    Attributes:
        api: ``converse``, or ``openai`` for Bedrock's own chat completions.
        guardrail: id and version of the guardrail that every call is under, or None.
        profile_arn: the application inference profile to call instead of the model, or None.
    """

    api: str = "converse"
    guardrail: tuple[str, str] | None = None
    profile_arn: str | None = None


CONVERSE = BedrockSettings()
"""What is called where nothing is chosen."""


def read_bedrock(env: Mapping[str, str], faults: list[str]) -> BedrockSettings:
    """Read the variables; what cannot be used is added to `faults`."""
    api = env.get("PORTWAY_BEDROCK_API", "").strip() or "converse"
    if api not in _APIS:
        faults.append(f"PORTWAY_BEDROCK_API is {api!r}; it must be converse or openai")
    given = env.get("PORTWAY_BEDROCK_GUARDRAIL", "").strip()
    found = _GUARDRAIL.fullmatch(given)
    if given and found is None:
        faults.append(
            f"PORTWAY_BEDROCK_GUARDRAIL is {given!r}; it must be <guardrail id>:<version number>"
        )
    profile = env.get("PORTWAY_BEDROCK_PROFILE_ARN", "").strip() or None
    if profile is not None and not _PROFILE.fullmatch(profile):
        faults.append(
            "PORTWAY_BEDROCK_PROFILE_ARN is not the ARN of an application inference profile"
        )
    if api == "openai" and (given or profile):
        faults.append(
            "PORTWAY_BEDROCK_API is 'openai'; unset PORTWAY_BEDROCK_GUARDRAIL and "
            "PORTWAY_BEDROCK_PROFILE_ARN, or call Converse"
        )
    return BedrockSettings(api, (found["id"], found["version"]) if found else None, profile)
