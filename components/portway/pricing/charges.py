"""Meters and work to charges: how many units of what, in each of the four cases. Knows no price."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import singledispatch

from portway.pricing.estimate import ZERO, Charge, Quantities
from portway.pricing.meter import Fixed, Held, Meter, NoCharge, Part, PerRequest, PerUse, Tokens
from portway.pricing.money import SECONDS_PER_MONTH
from portway.pricing.running import Pool, running
from portway.pricing.work import Work

_MILLION = Decimal(1_000_000)
_BYTES_PER_TOKEN = 5
"""Of a streamed chunk's text; its frame is a hundred times that, and is counted too."""
_FRAME_BYTES_PER_TOKEN = 250
_FREE_STREAMED_BYTES = 6 * 1024 * 1024
_GIB = Decimal(1024**3)


class Unbounded(Exception):
    """A meter has no maximum, so the ceiling is not a number. ``resource`` says which."""

    def __init__(self, resource: str) -> None:
        """Args: ``resource``: what has no maximum."""
        super().__init__(f"{resource} declares no maximum, so it has no ceiling; set one")
        self.resource = resource


def charges(meters: Iterable[Meter], work: Work) -> tuple[Charge, ...]:
    """The charges of every meter.

    Raises:
        Unbounded: one of them has no maximum.
    """
    return tuple(charge for meter in meters for charge in _charges(meter, work))


def pool_of(meter: Held, work: Work) -> Pool:
    """One pool of what is held, as it serves ``work``.

    Raises:
        Unbounded: it has no maximum.
    """
    if meter.most is None:
        raise Unbounded(meter.resource)
    return Pool(
        meter.least,
        meter.most,
        meter.concurrency,
        work.request_seconds,
        float(meter.hold_seconds),
        float(meter.start_seconds),
    )


@singledispatch
def _charges(meter: Meter, work: Work) -> Iterator[Charge]:
    raise TypeError(f"no arithmetic for {type(meter).__name__}, with {work}")


@_charges.register
def _(meter: Fixed, work: Work) -> Iterator[Charge]:
    del work
    quantity = Quantities.always(meter.quantity)
    charge = Charge(meter.resource, meter.item, meter.sku, meter.region, quantity)
    yield from _with_credit(charge, meter.free_units)


@_charges.register
def _(meter: NoCharge, work: Work) -> Iterator[Charge]:
    del work
    quantity = Quantities.always(ZERO)
    yield Charge(meter.resource, meter.item, None, "", quantity, because=meter.because)


@_charges.register
def _(meter: Held, work: Work) -> Iterator[Charge]:
    pool = pool_of(meter, work)
    expected = _seconds(running(work.demand, pool).instance_hours)
    released = _seconds(running(work.demand, replace(pool, hold_seconds=0.0)).instance_hours)
    seconds = Quantities(
        floor=meter.least * SECONDS_PER_MONTH,
        # Releasing at once may start so often that it saves nothing; it never costs more.
        expected_low=min(released, expected),
        expected=expected,
        ceiling=(pool.most + meter.beside) * SECONDS_PER_MONTH,
    ).times(Decimal(meter.copies))
    yield from _of_parts(meter.resource, meter.region, meter.parts, seconds)


@_charges.register
def _(meter: PerRequest, work: Work) -> Iterator[Charge]:
    requests = _requests(meter.resource, meter.most, work)
    busy = requests.times(_decimal(work.request_seconds))
    kept = meter.kept * SECONDS_PER_MONTH
    warm = Quantities(*(min(one, kept) for one in busy.each()))
    cold = Quantities(*(all_ - first for all_, first in zip(busy.each(), warm.each(), strict=True)))
    yield from _of_parts(meter.resource, meter.region, meter.parts, cold)
    if meter.kept:
        yield from _of_parts(meter.resource, meter.region, meter.warm_parts, warm)
        always = Quantities.always(kept)
        yield from _of_parts(meter.resource, meter.region, meter.kept_parts, always)
    yield from _with_credit(
        Charge(
            meter.resource,
            "requests",
            meter.request_sku,
            meter.region,
            requests.times(1 / _MILLION),
        ),
        Decimal(meter.free_requests) / _MILLION,
    )
    if meter.transfer_sku:
        beyond = max(_streamed_bytes(work) - _FREE_STREAMED_BYTES, ZERO)
        moved = requests.times(beyond / _GIB)
        yield Charge(meter.resource, "streamed bytes", meter.transfer_sku, meter.region, moved)


@_charges.register
def _(meter: Tokens, work: Work) -> Iterator[Charge]:
    let_through = _let_through(meter, work)
    fit = _requests(meter.resource, meter.most, work)
    requests = (
        fit if let_through is None else Quantities(*(min(n, let_through) for n in fit.each()))
    )
    for item, sku, tokens in (
        ("input tokens", meter.input_sku, work.input_tokens),
        ("output tokens", meter.output_sku, work.output_tokens),
    ):
        used = requests.times(tokens / _MILLION)
        most = meter.monthly_budget_usd
        yield Charge(meter.resource, item, sku, meter.region, used, at_most_usd=most)


@_charges.register
def _(meter: PerUse, work: Work) -> Iterator[Charge]:
    requests = _requests(meter.resource, meter.most, work)
    each = meter.units_per_request + meter.units_per_output_token * work.output_tokens
    each += meter.units_per_input_token * work.input_tokens
    yield Charge(meter.resource, meter.item, meter.sku, meter.region, requests.times(each))


def _let_through(meter: Tokens, work: Work) -> Decimal | None:
    """Requests a month that enforced limits let reach the model; None without a limit."""
    size = work.input_tokens + work.output_tokens
    by_tokens = None if meter.monthly_tokens is None else meter.monthly_tokens / Decimal(size)
    by_number = None if meter.monthly_requests is None else Decimal(meter.monthly_requests)
    return min((one for one in (by_tokens, by_number) if one is not None), default=None)


def _requests(resource: str, most: int | None, work: Work) -> Quantities:
    """Requests a month. No more are ever served than fit, one after another, into ``most`` places."""
    if most is None:
        raise Unbounded(resource)
    room = most * SECONDS_PER_MONTH / _decimal(max(work.request_seconds, 0.001))
    served = min(_decimal(work.requests_per_month), room)
    return Quantities(ZERO, served, served, room)


def _of_parts(
    resource: str, region: str, parts: Iterable[Part], seconds: Quantities
) -> Iterator[Charge]:
    for part in parts:
        quantity = Quantities(*(one * part.units / part.per_seconds for one in seconds.each()))
        charge = Charge(resource, part.item, part.sku, region, quantity, declared=part.declared)
        yield from _with_credit(charge, part.free_units)


def _with_credit(charge: Charge, free: Decimal) -> Iterator[Charge]:
    """The charge, and what of it the vendor gives away: never counted where it must hold at most."""
    yield charge
    if free:
        used = charge.quantity
        given = Quantities(
            -min(used.floor, free), -min(used.expected_low, free), -min(used.expected, free), ZERO
        )
        yield replace(charge, item=f"{charge.item}, free tier", quantity=given, credit=True)


def _streamed_bytes(work: Work) -> Decimal:
    return Decimal(work.output_tokens * (_BYTES_PER_TOKEN + _FRAME_BYTES_PER_TOKEN))


def _seconds(hours: float) -> Decimal:
    return _decimal(hours * 3600)


def _decimal(value: float) -> Decimal:
    """To the thousandth: below what any vendor meters, and the same on every machine."""
    return Decimal(value).quantize(Decimal("0.001"))
