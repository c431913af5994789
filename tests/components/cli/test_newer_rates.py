"""Rates that a project keeps in ``policies/rates`` count in place of those that are shipped."""

import json
from collections.abc import Mapping

import pytest

from support.command_line import CommandLine
from support.desk import SPEC, STACK, STACK_NAME, Desk

TRAFFIC = "traffic: {requests_per_day: 2000, input_tokens: 600, output_tokens: 200}\n"
FILE = "policies/rates/paper.json"
ROW = {
    "sku": "sheet", "regions": ["us-paper1"], "unit": "hour", "amount": "0.25", "source": "our contract",
    "as_of": "2026-11-20", "grade": "list",
}  # fmt: skip


def kept(**changes: object) -> Mapping[str, str]:
    row = {key: value for key, value in {**ROW, **changes}.items() if value is not None}
    return {FILE: json.dumps({"as_of": "2026-11-20", "rates": [row]})}


def test_a_region_without_a_shipped_rate_is_priced_by_the_projects_own(
    desk: Desk, portway: CommandLine
) -> None:
    desk.stack(spec=SPEC + TRAFFIC, stack=STACK.replace("europe-paper1", "us-paper1"))
    assert portway("price", STACK_NAME).code == 1
    desk.write(kept())
    ran = portway("price", STACK_NAME, "--json")
    assert (ran.code, ran.json["monthly"]["ceiling"]) == (0, "365.00")
    line = ran.json["lines"][0]
    assert (line["rate"], line["rate_source"]) == ("0.25", "our contract")


def test_the_projects_rate_counts_in_its_own_region_only(desk: Desk, portway: CommandLine) -> None:
    desk.stack(spec=SPEC + TRAFFIC)
    desk.write(kept())
    assert portway("price", STACK_NAME, "--json").json["monthly"]["ceiling"] == "730.00"


def test_rates_are_listed_with_those_of_the_project(desk: Desk, portway: CommandLine) -> None:
    desk.write(kept())
    rows = portway("rates", "--target", "paper", "--json").json["rates"]
    assert {row["region"]: row["amount"] for row in rows if row["sku"] == "sheet"} == {
        "europe-paper1": "0.5",
        "us-paper1": "0.25",
    }


@pytest.mark.parametrize("verb", [("price", STACK_NAME), ("rates", "--target", "paper")])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"as_of": None}, f"{FILE}: rates[0].as_of: Field required"),
        ({"source": " "}, "rates[0].source"),
        ({"currency": "EUR"}, "rates[0].currency: Input should be 'USD'"),
        ({"amount": 0.25}, "is a binary float; write money as text"),
        ({"amount": "-1"}, "rates[0].amount"),
    ],
)
def test_a_rates_file_with_a_fault_is_bad_input_and_nothing_is_dropped(
    verb: tuple[str, ...], change: dict[str, object], message: str, desk: Desk, portway: CommandLine
) -> None:
    desk.stack(spec=SPEC + TRAFFIC)
    desk.write(kept(**change))
    ran = portway(*verb)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
