"""One way to run a spec: a target, a region, a scaling, what it costs and what it is like."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from portway.errors import Problem
from portway.pricing.charges import pool_of
from portway.pricing.estimate import Estimate, Monthly
from portway.pricing.meter import Held, Meter, PerRequest, Tokens
from portway.pricing.money import SECONDS_PER_MONTH
from portway.pricing.running import running
from portway.pricing.work import Work
from portway.spec.scaling import Scaling
from portway.target import Placement, Plan


class Kind(StrEnum):
    """What is paid for."""

    TOKENS = "tokens"
    FROM_ZERO = "from zero"
    """Instances, while they are there, and none of them without traffic."""
    KEPT_WARM = "kept warm"
    """Some instances always, more of them with traffic."""
    ALWAYS_ON = "always on"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A lawful way to run the spec that serves its traffic and has a price.

    Attributes:
        placement: as its target would place the spec; ``options`` are what this takes.
        meters: of ``plan``; with ``work`` they make ``estimate``, which tells no assumptions here.
        cold_start_seconds: from the first request after a silence to its answer; 0 where it is kept
            warm, None where nobody has published it.
        utilisation: the busy part of the hours that are paid for; None where none are.
    """

    target: str
    region: str
    scaling: Scaling
    placement: Placement
    plan: Plan
    meters: tuple[Meter, ...]
    work: Work
    estimate: Estimate
    monthly: Monthly
    kind: Kind
    cold_start_seconds: int | None
    utilisation: float | None

    @property
    def where(self) -> str:
        """``cloud-run in europe-west4``."""
        return f"{self.target} in {self.region}"


@dataclass(frozen=True)
class Refusal:
    """A place that cannot be advised, and every reason."""

    target: str
    region: str
    reasons: tuple[Problem, ...]


def kind_of(meters: Iterable[Meter], scaling: Scaling) -> Kind:
    """What is paid for, read off the meters."""
    if any(isinstance(one, Tokens) for one in meters):
        return Kind.TOKENS
    if scaling.min == scaling.max:
        return Kind.ALWAYS_ON
    return Kind.KEPT_WARM if scaling.min else Kind.FROM_ZERO


def cold_start_seconds(meters: Iterable[Meter]) -> int | None:
    """The longest first answer after a silence; 0 where what answers is kept warm."""
    found: list[int | None] = []
    for meter in meters:
        if isinstance(meter, Held) and meter.served_by:
            found.append(0 if meter.least else meter.start_seconds)
        elif isinstance(meter, PerRequest):
            found.append(0 if meter.kept else meter.start_seconds)
    known = [one for one in found if one is not None]
    return max(known) if found and len(known) == len(found) else None


def utilisation(meters: Iterable[Meter], work: Work) -> float | None:
    """Busy hours by paid hours, of all that is paid for by the hour."""
    busy = paid = 0.0
    for meter in meters:
        if isinstance(meter, Held):
            ran = running(work.demand, pool_of(meter, work))
            busy += ran.busy_hours * meter.copies
            paid += ran.instance_hours * meter.copies
        elif isinstance(meter, PerRequest) and meter.kept:
            kept = meter.kept * float(SECONDS_PER_MONTH) / 3600
            busy += min(kept, work.requests_per_month * work.request_seconds / 3600)
            paid += kept
    return None if paid <= 0 else busy / paid
