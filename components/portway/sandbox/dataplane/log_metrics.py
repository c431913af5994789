"""Log-based metrics of Cloud Logging: which entries count, and the distributions that they make.

The filter language as far as metrics on request lines need it: comparisons (``=``, ``!=``, ``<``, ``<=``, ``>``,
``>=``, ``:``, ``=~``, ``!~``) joined by ``AND``. Anything else is refused.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from portway.sandbox.dataplane.log_entries import Entry
from portway.sandbox.dataplane.world import child, text
from portway.sandbox.store import Json, Row

METRIC = "gcp:logging/metric:Metric"
SERIES_RESOURCE = "cloud_run_revision"
_COMPARISON = re.compile(
    r'\s*(?P<path>[A-Za-z_][\w.]*)\s*(?P<operator>=~|!~|!=|<=|>=|=|<|>|:)\s*'
    r'(?P<value>"(?:[^"\\]|\\.)*"|[^\s()"]+)\s*'
)  # fmt: skip
_AND = re.compile(r"AND\b|(?=[A-Za-z_])")
_EXTRACT = re.compile(r"EXTRACT\(\s*([A-Za-z_][\w.]*)\s*\)")


class BadFilter(Exception):
    """A filter or extractor that cannot be read."""


@dataclass(frozen=True)
class Comparison:
    """One comparison of a filter."""

    path: str
    operator: str
    value: str

    def holds(self, entry: Json) -> bool:
        """Whether ``entry`` has the field, as the filter wants it."""
        found = lookup(entry, self.path)
        if found is None:
            return self.operator in ("!=", "!~")
        if self.operator in ("<", "<=", ">", ">="):
            return _ordered(self.operator, found, self.value)
        said = str(found).lower() if isinstance(found, bool) else str(found)
        known: Mapping[str, Callable[[], bool]] = {
            "=": lambda: said == self.value or _equal(found, self.value),
            "!=": lambda: said != self.value and not _equal(found, self.value),
            ":": lambda: self.value.lower() in said.lower(),
            "=~": lambda: re.search(self.value, said) is not None,
            "!~": lambda: re.search(self.value, said) is None,
        }
        return known[self.operator]()


def read_filter(text_of: str) -> tuple[Comparison, ...]:
    """A filter as its comparisons, all of which must hold.

    Raises:
        BadFilter: it is none that is known.
    """
    found: list[Comparison] = []
    at, text_of = 0, text_of.strip()
    while at < len(text_of):
        if found:
            joined = _AND.match(text_of, at)
            if joined is None:
                raise BadFilter(f"cannot read the filter from {text_of[at : at + 40]!r}")
            at = joined.end()
        match = _COMPARISON.match(text_of, at)
        if match is None:
            raise BadFilter(f"cannot read the filter from {text_of[at : at + 40]!r}")
        value = match["value"]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found.append(Comparison(match["path"], match["operator"], value))
        at = match.end()
    return tuple(found)


def lookup(entry: Json, path: str) -> object:
    """The value at a dotted path; None where there is none."""
    value: Any = entry
    for name in path.split("."):
        value = cast("Json", value).get(name) if isinstance(value, dict) else None
    return value


@dataclass
class Distribution:
    """A distribution with explicit buckets: values below the first bound fall into the first."""

    bounds: Sequence[float]
    count: int = 0
    total: float = 0.0
    buckets: list[int] = field(default_factory=list[int])

    def add(self, value: float) -> None:
        """Count a value."""
        self.buckets = self.buckets or [0] * (len(self.bounds) + 1)
        self.buckets[bisect_right(self.bounds, value)] += 1
        self.count += 1
        self.total += value

    def as_json(self) -> Json:
        """As Cloud Monitoring writes it: counts as text, trailing empty buckets left out."""
        counts = list(self.buckets)
        while counts and not counts[-1]:
            counts.pop()
        return {
            "count": str(self.count),
            "mean": self.total / self.count if self.count else 0.0,
            "bucketOptions": {"explicitBuckets": {"bounds": list(self.bounds)}},
            "bucketCounts": [str(count) for count in counts],
        }


class LogMetric:
    """One deployed log-based metric."""

    def __init__(self, row: Row) -> None:
        """Read it.

        Raises:
            BadFilter: its filter or an extractor cannot be read.
        """
        described = child(row.inputs, "metricDescriptor")
        self.name = text(row.inputs, "name")
        self.unit = text(described, "unit") or "1"
        self._filter = read_filter(text(row.inputs, "filter"))
        extractors = child(row.inputs, "labelExtractors")
        self._labels = {name: _path(str(given)) for name, given in extractors.items()}
        given = text(row.inputs, "valueExtractor")
        self._value = _path(given) if given else None
        buckets = child(child(row.inputs, "bucketOptions"), "explicitBuckets")
        self.bounds = tuple(float(bound) for bound in buckets.get("bounds") or ())

    def value_of(self, entry: Json) -> float | None:
        """What an entry counts as; None where it does not count."""
        if not all(each.holds(entry) for each in self._filter):
            return None
        if self._value is None:
            return 1.0
        try:
            return float(str(lookup(entry, self._value)))
        except ValueError:
            return None

    def labels_of(self, entry: Json) -> tuple[tuple[str, str], ...]:
        """The labels of the series that an entry belongs to; one that is absent is empty."""
        found = {name: lookup(entry, path) for name, path in self._labels.items()}
        return tuple((name, "" if value is None else str(value)) for name, value in found.items())


def entries_of(
    service: Row, entries: Sequence[Entry], name: str, location: str
) -> list[tuple[float, Json]]:
    """A service's lines as Cloud Logging keeps them, with their times."""
    labels = {
        "project_id": service.key.scope,
        "service_name": name,
        "configuration_name": name,
        "location": location,
    }
    return [
        (
            entry.at,
            {
                "resource": {"type": SERIES_RESOURCE, "labels": labels},
                "severity": text(entry.fields, "severity") or "DEFAULT",
                "logName": f"projects/{service.key.scope}/logs/run.googleapis.com%2Fstdout",
                "jsonPayload": entry.fields,
            },
        )
        for entry in entries
    ]


def _path(extractor: str) -> str:
    match = _EXTRACT.fullmatch(extractor.strip())
    if match is None:
        raise BadFilter(f"the sandbox reads EXTRACT(field) only, not {extractor[:80]!r}")
    return match[1]


def _equal(found: object, value: str) -> bool:
    try:
        return not isinstance(found, bool | str) and float(str(found)) == float(value)
    except ValueError:
        return False


def _ordered(operator: str, found: object, value: str) -> bool:
    try:
        left, right = float(str(found)), float(value)
    except ValueError:
        return False
    return {
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right,
    }[operator]  # fmt: skip
