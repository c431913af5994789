"""What the page on signals shows is what the runtime writes, the stores are given and the verb prints."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from portway.cli import status
from portway.observability import (
    EMF_DIMENSIONS,
    READINGS,
    SIGNALS,
    VARIABLE,
    Instrument,
    emf_namespace,
    emf_variable,
    log_metric_name,
    prometheus_name,
    prometheus_variable,
)
from portway.runtime.log import Record
from portway.status.deployed import Service
from portway.status.figures import Figures, Used
from portway.status.read import Read

PAGE = (Path(__file__).parents[1] / "docs" / "observability.md").read_text()
SHOWN = re.search(r"^\$ portway status.*?\n(.*?)^```", PAGE, re.M | re.S)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first header is ``heading``."""
    table = re.search(rf"^\| {re.escape(heading)} \|.*?\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]


def test_the_signals_are_those_that_there_are() -> None:
    expected = [
        [
            each.key,
            f"`{each.instrument.name}`",
            each.instrument.unit,
            f"`{each.by}`" if each.by else "",
        ]
        for each in SIGNALS
    ]
    assert rows("signal") == expected


def test_the_names_in_each_store_are_those_that_are_given() -> None:
    expected: list[list[str]] = []
    seen: list[Instrument] = []
    for reading in READINGS:
        if reading.instrument not in seen:
            seen.append(reading.instrument)
    for instrument in seen:
        names = ", ".join(f"`{r.name}`" for r in READINGS if r.instrument is instrument)
        expected.append([f"`{instrument.name}`", names, f"`{prometheus_name(instrument)}`"])
    assert rows("convention") == expected
    stack = "<service>-<environment>"
    assert f"`{log_metric_name(stack, READINGS[0]).rpartition('/')[0]}/`" in PAGE
    assert f"`{emf_namespace(stack)}`" in PAGE
    assert all(f"`{dimension}`" in PAGE for dimension in EMF_DIMENSIONS)


def test_the_variables_are_those_that_targets_set() -> None:
    told = [
        value
        for given in (prometheus_variable(9464), emf_variable("chat-prod"))
        for value in given.values()
    ]
    assert [cell[0] for cell in rows(f"`{VARIABLE}`")] == [
        *(f"`{each}`" for each in told),
        "not set",
    ]


def test_the_line_that_is_shown_has_the_fields_of_a_line() -> None:
    shown = re.search(r"^```json\n(.*?)^```", PAGE, re.M | re.S)
    assert shown is not None
    found: Any = json.loads(shown[1])
    assert list(found) == list(Record("r", "POST", "/v1/chat/completions").line())


def printed(read: Read, used: Used | None = None, unread: str = "") -> list[str]:
    outputs = {
        "service": "chat", "model": "ministral-3-8b", "target": "cloud-run",
        "region": "europe-west4", "endpoint": "http://127.0.0.1:45019",
    }  # fmt: skip
    service = Service(outputs, "2026-11-22T09:28:00Z", None, None)
    on = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    on.print(status.signal_table(service, read, "1h", used, unread))
    on.file.close()
    return [line.rstrip() for line in on.export_text().splitlines()]


def test_the_output_that_is_shown_is_what_the_verb_prints() -> None:
    assert SHOWN is not None
    figures = Figures(
        requests=6, errors={"context_length_exceeded": 1, "invalid_api_key": 1},
        first_token_p50_seconds=0.015, first_token_p95_seconds=0.019,
        input_tokens=32, output_tokens=32, instances=1,
    )  # fmt: skip

    def undated(lines: list[str]) -> list[str]:
        return [re.sub(r", \d+ \w+ ago$", "", line) for line in lines]

    shown = SHOWN[1].splitlines()[1:]
    assert undated(printed(Read("Cloud Monitoring", figures))) == undated(shown)


@pytest.mark.parametrize(
    ("used", "unread", "line"),
    [
        (Used("2026-11", {"requests": 3, "tokens": 9}, {"requests": 5}), "", "2026-11: 3 of 5 requests"),
        (Used("2026-11", {"micro_usd": 1_500_000}, {"micro_usd": 10_000_000}), "", "2026-11: 1.50 of 10.00 USD"),
        (None, "its meter is inside the cluster", "its meter is inside the cluster"),
    ],
)  # fmt: skip
def test_the_meters_month_is_said_with_its_limits(
    used: Used | None, unread: str, line: str
) -> None:
    assert printed(Read("Prometheus", Figures()), used, unread)[-1] == f"meter        {line}"


@pytest.mark.parametrize(
    ("since", "seconds"), [("1m", 60), ("15m", 900), ("2h", 7200), ("30d", 2592000)]
)
def test_a_while_is_minutes_hours_or_days(since: str, seconds: int) -> None:
    assert status.seconds_of(since) == seconds
