"""A bill in closed form: what is fixed, what each request adds, what each hour of an instance costs.

It is read off the meters and knows neither charges nor the model of running instances: where both
meet, the estimate and the formula confirm each other.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch

from portway.advice.candidate import Candidate
from portway.pricing.meter import Fixed, Held, Meter, NoCharge, Part, PerRequest, PerUse, Tokens
from portway.pricing.money import HOURS_PER_MONTH
from portway.pricing.rate import Rate, RateTable
from portway.pricing.work import Work

_MILLION = 1_000_000
_HOURS = float(HOURS_PER_MONTH)
_ROUNDS = 60
_CLOSE = 1e-12


@dataclass(frozen=True)
class Credit:
    """What a vendor gives away: ``most`` USD a month, used up by hours and by requests."""

    most: float
    per_hour: float = 0.0
    per_request: float = 0.0


@dataclass(frozen=True)
class Bill:
    """USD a month. ``per_hour`` is of one instance that may also not run; what always runs is fixed.

    Attributes:
        instances: how many may run beyond those that are kept.
        hold_seconds: how long an idle one of them is kept; ``start_seconds``: how long a start takes.
        seconds: from the arrival of a request to the end of its answer.
    """

    fixed: float = 0.0
    per_request: float = 0.0
    per_hour: float = 0.0
    credits: tuple[Credit, ...] = ()
    instances: int = 0
    hold_seconds: float = 0.0
    start_seconds: float = 0.0
    seconds: float = 0.0

    def usd(self, requests: float, hours: float) -> float:
        """For so many requests and hours of instances."""
        given = sum(
            min(one.most, one.per_hour * hours + one.per_request * requests) for one in self.credits
        )
        return self.fixed + self.per_request * requests + self.per_hour * hours - given

    def hours(self, per_second: float) -> float:
        """Hours that the one instance runs with requests at a constant rate: the idle tail."""
        if not self.instances or per_second <= 0:
            return 0.0
        kept = self.hold_seconds + self.seconds
        idle = 1 / (math.exp(min(per_second * kept, 700.0)) + per_second * self.start_seconds)
        return _HOURS * (1 - idle)


def bill_of(candidate: Candidate, rates: RateTable) -> Bill | None:
    """The bill of ``candidate``; None where it has no closed form.

    It has one without instances, with instances that always run, and with a single one that may stop.
    """
    parts = [_bill(meter, candidate.work, rates) for meter in candidate.meters]
    known = [one for one in parts if one is not None]
    if len(known) < len(parts) or sum(one.instances for one in known) > 1:
        return None
    return Bill(
        fixed=sum(one.fixed for one in known),
        per_request=sum(one.per_request for one in known),
        per_hour=sum(one.per_hour for one in known),
        credits=tuple(credit for one in known for credit in one.credits),
        instances=sum(one.instances for one in known),
        hold_seconds=sum(one.hold_seconds for one in known),
        start_seconds=sum(one.start_seconds for one in known),
        seconds=candidate.work.request_seconds,
    )


def instance_hour(meter: Held, rates: RateTable) -> float:
    """USD for one hour of one instance, free tiers aside."""
    return sum(_an_hour(part, meter.region, rates) for part in meter.parts)


@singledispatch
def _bill(meter: Meter, work: Work, rates: RateTable) -> Bill | None:
    raise TypeError(f"no bill for {type(meter).__name__}, with {work} and {rates}")


@_bill.register
def _(meter: NoCharge, work: Work, rates: RateTable) -> Bill | None:
    del meter, work, rates
    return Bill()


@_bill.register
def _(meter: Fixed, work: Work, rates: RateTable) -> Bill | None:
    del work
    rate, given = _rate(meter.sku, meter.region, rates), min(meter.quantity, meter.free_units)
    return Bill(fixed=float(rate.cost(meter.quantity) - rate.cost(given)))


@_bill.register
def _(meter: PerUse, work: Work, rates: RateTable) -> Bill | None:
    units = meter.units_per_request + meter.units_per_output_token * work.output_tokens
    units += meter.units_per_input_token * work.input_tokens
    return Bill(per_request=float(units * _rate(meter.sku, meter.region, rates).amount))


@_bill.register
def _(meter: Tokens, work: Work, rates: RateTable) -> Bill | None:
    read = work.input_tokens * _rate(meter.input_sku, meter.region, rates).amount
    written = work.output_tokens * _rate(meter.output_sku, meter.region, rates).amount
    return Bill(per_request=float(read + written) / _MILLION)


@_bill.register
def _(meter: Held, work: Work, rates: RateTable) -> Bill | None:
    del work
    if meter.copies != 1 or meter.most is None:
        return None
    hourly = instance_hour(meter, rates)
    credits_ = tuple(_credits(meter.parts, meter.region, rates, 3600.0, per="hour"))
    if meter.least == meter.most:
        given = sum(min(c.most, c.per_hour * _HOURS * meter.least) for c in credits_)
        return Bill(fixed=hourly * _HOURS * meter.least - given)
    if meter.least:
        return None
    return Bill(
        per_hour=hourly,
        credits=credits_,
        instances=meter.most,
        hold_seconds=float(meter.hold_seconds),
        start_seconds=float(meter.start_seconds),
    )


@_bill.register
def _(meter: PerRequest, work: Work, rates: RateTable) -> Bill | None:
    if meter.kept or (meter.transfer_sku and work.output_tokens > _MOST_UNSTREAMED):
        return None
    request = float(_rate(meter.request_sku, meter.region, rates).amount) / _MILLION
    seconds = work.request_seconds
    a_second = sum(_an_hour(part, meter.region, rates) / 3600 for part in meter.parts)
    free = Credit(request * meter.free_requests, per_request=request)
    return Bill(
        per_request=request + a_second * seconds,
        credits=(*_credits(meter.parts, meter.region, rates, seconds, per="request"), free),
    )


_MOST_UNSTREAMED = 20_000
"""Output tokens below which no streamed byte is billed (six megabytes are free)."""


def _credits(
    parts: tuple[Part, ...], region: str, rates: RateTable, seconds: float, *, per: str
) -> Iterator[Credit]:
    for part in parts:
        if part.free_units:
            rate = part.declared or _rate(part.sku, region, rates)
            most = float(part.free_units * rate.amount)
            used = _an_hour(part, region, rates) / 3600 * seconds
            yield Credit(most, per_hour=used) if per == "hour" else Credit(most, per_request=used)


def _an_hour(part: Part, region: str, rates: RateTable) -> float:
    rate = part.declared or _rate(part.sku, region, rates)
    return float(part.units * rate.amount) * 3600 / part.per_seconds


def _rate(sku: str, region: str, rates: RateTable) -> Rate:
    found = rates.find(sku, region)
    if found is None:
        raise LookupError(f"{sku} has no rate in {region}; only what has a price is compared")
    return found


def rate_for_hours(bill: Bill, hours: float) -> float:
    """Requests a second at which the one instance of ``bill`` runs ``hours`` a month.

    The inverse of ``Bill.hours``: exp(rate * kept) + rate * start = 1 / (1 - hours / month), by Newton.
    """
    part = hours / _HOURS
    if part <= 0:
        return 0.0
    if part >= 1:
        return math.inf
    kept, start, wanted = bill.hold_seconds + bill.seconds, bill.start_seconds, 1 / (1 - part)
    found = math.log(wanted) / kept
    for _ in range(_ROUNDS):
        grown = math.exp(found * kept)
        step = (grown + found * start - wanted) / (kept * grown + start)
        found -= step
        if abs(step) <= _CLOSE * found:
            break
    return found


def requests_at_equal_cost(left: Bill, right: Bill) -> float | None:
    """Requests a month at which both bills are equal; None where they never are, or nothing is known.

    Known are two bills without instances that stop, and one that stops against one that does not.
    """
    if left.instances and right.instances:
        return None
    if right.instances:
        left, right = right, left
    return _with_instance(left, right) if left.instances else _straight(left, right)


def _straight(left: Bill, right: Bill) -> float | None:
    """Two straight lines, but for what is free: those credits count that are used up, or used in part."""
    requests = 0.0
    for _ in range(_ROUNDS):
        fixed, slope = right.fixed - left.fixed, left.per_request - right.per_request
        for sign, one in ((1, left), (-1, right)):
            for credit in one.credits:
                if credit.per_request * requests >= credit.most:
                    fixed += sign * credit.most
                else:
                    slope -= sign * credit.per_request
        if slope == 0 or fixed / slope <= 0:
            return None
        found = fixed / slope
        if abs(found - requests) <= _CLOSE * found:
            break
        requests = found
    return requests


def _with_instance(stops: Bill, other: Bill) -> float | None:
    """The hours that the difference of both bills pays for, then the requests that make them run."""
    requests = 0.0
    for _ in range(_ROUNDS):
        free = sum(credit.most for credit in stops.credits) - sum(c.most for c in other.credits)
        paid = other.fixed - stops.fixed + (other.per_request - stops.per_request) * requests + free
        per_second = rate_for_hours(stops, paid / stops.per_hour)
        found = per_second * 3600 * _HOURS
        if found <= 0 or math.isinf(found):
            return None
        if abs(found - requests) <= _CLOSE * found:
            break
        requests = found
    return requests
