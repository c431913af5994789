"""The guardrails of a boundary, by format, and as the text that each vendor's tool takes."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from portway.errors import BadInput
from portway.gate.guardrails.aws import IAM, SCP, iam, scp
from portway.gate.guardrails.cluster import VAP, admission
from portway.gate.guardrails.document import Document, Guardrail, compact
from portway.gate.guardrails.google import ORG_POLICY, org_policy
from portway.residency.boundary import Boundary

_MAKERS: Mapping[str, Callable[[Boundary], Guardrail]] = {
    SCP: scp,
    IAM: iam,
    ORG_POLICY: org_policy,
    VAP: admission,
}
FORMATS = tuple(_MAKERS)
_WIDTH = 100


@dataclass(frozen=True)
class Made:
    """What could be made, and by format why something could not."""

    guardrails: tuple[Guardrail, ...]
    refused: Mapping[str, str]


def guardrails(boundary: Boundary, formats: Iterable[str] = FORMATS) -> Made:
    """The guardrails of ``boundary`` in ``formats``; a cloud with no region inside is refused, not guessed."""
    made: list[Guardrail] = []
    refused: dict[str, str] = {}
    for name in formats:
        try:
            made.append(_MAKERS[name](boundary))
        except BadInput as error:
            refused[name] = "; ".join(problem.message for problem in error.problems)
    return Made(tuple(made), refused)


def as_text(guardrail: Guardrail) -> str:
    """The documents as they are handed to the vendor's tool: JSON for AWS, YAML for the others."""
    if all(one.limit is not None for one in guardrail.documents):
        return "\n".join(map(_as_json, guardrail.documents))
    return "---\n".join(_as_yaml(one.content) for one in guardrail.documents)


def _as_json(document: Document) -> str:
    """Indented where that still fits: the API counts every space."""
    indented = json.dumps(document.content, indent=2)
    fits = document.limit is None or len(indented) <= document.limit
    return indented if fits else compact(document.content)


def _as_yaml(content: Mapping[str, Any]) -> str:
    yaml = YAML()
    yaml.width = _WIDTH
    out = StringIO()
    yaml.dump(dict(content), out)  # pyright: ignore[reportUnknownMemberType] - untyped library
    return out.getvalue()
