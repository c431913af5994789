"""Histograms in the text exposition format that Prometheus scrapes."""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """One histogram with a series for each set of labels. Thread-safe.

    Labels must come from closed sets: a series, once there, stays until the process ends.
    """

    def __init__(self, name: str, help_text: str, boundaries: tuple[float, ...]) -> None:
        """`boundaries` are the upper bounds of the buckets, ascending, without infinity."""
        self._name = name
        self._help = help_text
        self._boundaries = boundaries
        self._lock = threading.Lock()
        self._series: dict[Labels, _Series] = {}

    def declare(self, labels: Mapping[str, str]) -> None:
        """Let a series begin at zero, so that its first request shows as an increase."""
        with self._lock:
            self._of(tuple(labels.items()))

    def observe(self, labels: Mapping[str, str], value: float) -> None:
        """Count a value."""
        with self._lock:
            series = self._of(tuple(labels.items()))
            series.buckets[bisect_left(self._boundaries, value)] += 1
            series.total += value

    def lines(self) -> Iterator[str]:
        """The histogram as text, a line at a time, as of one moment."""
        with self._lock:
            seen = [(labels, list(s.buckets), s.total) for labels, s in self._series.items()]
        yield f"# HELP {self._name} {_escaped(self._help)}\n"
        yield f"# TYPE {self._name} histogram\n"
        for labels, buckets, total in seen:
            count = 0
            for bound, fell in zip((*self._boundaries, None), buckets, strict=True):
                count += fell
                upper = "+Inf" if bound is None else repr(float(bound))
                yield f"{self._name}_bucket{_braces((*labels, ('le', upper)))} {count}\n"
            yield f"{self._name}_sum{_braces(labels)} {total!r}\n"
            yield f"{self._name}_count{_braces(labels)} {count}\n"

    def _of(self, labels: Labels) -> "_Series":
        if labels not in self._series:
            self._series[labels] = _Series(len(self._boundaries) + 1)
        return self._series[labels]


class _Series:
    def __init__(self, size: int) -> None:
        self.buckets = [0] * size
        self.total = 0.0


def _braces(labels: Labels) -> str:
    pairs = (f'{name}="{_escaped(value, quoted=True)}"' for name, value in labels)
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str, *, quoted: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quoted else text
