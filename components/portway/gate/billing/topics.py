"""What is billed of a topic: by its requests, but for one that only tells of alarms."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from portway.gate.resource import Resource, Stack
from portway.gate.values import Known
from portway.pricing.meter import Meter, NoCharge

_TELLING: Final = (
    "aws:cloudwatch/metricAlarm:*",
    "aws:cloudwatch/compositeAlarm:*",
    "aws:budgets/*",
    "aws:costexplorer/anomalySubscription:*",
)
_ABOUT: Final = ("aws:sns/*",)


def topic(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """Nothing for a topic of alarms; no meters for any other, which its rows describe."""
    users = [one.type for one in stack.resources if _uses(one, resource)] if stack else []
    telling = [one for one in users if any(fnmatchcase(one, glob) for glob in _TELLING)]
    others = [one for one in users if not any(fnmatchcase(one, glob) for glob in _ABOUT)]
    if telling and len(telling) == len(others):
        yield NoCharge(resource.name, "topic", given["because"])


def _uses(one: Resource, topic: Resource) -> bool:
    if any(topic.urn in urns for urns in (one.depends_on or {}).values()):
        return True
    arn = topic.properties.get("arn")
    return isinstance(arn, Known) and any(text.value == arn.value for text in one.properties.texts)
