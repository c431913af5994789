"""The embedded CloudWatch: metrics that functions write into their logs (embedded metric format).

``ListMetrics`` and ``GetMetricData`` over the lines of every deployed function, after the same IAM checks as
elsewhere. Simulated: values are exact and there at once (a real metric takes minutes to be listed);
nothing expires; expressions are refused. Of Lambda's own metrics there is ``ConcurrentExecutions``.
"""

import json
import math
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from portway.sandbox.dataplane import cbor
from portway.sandbox.dataplane.amazon_cloud import FUNCTION, Caller, Unsigned, caller, refusal
from portway.sandbox.dataplane.bedrock import ApiError
from portway.sandbox.dataplane.front import BodyTooLarge, Exchange
from portway.sandbox.dataplane.lambda_environment import Function
from portway.sandbox.dataplane.log_entries import LogEntries
from portway.sandbox.dataplane.world import World, items, text
from portway.sandbox.store import Json

OWNER = "cloudwatch"
_SERVICE = "GraniteServiceVersion20100801"
_CBOR = "application/cbor"
_JSON = "application/x-amz-json-1.0"
_PATH = f"/service/{_SERVICE}/operation/"
MAX_BODY_BYTES = 1 << 20
MINUTE_SECONDS = 60

Dimensions = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Point:
    """One value of one metric."""

    namespace: str
    name: str
    dimensions: Dimensions
    at: float
    value: float


class CloudWatch:
    """``monitoring`` of every region at once.

    ``concurrency`` gives, for a function's ARN, the most executions at once by minute (unix seconds).
    """

    def __init__(
        self,
        world: Callable[[], World],
        logs: LogEntries,
        concurrency: Callable[[str], Mapping[int, int]],
    ) -> None:
        self._world = world
        self._logs = logs
        self._concurrency = concurrency

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call, in CBOR (RPC v2) or in JSON, as it was asked."""
        speaks_cbor = exchange.path.startswith(_PATH)
        try:
            status, answer = 200, await self._answer(exchange, speaks_cbor=speaks_cbor)
        except ApiError as error:
            status, answer = error.status, {"__type": error.code, "message": str(error)}
        headers = [("x-amzn-requestid", str(uuid.uuid4()))]
        if speaks_cbor:
            headers.append(("smithy-protocol", "rpc-v2-cbor"))
            await exchange.reply(status, cbor.encode(answer), _CBOR, headers)
        else:
            await exchange.reply(status, json.dumps(answer, default=_epoch), _JSON, headers)

    async def _answer(self, exchange: Exchange, *, speaks_cbor: bool) -> Json:
        target = (exchange.header("x-amz-target") or "").removeprefix(f"{_SERVICE}.")
        operation = exchange.path.removeprefix(_PATH) if speaks_cbor else target
        operations = {"ListMetrics": self._list, "GetMetricData": self._data}
        if operation not in operations:
            message = f"the sandbox's CloudWatch has {' and '.join(operations)} only"
            raise ApiError(400, "UnknownOperationException", message)
        try:
            body = await exchange.body(MAX_BODY_BYTES)
            asked: Any = cbor.decode(body) if speaks_cbor else json.loads(body)
            who = caller(exchange, self._world())
        except Unsigned as error:
            raise ApiError(403, error.code, str(error)) from error
        except (ValueError, BodyTooLarge) as error:
            raise ApiError(400, "SerializationException", "the request cannot be read") from error
        sentence = refusal(self._world(), who, f"cloudwatch:{operation}", "*")
        if sentence is not None:
            raise ApiError(403, "AccessDenied", sentence)
        return operations[operation](cast("Json", asked), list(self._points(who)))

    def _points(self, who: Caller) -> Iterator[Point]:
        """Everything that the functions of the caller's account and region have reported."""
        scope = f"{who.account}:{who.region}"
        for row in self._world().of(FUNCTION):
            if row.key.scope != scope:
                continue
            function = Function.read(row, self._world())
            for entry in self._logs.of(f"lambda-{function.name}"):
                yield from embedded(entry.fields)
            of_function = frozenset({("FunctionName", function.name)})
            for minute, most in self._concurrency(function.arn).items():
                yield Point("AWS/Lambda", "ConcurrentExecutions", of_function, minute, most)

    def _list(self, asked: Json, points: Sequence[Point]) -> Json:
        wanted = [(text(each, "Name"), each.get("Value")) for each in items(asked, "Dimensions")]
        found = {
            (point.namespace, point.name, point.dimensions)
            for point in points
            if text(asked, "Namespace") in ("", point.namespace)
            and text(asked, "MetricName") in ("", point.name)
            and all(
                any(name == n and value in (None, v) for n, v in point.dimensions)
                for name, value in wanted
            )
        }
        metrics = [
            {"Namespace": namespace, "MetricName": name, "Dimensions": _described(dimensions)}
            for namespace, name, dimensions in sorted(found, key=str)
        ]
        return {"Metrics": metrics}

    def _data(self, asked: Json, points: Sequence[Point]) -> Json:
        start, end = _seconds(asked.get("StartTime")), _seconds(asked.get("EndTime"))
        if start >= end:
            raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
        results = [
            _series(query, [point for point in points if start <= point.at < end])
            for query in items(asked, "MetricDataQueries")
        ]
        return {"MetricDataResults": results, "Messages": []}


def embedded(fields: Json) -> Iterator[Point]:
    """What CloudWatch takes from one line; nothing from a line that is not of the format."""
    metadata: Any = fields.get("_aws")
    if not isinstance(metadata, dict):
        return
    described = cast("Json", metadata)
    at = float(described.get("Timestamp") or 0) / 1000
    for directive in items(described, "CloudWatchMetrics"):
        sets: list[list[str]] = directive.get("Dimensions") or []
        for names in sets:
            if not all(isinstance(fields.get(name), str) for name in names):
                continue
            dimensions = frozenset((name, str(fields[name])) for name in names)
            for metric in items(directive, "Metrics"):
                value = fields.get(text(metric, "Name"))
                if isinstance(value, int | float):
                    namespace = text(directive, "Namespace")
                    yield Point(namespace, text(metric, "Name"), dimensions, at, float(value))


def _series(query: Json, points: Sequence[Point]) -> Json:
    stat: Json = query.get("MetricStat") or {}
    if not stat:
        raise _invalid("The sandbox's CloudWatch has no expressions; ask for a MetricStat.")
    metric: Json = stat.get("Metric") or {}
    period = int(stat.get("Period") or 0)
    if period < MINUTE_SECONDS or period % MINUTE_SECONDS:
        raise _invalid("Period must be a multiple of 60.")
    dimensions = {(text(d, "Name"), text(d, "Value")) for d in items(metric, "Dimensions")}
    whose = (text(metric, "Namespace"), text(metric, "MetricName"), frozenset(dimensions))
    periods: dict[int, list[float]] = {}
    for point in points:
        if (point.namespace, point.name, point.dimensions) == whose:
            periods.setdefault(int(point.at // period) * period, []).append(point.value)
    newest_first = sorted(periods.items(), reverse=True)
    return {
        "Id": text(query, "Id"),
        "Label": text(query, "Label") or text(metric, "MetricName"),
        "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in newest_first],
        "Values": [statistic(text(stat, "Stat"), values) for _, values in newest_first],
        "StatusCode": "Complete",
    }


def statistic(name: str, values: Sequence[float]) -> float:
    """One statistic of CloudWatch's over at least one value.

    Raises:
        ApiError: 400, it is none that is known.
    """
    simple: dict[str, Callable[[Sequence[float]], float]] = {
        "SampleCount": lambda every: float(len(every)),
        "Sum": sum,
        "Average": lambda every: sum(every) / len(every),
        "Minimum": min,
        "Maximum": max,
    }
    if name in simple:
        return simple[name](values)
    try:
        share = float(name.removeprefix("p")) / 100 if name.startswith("p") else math.nan
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise _invalid(f"The value {name} for parameter Stat is not supported.")
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def _described(dimensions: Dimensions) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in sorted(dimensions)]


def _seconds(given: object) -> float:
    if isinstance(given, datetime):
        return given.timestamp()
    if isinstance(given, int | float):
        return float(given)
    raise _invalid("StartTime and EndTime are times.")


def _invalid(message: str) -> ApiError:
    return ApiError(400, "InvalidParameterValue", message)


def _epoch(value: datetime) -> float:
    return value.timestamp()
