"""The little of Prometheus's query language that dashboards of counters and histograms need.

``increase`` and ``rate`` over a range, ``sum``, ``max`` and ``count`` of a vector (``by`` labels), ``histogram_quantile``, and
plain selectors. Unlike Prometheus, a range is not extrapolated and a series that begins inside it begins at zero,
so that counts are exact.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]

_SELECTOR = re.compile(r"\s*([a-zA-Z_:][\w:]*)?\s*(?:\{([^}]*)\})?\s*")
_MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_RANGE = re.compile(r"\[\s*((?:\d+[smhd])+)\s*\]\s*")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGGREGATION = re.compile(r"\s*(sum|max|count)\s*(?:by\s*\(([^)]*)\)\s*)?\(")
_FUNCTION = re.compile(r"\s*(increase|rate)\s*\(")
_QUANTILE = re.compile(r"\s*histogram_quantile\s*\(\s*([0-9.]+)\s*,")
_COMBINE: Mapping[str, Callable[[list[float]], float]] = {
    "sum": sum, "max": max, "count": lambda every: float(len(every)),
}  # fmt: skip


class BadQuery(Exception):
    """An expression that is not known here."""


@dataclass(frozen=True)
class Sample:
    """A value of a series from ``at`` (unix seconds) until its next one."""

    at: float
    value: float


class Series:
    """Samples by series; ``live`` says whether a series is still scraped."""

    def __init__(self) -> None:
        self._samples: dict[Labels, list[Sample]] = {}
        self._gone: set[Labels] = set()

    def add(self, name: str, labels: Mapping[str, str], at: float, value: float) -> None:
        """Note a value; one that has not changed takes no room."""
        key = (("__name__", name), *sorted(labels.items()))
        samples = self._samples.setdefault(key, [])
        self._gone.discard(key)
        if not samples or samples[-1].value != value:
            samples.append(Sample(at, value))

    def end(self, label: str, value: str) -> None:
        """Note that nothing with this label is scraped any more."""
        self._gone |= {key for key in self._samples if (label, value) in key}

    def select(self, wanted: "Selector") -> Iterator[tuple[Labels, list[Sample], bool]]:
        """Every series that ``wanted`` takes, its samples, and whether it is still scraped."""
        for key, samples in self._samples.items():
            if wanted.takes(dict(key)):
                yield key, samples, key not in self._gone


@dataclass(frozen=True)
class Selector:
    """Matchers, all of which must hold."""

    matchers: tuple[tuple[str, str, str], ...]

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether a series is meant."""
        return all(_matches(labels.get(name, ""), how, value) for name, how, value in self.matchers)


def evaluate(query: str, series: Series, now: float) -> Vector:
    """The instant vector that ``query`` is at ``now``.

    Raises:
        BadQuery: it is none that is known here.
    """
    parser = _Parser(query, series, now)
    found = parser.vector()
    if parser.at != len(query):
        raise BadQuery(f"unexpected {query[parser.at :][:40]!r}")
    return found


class _Parser:
    def __init__(self, query: str, series: Series, now: float) -> None:
        self._query = query
        self._series = series
        self._now = now
        self.at = 0

    def vector(self) -> Vector:
        if match := self._take(_QUANTILE):
            inner = self._closed(self.vector)
            return quantiles(float(match[1]), inner)
        if match := self._take(_AGGREGATION):
            by = [name.strip() for name in (match[2] or "").split(",") if name.strip()]
            return _aggregated(_COMBINE[match[1]], by, self._closed(self.vector))
        if match := self._take(_FUNCTION):
            increases, seconds = self._closed(self._range)
            share = 1 / seconds if match[1] == "rate" else 1
            return {key: value * share for key, value in increases.items()}
        found = self._series.select(self._selector())
        return {key: samples[-1].value for key, samples, live in found if live}

    def _range(self) -> tuple[Vector, float]:
        selector = self._selector()
        match = self._take(_RANGE)
        if match is None:
            raise BadQuery("a range such as [5m] is missing")
        parts = re.findall(r"(\d+)([smhd])", match[1])
        seconds = float(sum(int(number) * _UNITS[unit] for number, unit in parts))
        start = self._now - seconds
        found = self._series.select(selector)
        return {_unnamed(key): _increase(samples, start) for key, samples, _ in found}, seconds

    def _selector(self) -> Selector:
        match = self._take(_SELECTOR)
        if match is None or not match[0].strip():
            raise BadQuery(f"a metric was expected at {self._query[self.at :][:40]!r}")
        matchers = [("__name__", "=", match[1])] if match[1] else []
        inside, at = match[2] or "", 0
        while at < len(inside.rstrip()):
            one = _MATCHER.match(inside, at)
            if one is None:
                raise BadQuery(f"cannot read the matcher {inside[at:][:40]!r}")
            matchers.append((one[1], one[2], re.sub(r"\\(.)", r"\1", one[3])))
            at = one.end()
        return Selector(tuple(matchers))

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._query, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def _closed(self, inner: Callable[[], T]) -> T:
        found = inner()
        if self._take(re.compile(r"\s*\)\s*")) is None:
            raise BadQuery(f"a ) was expected at {self._query[self.at :][:40]!r}")
        return found


def _increase(samples: list[Sample], start: float) -> float:
    """How much a counter grew since ``start``; where it fell, it was reset."""
    before, total = 0.0, 0.0
    for sample in samples:
        if sample.at >= start:
            total += sample.value - before if sample.value >= before else sample.value
        before = sample.value
    return total


def _aggregated(combine: Callable[[list[float]], float], by: list[str], vector: Vector) -> Vector:
    groups: dict[Labels, list[float]] = {}
    for key, value in vector.items():
        labels = dict(key)
        group = tuple((name, labels[name]) for name in sorted(by) if labels.get(name))
        groups.setdefault(group, []).append(value)
    return {group: combine(values) for group, values in groups.items()}


def quantiles(share: float, vector: Vector) -> Vector:
    """The quantile of each histogram in ``vector``, by linear interpolation inside its bucket."""
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for key, count in vector.items():
        rest = tuple((name, value) for name, value in key if name != "le")
        upper = dict(key).get("le")
        if upper is not None:
            histograms.setdefault(rest, []).append((float(upper), count))
    return {key: _quantile(share, sorted(buckets)) for key, buckets in histograms.items()}


def _quantile(share: float, buckets: list[tuple[float, float]]) -> float:
    total = buckets[-1][1] if buckets else 0.0
    if not total or buckets[-1][0] != math.inf:
        return math.nan
    rank, lower, below = share * total, 0.0, 0.0
    for upper, count in buckets:
        if count >= rank:
            if upper == math.inf:
                return lower
            return lower + (upper - lower) * (
                (rank - below) / (count - below) if count > below else 0
            )
        lower, below = upper, count
    return lower


def _matches(found: str, how: str, value: str) -> bool:
    if how in ("=", "!="):
        return (found == value) is (how == "=")
    return (re.fullmatch(value, found) is not None) is (how == "=~")


def _unnamed(key: Labels) -> Labels:
    return tuple((name, value) for name, value in key if name != "__name__")
