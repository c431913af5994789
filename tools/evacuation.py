"""A region fails and thousands of services move: how long it takes, and which order saves most. Pure.

Every service is down from the start. A move is a number of calls to the API of a destination, which takes them one
after another at its limit, and then a start before the first answer. Moves in progress are limited by the engines that
drive them, GPUs by the quota of a destination. What fits nowhere waits until the region is back.
"""

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True)
class Destination:
    """Where services can go.

    Attributes:
        gpus: what the quota leaves; None where none are needed.
        services: the most it takes at all; None without a limit.
        calls: to its API, for one service.
        calls_per_second: the limit of its API.
        start_seconds: from the last call to the first answer.
    """

    name: str
    gpus: int | None
    services: int | None
    calls: int
    calls_per_second: float
    start_seconds: float


@dataclass(frozen=True)
class Service:
    """One service that is down.

    Attributes:
        requests_per_second: what is lost while it is.
        gpus: it needs at a destination that has them.
        fits: names of the destinations that honour its spec.
    """

    name: str
    requests_per_second: float
    gpus: int
    fits: frozenset[str]


@dataclass(frozen=True)
class Limits:
    """What does not depend on a destination: engines at work at once, and the length of the outage."""

    engines: int
    outage_seconds: float


@dataclass(frozen=True)
class Move:
    """One service that answers again at ``ready_seconds``, at a destination."""

    service: Service
    destination: str
    begun_seconds: float
    called_seconds: float
    ready_seconds: float


@dataclass(frozen=True)
class Evacuation:
    """What became of all services.

    Attributes:
        moves: in the order in which they began.
        stranded: those that found no place, and wait for the region.
    """

    moves: tuple[Move, ...]
    stranded: tuple[Service, ...]
    outage_seconds: float

    @property
    def lost_requests(self) -> float:
        """Over the outage: each service's own, until it answers again."""
        until = [(one.service, min(one.ready_seconds, self.outage_seconds)) for one in self.moves]
        until += [(one, self.outage_seconds) for one in self.stranded]
        return sum(service.requests_per_second * seconds for service, seconds in until)

    def restored(self) -> list[tuple[float, float]]:
        """``(seconds, part of all traffic that is answered)``, at each service that answers again."""
        services = [*(move.service for move in self.moves), *self.stranded]
        total = sum(service.requests_per_second for service in services)
        done = sorted(self.moves, key=lambda one: (one.ready_seconds, one.service.name))
        parts = accumulate(one.service.requests_per_second for one in done)
        return [(one.ready_seconds, part / total) for one, part in zip(done, parts, strict=True)]

    def seconds_until(self, part: float) -> float | None:
        """When ``part`` of the traffic is answered again; None where it never is."""
        return next((at for at, answered in self.restored() if answered >= part - 1e-12), None)


Order = Callable[[Service, Mapping[str, Destination]], tuple[float, str]]
"""What services are sorted by: the smallest first."""


def by_name(service: Service, destinations: Mapping[str, Destination]) -> tuple[float, str]:
    """As a list of stacks is: whatever comes first."""
    del destinations
    return 0.0, service.name


def busiest(service: Service, destinations: Mapping[str, Destination]) -> tuple[float, str]:
    """Most requests first."""
    del destinations
    return -service.requests_per_second, service.name


def busiest_per_gpu(service: Service, destinations: Mapping[str, Destination]) -> tuple[float, str]:
    """Most requests for each GPU first: GPUs are what there is least of."""
    del destinations
    return -service.requests_per_second / max(service.gpus, 1), service.name


def smallest(service: Service, destinations: Mapping[str, Destination]) -> tuple[float, str]:
    """Fewest GPUs first: as many services as possible."""
    del destinations
    return float(service.gpus), service.name


def soonest(service: Service, destinations: Mapping[str, Destination]) -> tuple[float, str]:
    """Shortest move first, whatever it answers."""
    return _seconds(service, destinations), service.name


def most_saved(service: Service, destinations: Mapping[str, Destination]) -> tuple[float, str]:
    """Most requests for each second of an API's time first: Smith's rule, the best for one machine."""
    return -service.requests_per_second / _seconds(service, destinations, start=False), service.name


ORDERS: Mapping[str, Order] = {
    "as listed": by_name,
    "busiest": busiest,
    "busiest per GPU": busiest_per_gpu,
    "fewest GPUs": smallest,
    "shortest move": soonest,
    "most saved per second": most_saved,
}


def _seconds(
    service: Service, destinations: Mapping[str, Destination], *, start: bool = True
) -> float:
    """Of the shortest of its moves on its own."""
    return min(
        destinations[name].calls / destinations[name].calls_per_second
        + (destinations[name].start_seconds if start else 0.0)
        for name in service.fits
    )


class _Room:
    """A destination while it fills."""

    def __init__(self, of: Destination) -> None:
        self.of = of
        self.gpus, self.services = of.gpus, of.services
        self.free_at_seconds = 0.0

    def takes(self, service: Service) -> bool:
        """Whether the service still fits."""
        has_gpus = self.gpus is None or self.gpus >= service.gpus
        return service.gpus >= 0 and has_gpus and (self.services is None or self.services > 0)

    def called_at(self, begun_seconds: float) -> float:
        """When its calls would be done, behind those that wait already."""
        begun = max(begun_seconds, self.free_at_seconds)
        return begun + self.of.calls / self.of.calls_per_second

    def take(self, service: Service, begun_seconds: float) -> Move:
        """Let the service in."""
        called = self.called_at(begun_seconds)
        self.free_at_seconds = called
        self.gpus = None if self.gpus is None else self.gpus - service.gpus
        self.services = None if self.services is None else self.services - 1
        ready = called + self.of.start_seconds
        return Move(service, self.of.name, begun_seconds, called, ready)


def evacuate(
    services: Sequence[Service], destinations: Sequence[Destination], limits: Limits, order: Order
) -> Evacuation:
    """Move every service, in ``order``, each to where it answers soonest of what still has room."""
    known = {one.name: one for one in destinations}
    rooms = {one.name: _Room(one) for one in destinations}
    free = [0.0] * limits.engines
    moves: list[Move] = []
    stranded: list[Service] = []
    for service in sorted(services, key=lambda one: order(one, known)):
        open_rooms = [rooms[name] for name in sorted(service.fits) if rooms[name].takes(service)]
        if not open_rooms:
            stranded.append(service)
            continue
        begun = heapq.heappop(free)
        room = min(open_rooms, key=lambda one: one.called_at(begun) + one.of.start_seconds)
        moves.append(room.take(service, begun))
        heapq.heappush(free, moves[-1].ready_seconds)
    return Evacuation(tuple(moves), tuple(stranded), limits.outage_seconds)


def fleet(count: int, seed: int, *, managed_part: float, cluster_part: float) -> list[Service]:
    """Services as fleets are: few are busy, most are not, and not every model is sold everywhere.

    Args:
        count: how many.
        seed: of everything that is drawn.
        managed_part: of services whose model a vendor's token API has.
        cluster_part: of services that a cluster of ours may run.
    """
    draw = random.Random(seed)  # noqa: S311 - a simulation, which must repeat
    found: list[Service] = []
    for number in range(count):
        fits = {"cloud-run"}
        fits |= {"lambda-bedrock"} if draw.random() < managed_part else set()
        fits |= {"kubernetes"} if draw.random() < cluster_part else set()
        rate = draw.lognormvariate(-2.0, 1.6)
        gpus = min(8, 1 + int(draw.expovariate(1.2)))
        found.append(Service(f"service-{number:05d}", rate, gpus, frozenset(fits)))
    return found
