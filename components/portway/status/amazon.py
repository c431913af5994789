"""The signals from CloudWatch (metrics embedded in a function's log), and the meter's month from DynamoDB."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from portway.errors import Missing
from portway.observability import DURATION, EMF_DIMENSIONS, FIRST_TOKEN, TOKENS
from portway.status.access import Access
from portway.status.deployed import Embedded, Metered
from portway.status.documents import member
from portway.status.figures import COUNTED, Figures

NAME = "CloudWatch"
_ERROR = "error.type"
_MINUTE_SECONDS = 60
_MOST_PAGES = 50

Series = tuple[str, tuple[tuple[str, str], ...]]


def read_signals(kept: Embedded, since_seconds: int, access: Access) -> Figures:
    """The signals of the last ``since_seconds``, in whole minutes.

    Raises:
        Missing: CloudWatch cannot be read.
    """
    client = access.aws_client("cloudwatch", kept.region)
    try:
        return _read(kept, since_seconds, client)
    except Exception as error:  # noqa: BLE001 - the SDK's errors share no base worth importing
        raise failure(NAME, error) from None
    finally:
        client.close()


def at_once(region: str, function: str, since_seconds: int, access: Access) -> int:
    """The most executions of a function at once.

    Raises:
        Missing: CloudWatch cannot be read.
    """
    client = access.aws_client("cloudwatch", region)
    try:
        return _at_once(_Asked(client, "", since_seconds), function)
    except Exception as error:  # noqa: BLE001 - the SDK's errors share no base worth importing
        raise failure(NAME, error) from None
    finally:
        client.close()


def _at_once(asked: "_Asked", function: str) -> int:
    series = ("ConcurrentExecutions", (("FunctionName", function),))
    return round(max(asked.values(series, "Maximum", "AWS/Lambda"), default=0))


def read_meter(metered: Metered, month: str, access: Access) -> dict[str, int]:
    """What the meter counted in ``month``.

    Raises:
        Missing: DynamoDB cannot be read.
    """
    table, region = metered.store["table"], metered.store["region"]
    client = access.aws_client("dynamodb", region)
    try:
        key = {"id": {"S": f"{metered.service}#{month}"}}
        answer: object = client.get_item(TableName=table, Key=key)
    except Exception as error:  # noqa: BLE001 - as above
        raise failure("DynamoDB", error) from None
    finally:
        client.close()
    return {name: int(member(answer, "Item", name).get("N") or 0) for name in COUNTED}


def _read(kept: Embedded, since_seconds: int, client: Any) -> Figures:  # noqa: ANN401 - the SDK has no types
    listed = list(_listed(client, kept.namespace))
    asked = _Asked(client, kept.namespace, since_seconds)
    durations = [each for each in listed if each[0] == DURATION.name]
    by_class = {dict(d)[_ERROR]: (n, d) for n, d in durations if _ERROR in dict(d)}
    usual = [each for each in listed if {name for name, _ in each[1]} == {*EMF_DIMENSIONS}]

    def total(metric: str, stat: str) -> float:
        return sum(sum(asked.values(each, stat)) for each in usual if each[0] == metric)

    def worst(stat: str) -> float | None:
        # Periods begin where the clock says: a while may lie in two of them, and no percentile adds up.
        found = [asked.values(each, stat) for each in usual if each[0] == FIRST_TOKEN.name]
        return max((value for values in found for value in values), default=None)

    errors = {
        name: round(sum(asked.values(each, "SampleCount"))) for name, each in by_class.items()
    }
    return Figures(
        requests=round(total(DURATION.name, "SampleCount")),
        errors={name: count for name, count in sorted(errors.items()) if count},
        first_token_p50_seconds=worst("p50"),
        first_token_p95_seconds=worst("p95"),
        input_tokens=round(total(f"{TOKENS.name}.input", "Sum")),
        output_tokens=round(total(f"{TOKENS.name}.output", "Sum")),
        instances=_at_once(asked, kept.function),
    )


def _listed(client: Any, namespace: str) -> Iterable[Series]:  # noqa: ANN401 - the SDK has no types
    """Every metric of a namespace with its dimensions."""
    query: dict[str, str] = {"Namespace": namespace}
    for _ in range(_MOST_PAGES):
        page: Any = client.list_metrics(**query)
        for metric in page["Metrics"]:
            dimensions = tuple((d["Name"], d["Value"]) for d in metric["Dimensions"])
            yield metric["MetricName"], dimensions
        if not page.get("NextToken"):
            return
        query = {**query, "NextToken": page["NextToken"]}


class _Asked:
    """Values of one while."""

    def __init__(self, client: Any, namespace: str, since_seconds: int) -> None:  # noqa: ANN401 - the SDK has no types
        self._client = client
        self._namespace = namespace
        self._period = -(-since_seconds // _MINUTE_SECONDS) * _MINUTE_SECONDS
        self._end = datetime.now(UTC)

    def values(self, series: Series, stat: str, namespace: str = "") -> list[float]:
        """One value for each period that the while touches."""
        name, dimensions = series
        metric: Mapping[str, object] = {
            "Namespace": namespace or self._namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
        }
        query = {
            "Id": "asked",
            "MetricStat": {"Metric": metric, "Period": self._period, "Stat": stat},
        }
        answer: Any = self._client.get_metric_data(
            MetricDataQueries=[query],
            StartTime=self._end - timedelta(seconds=self._period),
            EndTime=self._end,
        )
        return [float(value) for value in answer["MetricDataResults"][0]["Values"]]


def failure(what: str, error: Exception) -> Missing:
    """The SDK's failure as a sentence; it never holds a key."""
    response: object = getattr(error, "response", None)
    code = str(member(response, "Error").get("Code") or type(error).__name__)
    said = re.sub(r"\s+", " ", str(error))[:300]
    if "Credentials" in code:
        said = "there are no credentials; log in as for the AWS command line"
    return Missing(f"{what} cannot be read: {code}: {said}")
