"""What nobody declared: how long a request takes, and what a reader must know of an estimate."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from portway.models import Model
from portway.pricing.demand import Demand, demand
from portway.pricing.meter import Fixed, Held, Meter, PerRequest, PerUse, Tokens
from portway.pricing.money import SECONDS_PER_MONTH
from portway.pricing.work import Work
from portway.spec.traffic import Traffic

NO_TRAFFIC = Traffic(requests_per_day=0)
_Speed = Annotated[float, Field(gt=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Engine(_Frozen):
    """How fast a GPU, or a vendor's token API, answers one request.

    Attributes:
        output_tokens_per_second: of one request; None on a GPU, where it follows from the weights.
        bandwidth_gb_per_second: of a GPU's memory.
        reached: the part of that bound which a measurement reached.
        input_tokens_per_second: how fast a prompt is read.
        wait_seconds: before anything happens.
    """

    output_tokens_per_second: _Speed | None = None
    bandwidth_gb_per_second: _Speed | None = None
    reached: _Speed = 1.0
    input_tokens_per_second: _Speed
    wait_seconds: Annotated[float, Field(ge=0)]
    grade: Literal["derived", "unconfirmed"]
    source: str


class _Shared(_Frozen):
    factor: _Speed
    source: str


class _Table(_Frozen):
    as_of: str
    note: str
    engines: Mapping[str, Engine]
    shared: _Shared


@dataclass(frozen=True)
class _Pace:
    """Output tokens a second of one request, and the sentence that says why."""

    per_second: float
    because: str


def work_of(traffic: Traffic | None, model: Model, meters: Iterable[Meter]) -> Work:
    """The work of a month.

    Args:
        traffic: what the spec declares; None is no request at all, of the default size.
        model: the weights, whose size says how fast a GPU can write.
        meters: the plan's, which say what answers.
    """
    declared = traffic or NO_TRAFFIC
    served_by = next((one for one in meters if _engine_of(one)), None)
    if served_by is None:
        return _work(declared, demand(declared), 0.0, "no model answers in this plan")
    engine = engines()[_engine_of(served_by)]
    pace = _pace(declared, model, served_by, engine)
    seconds = (
        engine.wait_seconds
        + declared.input_tokens / engine.input_tokens_per_second
        + declared.output_tokens / pace.per_second
    )
    said = (
        f"a request takes {seconds:.1f} s: {declared.input_tokens} input tokens read at "
        f"{engine.input_tokens_per_second:g} a second, {declared.output_tokens} output tokens written "
        f"at {pace.per_second:.1f} a second ({pace.because}), {engine.wait_seconds:g} s of waiting"
    )
    return _work(declared, demand(declared), seconds, said)


def _work(traffic: Traffic, arrivals: Demand, seconds: float, said: str) -> Work:
    return Work(arrivals, seconds, traffic.input_tokens, traffic.output_tokens, (said,))


def _pace(traffic: Traffic, model: Model, meter: Meter, engine: Engine) -> _Pace:
    if traffic.output_tokens_per_second is not None:
        return _Pace(traffic.output_tokens_per_second, "traffic.output_tokens_per_second")
    if engine.output_tokens_per_second is not None:
        return _Pace(engine.output_tokens_per_second, f"{engine.grade}; {engine.source}")
    bound = (engine.bandwidth_gb_per_second or 0.0) / float(model.weights_gb)
    is_shared = isinstance(meter, Held) and meter.concurrency > 1
    factor = engine.reached * (_table().shared.factor if is_shared else 1.0)
    because = (
        f"{engine.grade} for {model.id} on one {_engine_of(meter)}; "
        "traffic.output_tokens_per_second overrides it"
    )
    return _Pace(bound * factor, because)


def sentences(meters: Iterable[Meter], work: Work) -> tuple[str, ...]:
    """What a reader must know of the estimate of ``meters``: machines, holding, assumed amounts."""
    listed = tuple(meters)
    said = (*work.assumptions, *_of_room(listed, work), *_sentences(listed, work))
    return tuple(dict.fromkeys(said))


def _of_room(meters: Iterable[Meter], work: Work) -> Iterator[str]:
    """That requests are turned away, where more come than fit."""
    places = [one.most for one in meters if isinstance(one, PerRequest | Tokens | PerUse)]
    most = min((one for one in places if one is not None), default=None)
    if most is None or work.request_seconds <= 0:
        return
    room = most * float(SECONDS_PER_MONTH) / work.request_seconds
    if work.requests_per_month > room:
        yield (
            f"of {work.requests_per_month:,.0f} requests a month {room:,.0f} fit into {most} at once: "
            "the others are turned away and cost nothing; raise scaling.max"
        )


def _sentences(meters: tuple[Meter, ...], work: Work) -> Iterator[str]:
    for meter in meters:
        match meter:
            case Held():
                yield f"{meter.resource}: {meter.shape}"
                yield from _of_held(meter)
            case PerRequest():
                yield f"{meter.resource}: {meter.shape}"
                yield f"{meter.resource} is billed while it waits for the model's answer"
            case Tokens():
                yield _of_tokens(meter, work)
            case Fixed() | PerUse() if meter.assumed:
                yield meter.assumed
            case _:
                continue


def _of_held(meter: Held) -> Iterator[str]:
    if meter.most == meter.least or not meter.parts:
        return
    yield (
        f"an idle instance may be kept up to {meter.hold_seconds} s: expected counts all of it, "
        "expected_low none"
    )
    yield f"an instance that starts is billed for {meter.start_seconds} s before its first answer"


def _of_tokens(meter: Tokens, work: Work) -> str:
    size = f"{work.input_tokens} input and {work.output_tokens} output tokens"
    room = (
        f"{meter.most} requests at once, one after another all month, each of {size} in "
        f"{work.request_seconds:.1f} s"
    )
    uses = (
        (meter.monthly_requests, "requests"),
        (meter.monthly_tokens, "tokens"),
    )
    limits = [f"{most:,} {what}" for most, what in uses if most is not None]
    if meter.monthly_budget_usd is not None:
        limits.append(f"{meter.monthly_budget_usd:,.2f} USD")
        return (
            f"the ceiling of tokens is what the runtime's meter lets through in a month "
            f"({', '.join(limits)}), or {room} where that is less"
        )
    limited = f"the meter lets {' and '.join(limits)} a month through, and " if limits else ""
    return f"the ceiling of tokens is {room}; {limited}no budget is enforced: larger requests cost more"


def _engine_of(meter: Meter) -> str:
    return meter.served_by if isinstance(meter, Held | Tokens) else ""


@cache
def engines() -> Mapping[str, Engine]:
    """What can answer, by the name that meters use."""
    return _table().engines


@cache
def _table() -> _Table:
    text = files("portway.pricing").joinpath("throughput.json").read_text(encoding="utf-8")
    return _Table.model_validate(json.loads(text, parse_float=float))
