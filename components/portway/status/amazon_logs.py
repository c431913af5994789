"""The signals from CloudWatch Logs: the request lines of a function that embeds no metrics in them."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from portway.errors import Missing
from portway.observability import OPERATION, OPERATION_FIELD, READINGS
from portway.status.access import Access
from portway.status.amazon import at_once, failure
from portway.status.deployed import Logged
from portway.status.documents import Json, member, members
from portway.status.figures import Figures

NAME = "CloudWatch Logs"
_DURATION, _FIRST_TOKEN, _INPUT, _OUTPUT = (reading.field for reading in READINGS)
_ERROR = dict(READINGS[0].attributes)["error.type"]
_MOST_LINES = 500_000


def read_signals(kept: Logged, since_seconds: int, access: Access) -> Figures:
    """The signals of the last ``since_seconds``, counted line by line.

    Raises:
        Missing: CloudWatch Logs cannot be read, or holds more lines than are read one by one.
    """
    client = access.aws_client("logs", kept.region)
    try:
        lines = list(_lines(client, kept.group, since_seconds))
    except Missing:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK's errors share no base worth importing
        raise failure(NAME, error) from None
    finally:
        client.close()
    errors: dict[str, int] = {}
    for line in lines:
        if line.get(_ERROR):
            errors[str(line[_ERROR])] = errors.get(str(line[_ERROR]), 0) + 1
    first = sorted(_numbers(lines, _FIRST_TOKEN))
    return Figures(
        requests=len(list(_numbers(lines, _DURATION))),
        errors=dict(sorted(errors.items())),
        first_token_p50_seconds=_percentile(0.5, first),
        first_token_p95_seconds=_percentile(0.95, first),
        input_tokens=round(sum(_numbers(lines, _INPUT))),
        output_tokens=round(sum(_numbers(lines, _OUTPUT))),
        instances=at_once(kept.region, kept.function, since_seconds, access),
    )


def _lines(client: Any, group: str, since_seconds: int) -> Iterator[Json]:  # noqa: ANN401 - the SDK has no types
    now = datetime.now(UTC)
    query: dict[str, Any] = {
        "logGroupName": group,
        "startTime": int((now - timedelta(seconds=since_seconds)).timestamp() * 1000),
        "endTime": int(now.timestamp() * 1000) + 1,
        "filterPattern": f'{{ $.{OPERATION_FIELD} = "{OPERATION}" }}',
    }
    count = 0
    while True:
        page: Any = client.filter_log_events(**query)
        for event in members(page.get("events")):
            yield _parsed(str(event.get("message")))
            count += 1
        if not page.get("nextToken"):
            return
        if count > _MOST_LINES:
            raise Missing(
                f"{group} holds more than {_MOST_LINES:,} requests in that while; give a shorter "
                "--since, or let the function write metrics"
            )
        query["nextToken"] = page["nextToken"]


def _parsed(message: str) -> Json:
    try:
        return member(json.loads(message))
    except ValueError:
        return {}


def _numbers(lines: list[Json], field: str) -> Iterator[float]:
    return (float(line[field]) for line in lines if isinstance(line.get(field), int | float))


def _percentile(share: float, ordered: list[float]) -> float | None:
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None
