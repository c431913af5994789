"""No program is told to work in a region outside: by a variable, an argument, a document or a field.

A client of a cloud goes where its region setting says, whatever host it will make of it. Read are
settings of every cloud's workloads, and, in custom resources of a cluster, every field that is called
a region, a location or a zone: by those, operators create things in a cloud and send them there.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from portway.gate.context import ResidencyContext
from portway.gate.nodes import regions_in
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.settings import Kind, Setting, settings
from portway.gate.values import UNKNOWN, shown, steps
from portway.gate.workloads import anatomy, is_object, plain

_PLACE: Final = re.compile(
    r"(?i)(?:^|[_./-])(?:regions?|locations?|zones?|failure_?domains?)$"
    r"|(?-i:[a-z0-9](?:Region|Location|Zone|FailureDomain)s?$)"
)
_CLOUDS_OWN: Final = re.compile(r"(?i)google|gcp|gcloud|vertex|genai|aiplatform|bedrock|aws")
"""Whose settings may hold ``global`` or ``us``; elsewhere such a word may be anything."""

_AREAS: Final = frozenset({"global", "us", "eu", "europe", "asia"})
_NOT_GONE_TO: Final = re.compile(
    r"(?i)den(?:y|ied)|block|exclu|forbid|not_?allowed|except|time_?zone|hosted_?zone|dns"
)
_BUCKET_AT: Final = re.compile(r"(?i)(?:s3|cos|oss)://[\w.-]+@(?P<region>[a-z0-9-]+)/")
_LINE: Final = re.compile(
    r"(?im)^[ \t]*(?P<key>\w*(?:region|location|zone))[ \t]+(?P<value>[\w-]+)[ \t\r]*$"
)
"""Fluent Bit and Fluentd write a name and its value with nothing but space between."""

_CORE: Final = re.compile(
    r"kubernetes:(?:[a-z]+/v\d\w*|(?:[a-z.]+\.)?k8s\.io/v\d\w*|helm\.sh/v\d|kustomize(?:/v\d)?|yaml(?:/v\d)?):"
)
"""Kinds that every cluster has. Their places are judged by rules of their own."""


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse each setting that names a place outside, once for every property."""
    if context.boundary is None:
        return
    said: set[str] = set()
    for setting in (*settings(resource), *_fields(resource)):
        if setting.path in said:
            continue
        found = _fault(setting, resource, context, stack)
        if found is not None:
            said.add(setting.path)
            yield found


def _fault(
    setting: Setting, resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Violation | None:
    boundary = context.boundary
    if boundary is None:
        return None
    if setting.value is None:
        return _unknown(setting, resource, stack) if _names_a_place(setting.name) else None
    for place in _places(setting.name, setting.value):
        if not boundary.contains(place):
            text = (
                f"tells a program to work in {shown(place)} ({setting.path}), outside the boundary"
            )
            message = f"{resource} {text} {boundary}; name a region inside it"
            return Violation(message, resource.urn, setting.path)
    return None


def _unknown(setting: Setting, resource: Resource, stack: Stack | None) -> Violation | None:
    """A place that something of this stack gives is where that is."""
    if stack is None:
        return None
    urns = (resource.depends_on or {}).get(str(steps(setting.path)[0]), ())
    if any(urn in stack.by_urn for urn in urns):
        return None
    text = (
        f"tells a program to work in a place that is known only after deployment ({setting.path})"
    )
    message = f"{resource} {text}; make it a literal"
    return Violation(message, resource.urn, setting.path, undetermined=True)


@lru_cache(maxsize=8192)
def _names_a_place(name: str) -> bool:
    return _PLACE.search(name) is not None and _NOT_GONE_TO.search(name) is None


@lru_cache(maxsize=2048)
def _places(name: str, value: str) -> tuple[str, ...]:
    """The places that a setting sends a program to; none where its name means something else."""
    value = value.strip()
    if "://" in value and "@" in value:
        return tuple(place for one in _BUCKET_AT.findall(value) for place in regions_in(one))
    if "\n" in value:
        lines = _LINE.findall(value)
        return tuple(place for key, text in lines for place in _places(key, text))
    if not _names_a_place(name):
        return ()
    found: list[str] = []
    for part in filter(None, re.split(r"[,;\s]+", value.strip().lower())):
        region = regions_in(part)
        if (region and re.fullmatch(rf"{re.escape(region[0])}(?:-?[a-z])?", part)) or (
            part in _AREAS and _CLOUDS_OWN.search(name)
        ):
            found.append(part)
    return tuple(found)


def _fields(resource: Resource) -> Iterator[Setting]:
    """Values of a custom resource whose names stand beside them, and call them a place."""
    if not is_object(resource) or _CORE.match(resource.type):
        return
    for block in anatomy(resource).blocks:
        called = plain(block.value.get("name"))
        # A name that nobody knows may be that of a region.
        called = "region" if called is UNKNOWN else called
        if isinstance(called, str) and "value" in block.value and _names_a_place(called):
            given = plain(block.value["value"])
            text = given if isinstance(given, str) else None
            yield Setting(block.at("value"), called, text, Kind.DOCUMENT)


RULE = Rule(
    id="residency-settings-name-places-inside",
    severity=Severity.HIGH,
    description="No program is told, by a variable, argument or field, to work in a region outside.",
    remediation="Name a region inside the boundary.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.14",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 AC-4",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge,
)
