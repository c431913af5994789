"""Where the door sends a request: by weights that may change while the process runs.

The route document is JSON: `{"weights": {"<end>": <percent>, ...}, "ends": {"<end>": {"url": "...",
"key": "..."}, ...}}`. Weights sum to 100; every end with a weight above 0 has its URL and its key.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .jsons import JsonObject, as_object, decode
from .log import write_event

REFRESH_SECONDS = 2.0
"""How old a document may be when a request is sent on by it; then it is read again first."""

_WHOLE = 100
_POINT_BITS = 64


class BadRoutes(Exception):
    """A route document that cannot be used. Its text never holds a key."""


@dataclass(frozen=True)
class End:
    """One service behind the door: its origin and the key that it takes."""

    name: str
    url: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Routes:
    """A route document: percent by end, and the ends that get any."""

    weights: Mapping[str, int]
    ends: Mapping[str, End]


def parse_routes(data: bytes) -> Routes:
    """Read a route document.

    Raises:
        BadRoutes: it is none; says what is wrong without what it holds.
    """
    try:
        document = as_object(decode(data))
    except ValueError:
        document = None
    weights = as_object((document or {}).get("weights"))
    ends = as_object((document or {}).get("ends"))
    if weights is None or ends is None:
        raise BadRoutes('the route document must be JSON with "weights" and "ends"')
    if not all(type(share) is int and 0 <= share <= _WHOLE for share in weights.values()):
        raise BadRoutes("a weight is a whole number of percent, from 0 to 100")
    shares: dict[str, int] = {name: int(str(share)) for name, share in weights.items()}
    if sum(shares.values()) != _WHOLE:
        raise BadRoutes(f"the weights sum to {sum(shares.values())}; they must sum to 100")
    used = [name for name, share in shares.items() if share > 0]
    return Routes(shares, {name: _end(name, ends.get(name)) for name in used})


def _end(name: str, given: object) -> End:
    entry = as_object(given) or {}
    url, key = entry.get("url"), entry.get("key")
    if not isinstance(url, str) or urlsplit(url).scheme not in {"http", "https"}:
        raise BadRoutes(f"the end {name} has no URL")
    if not urlsplit(url).hostname:
        raise BadRoutes(f"the URL of the end {name} names no host")
    if not isinstance(key, str) or not key:
        raise BadRoutes(f"the end {name} has no key")
    return End(name, url.rstrip("/"), key)


def point_of(request_id: str) -> int:
    """Where a request lies among all: the same for the same id, even over all ids. 64 bits."""
    return int.from_bytes(hashlib.sha256(request_id.encode()).digest()[: _POINT_BITS // 8])


def choose(weights: Mapping[str, int], point: int, without: frozenset[str]) -> str | None:
    """The end for a request at `point`, a number below 2**64; None where no end is left.

    Each end gets as large a part of all points as its weight says, in the order of the names. An
    end of weight 0, or in `without`, gets none.
    """
    shares = [(name, weights[name]) for name in sorted(weights) if name not in without]
    place = point * sum(share for _, share in shares) >> _POINT_BITS
    for name, share in shares:
        if place < share:
            return name
        place -= share
    return None


@dataclass
class Count:
    """What happened at one end since the process began."""

    in_flight: int = 0
    requests: int = 0
    failed: int = 0
    retried: int = 0

    def document(self) -> JsonObject:
        """As the door's status shows it."""
        return {
            "in_flight": self.in_flight,
            "requests": self.requests,
            "failed": self.failed,
            "retried": self.retried,
        }


class Lease:
    """A request on its way to one end. `close` must be called once it is over."""

    def __init__(self, end: End, router: "Router") -> None:
        self.end = end
        self._router: Router | None = router

    def close(self, *, failed: bool = False, retried: bool = False) -> None:
        """The request is over; calling it again changes nothing.

        Args:
            failed: the end did not answer, broke its answer off, or answered with 5xx.
            retried: another end was asked in its place.
        """
        router, self._router = self._router, None
        if router is not None:
            router.give_back(self.end.name, failed=failed, retried=retried)


class Router:
    """Chooses an end for each request by the newest document, and counts. Thread-safe.

    `read` returns the document's bytes, or raises OSError. While it cannot be read or used, the last
    good one counts: a door that stops for want of a newer document serves nobody.
    """

    def __init__(
        self,
        read: Callable[[], bytes],
        *,
        refresh_seconds: float = REFRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._reading = threading.Lock()
        self._lock = threading.Lock()
        self._routes = Routes({}, {})
        self._counts: dict[str, Count] = {}
        self._tried_at = float("-inf")
        self._fault: str | None = None

    def load(self) -> None:
        """Read the document now.

        Raises:
            BadRoutes: it cannot be read or used.
        """
        with self._reading:
            self._load()

    def refresh(self, *, now: bool = False) -> None:
        """Read the document again when it is old, or `now`; one that is no good changes nothing.

        While another thread reads it, an ordinary call goes on with what is there.
        """
        if not now and self._clock() - self._tried_at < self._refresh_seconds:
            return
        if not self._reading.acquire(blocking=now):
            return
        try:
            self._load()
        except BadRoutes as error:
            if self._fault != str(error):
                write_event("routes_not_refreshed", "ERROR", reason=str(error))
            self._fault = str(error)
        finally:
            self._reading.release()

    def take(self, request_id: str, without: frozenset[str] = frozenset()) -> Lease | None:
        """An end for the request and a count of it there; None where none is left.

        Choosing and counting are one step: an end seen with weight 0 and nothing in flight stays so.
        """
        with self._lock:
            name = choose(self._routes.weights, point_of(request_id), without)
            if name is None:
                return None
            count = self._counts.setdefault(name, Count())
            count.in_flight += 1
            count.requests += 1
            return Lease(self._routes.ends[name], self)

    def give_back(self, name: str, *, failed: bool, retried: bool) -> None:
        """Count a request at the end `name` as over."""
        with self._lock:
            count = self._counts[name]
            count.in_flight -= 1
            count.failed += failed
            count.retried += retried

    def status(self) -> JsonObject:
        """The weights in use and what was counted at every end, also at those that left."""
        with self._lock:
            names = sorted({*self._routes.weights, *self._counts})
            return {
                "weights": dict(self._routes.weights),
                "ends": {name: self._counts.get(name, Count()).document() for name in names},
                "fault": self._fault,
            }

    def _load(self) -> None:
        self._tried_at = self._clock()
        try:
            routes = parse_routes(self._read())
        except OSError as error:
            raise BadRoutes(f"the route document cannot be read: {error.strerror}") from error
        with self._lock:
            changed = dict(routes.weights) != dict(self._routes.weights)
            self._routes, self._fault = routes, None
        if changed:
            shown = ", ".join(f"{name} {share}" for name, share in sorted(routes.weights.items()))
            write_event("weights", weights=shown)


def file_router(path: str, refresh_seconds: float = REFRESH_SECONDS) -> Router:
    """A router by a file, read once so that a fault shows at start.

    Raises:
        BadRoutes: it cannot be read or used.
    """
    router = Router(Path(path).read_bytes, refresh_seconds=refresh_seconds)
    router.load()
    return router
