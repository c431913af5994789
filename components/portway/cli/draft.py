"""A spec and a stack that are about to be written, and their text."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portway.errors import BadInput, Problem

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]*( [A-Za-z0-9._/@-]+)*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_TRUTH = ("true", "false")
_DOOR = "door"
_NOT_TEXT = re.compile(r"(?i)null|true|false|yes|no|on|off|y|n|[-+.\d_xobe]+")


@dataclass(frozen=True)
class Draft:
    """What the flags and the answers say so far; None and empty where nothing was said."""

    name: str | None
    model: str | None
    target: str | None
    region: str | None
    cluster: str | None
    environment: str
    residency: tuple[str, ...]
    minimum: int | None
    maximum: int | None
    concurrency: int | None
    auth: str | None
    reach: str | None
    budget: str | None
    options: Mapping[str, str]
    settings: Mapping[str, str]
    monthly_requests: int | None = None
    monthly_tokens: int | None = None
    alert_emails: tuple[str, ...] = ()
    door: str | None = None
    ends: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Draft":
        """The draft that flags describe.

        Raises:
            BadInput: an ``--option`` or a ``--config`` that is not KEY=VALUE.
        """
        pairs: dict[str, Any] = {
            "options": _pairs("--option", given["options"]),
            "settings": _pairs("--config", given["settings"]),
        }
        return cls(**{**given, **pairs})

    @property
    def stack_name(self) -> str:
        """``<service>.<environment>.<target>``, or ``….door``."""
        return f"{self.name}.{self.environment}.{_DOOR if self.door else self.target}"

    @property
    def describes_a_spec(self) -> bool:
        """Whether any flag was given that belongs to a spec and not to a stack."""
        numbers = (self.minimum, self.maximum, self.concurrency)
        texts = (self.model, self.auth, self.reach, self.residency)
        has_numbers = any(number is not None for number in numbers)
        return has_numbers or any(texts) or bool(self.budget_fields)

    @property
    def budget_fields(self) -> Mapping[str, str]:
        """What is said of the budget, as it is written in the spec."""
        emails = f"[{', '.join(self.alert_emails)}]" if self.alert_emails else None
        given = {
            "monthly_usd": self.budget or None,
            "monthly_requests": self.monthly_requests,
            "monthly_tokens": self.monthly_tokens,
            "alert_emails": emails,
        }
        return {name: str(value) for name, value in given.items() if value is not None}

    def spec_path(self, folder: Path) -> Path:
        """Where the spec is, or will be."""
        return folder / "specs" / f"{self.name}.yaml"

    def stack_path(self, folder: Path) -> Path:
        """Where the stack file will be."""
        return folder / f"Pulumi.{self.stack_name}.yaml"


def spec_text(draft: Draft) -> str:
    """The spec's file."""
    scaling = {
        "min": str(draft.minimum or 0),
        "max": str(1 if draft.maximum is None else draft.maximum),
        "concurrency": str(8 if draft.concurrency is None else draft.concurrency),
    }
    lines = [
        f"name: {_scalar(draft.name)}",
        f"model: {_scalar(draft.model)}",
        f"scaling: {_flow(scaling)}",
        f"access: {_flow({'auth': draft.auth or 'api-key', 'reach': draft.reach or 'public'})}",
    ]
    if draft.residency:
        names = ", ".join(_scalar(name) for name in draft.residency)
        lines.append(f"residency: {names if len(draft.residency) == 1 else f'[{names}]'}")
    if draft.budget_fields:
        lines.append(f"budget: {_flow(draft.budget_fields)}")
    return "\n".join(lines) + "\n"


def stack_text(draft: Draft) -> str:
    """The stack's file."""
    key, first = ("door", "kind") if draft.door else ("placement", "target")
    where = [f"{first}: {_scalar(draft.door or draft.target)}", f"region: {_scalar(draft.region)}"]
    if draft.cluster:
        where.append(f"cluster: {_scalar(draft.cluster)}")
    if draft.door:
        shares = {end: "0" if number else "100" for number, end in enumerate(draft.ends)}
        where.append(f"weights: {_flow(shares)}")
    if draft.options:
        where.append(f"options: {_flow(draft.options)}")
    lines = [
        "config:",
        f"  portway:spec: {_scalar(f'specs/{draft.name}.yaml')}",
        f"  portway:{key}: {{{', '.join(where)}}}",
        *(f"  {_scalar_key(key)}: {_scalar(value)}" for key, value in draft.settings.items()),
    ]
    return "\n".join(lines) + "\n"


def _flow(values: Mapping[str, str]) -> str:
    inside = (f"{_scalar_key(key)}: {_value(value)}" for key, value in values.items())
    return f"{{{', '.join(inside)}}}"


def _value(text: str) -> str:
    """Numbers and truth values as they are, ``[a, b]`` as a list, everything else as text."""
    if text.startswith("[") and text.endswith("]"):
        items = (item.strip() for item in text[1:-1].split(","))
        return f"[{', '.join(_value(item) for item in items if item)}]"
    return text if _NUMBER.fullmatch(text) or text in _TRUTH else _scalar(text)


def _scalar(text: str | None) -> str:
    """``text`` as a YAML scalar that reads back as text; JSON's quotes are YAML's."""
    if text and _PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text):
        return text
    return json.dumps(text or "", ensure_ascii=False)


def _scalar_key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z][\w-]*(:[A-Za-z][\w.-]*)?", text) else json.dumps(text)


def _pairs(flag: str, texts: Iterable[str]) -> Mapping[str, str]:
    pairs = [text.partition("=") for text in texts]
    problems = [
        Problem(flag, f"is {key!r}; write KEY=VALUE")
        for key, equals, _ in pairs
        if not (key and equals)
    ]
    if problems:
        raise BadInput(problems)
    return {key: value for key, _, value in pairs}
