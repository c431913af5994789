"""Whether a resource stands in an environment that people only try things in.

What it says of itself counts first (a tag or a label), then what its provider puts on everything,
then what is configured of its stack, then the stack's name. A stack with a service of Portway's is
called ``service.environment.target``; called anything else, its name says nothing. ``dev`` alone says
little: it is what Pulumi calls a first stack, whatever becomes of it.
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final, cast

from portway.gate.context import CostContext
from portway.gate.links import of_types
from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.values import Known, View, document

_TRIAL: Final = re.compile(
    r"(?:dev|devel|develop|development|test|tests|testing|tst|qa|uat|staging|stage|stg|sandbox|sbx"
    r"|preview|review|demo|poc|playground|scratch|ephemeral|experiment|pr)\d*"
)
_REAL: Final = re.compile(r"(?:prod|production|prd|live)\d*")
_WORDS: Final = re.compile(r"[a-z]+\d*|\d+")
_KEYS: Final = re.compile(r"(?i)(?:.*[/:._-])?(?:env|environment|stage)")
_LABELS: Final = (
    "tags", "labels", "userLabels", "resourceLabels", "settings.userLabels", "metadata.labels",
    "template.labels", "nodeConfig.resourceLabels",
)  # fmt: skip
_DEFAULTS: Final = ("defaultTags", "defaultLabels")
_PARTS: Final = 3
_FIRST: Final = "dev"
_LONGEST: Final = 256
"""Of a name, in characters: what is longer than any stack or tag can be is not worth the time."""


class Trial(Enum):
    """Whether people only try things somewhere."""

    YES = auto()
    PERHAPS = auto()
    NO = auto()


def trial(resource: Resource, context: CostContext, stack: Stack | None) -> Trial:
    """Whether ``resource`` is in a development, test or staging environment, as far as is said.

    Before the whole stack is known its name is not read: a service may yet come.
    """
    for said in environments_said(resource):
        verdict = _verdict(said)
        if verdict is not None:
            return Trial.YES if verdict else Trial.NO
    name = stack_name(resource.urn)
    for pattern, what in context.environments:
        if fnmatchcase(name, pattern):
            return Trial.YES if what == "trial" else Trial.NO
    if stack is None:
        return Trial.NO
    if of_types(stack, (SERVICE_TYPE,)):
        parts = name.split(".")
        name = parts[-2] if len(parts) == _PARTS else ""
    elif name == _FIRST:
        return Trial.PERHAPS
    return Trial.YES if _verdict(name) else Trial.NO


def stack_name(urn: str) -> str:
    """``chat.dev.cloud-run`` of ``urn:pulumi:chat.dev.cloud-run::project::type::name``."""
    return urn.removeprefix("urn:pulumi:").partition("::")[0]


def environments_said(resource: Resource) -> Iterator[str]:
    """What its tags or labels say its environment is, then those of its provider."""
    for name, value in labels(resource):
        if _KEYS.fullmatch(name) and isinstance(value, str):
            yield value


def labels(resource: Resource) -> Iterator[tuple[str, object]]:
    """Tags and labels by name: its own, then those that its provider puts on everything.

    Tags are a mapping, or (autoscaling groups) a list of ``key`` and ``value``.
    """
    yield from _under(resource.properties, _LABELS)
    if resource.provider is not None:
        yield from _under(resource.provider.properties, _DEFAULTS)


def _under(view: View, paths: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    for path in paths:
        for seen in view.every(path):
            if isinstance(seen, Known):
                yield from _pairs(document(seen.value))


def _pairs(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        said = cast("Mapping[object, object]", value)
        inner = document(said.get("tags"))
        for name, one in (
            cast("Mapping[object, object]", inner) if isinstance(inner, Mapping) else said
        ).items():
            yield str(name), one
    elif isinstance(value, list | tuple):
        for one in cast("list[object]", value):
            if isinstance(one, Mapping):
                pair = cast("Mapping[object, object]", one)
                yield str(pair.get("key")), pair.get("value")


@lru_cache(maxsize=1024)
def _verdict(name: str) -> bool | None:
    """True for a name of a trial, False for that of production, None for every other."""
    words = _WORDS.findall(name.lower()) if len(name) <= _LONGEST else []
    if any(_REAL.fullmatch(word) for word in words):
        return False
    return True if any(_TRIAL.fullmatch(word) for word in words) else None
