"""``portway price`` and ``portway rates``: documents for programs, tables for people, exit codes."""

from datetime import date
from decimal import Decimal

import pytest

from support.command_line import CommandLine
from support.desk import SPEC, SPEC_FILE, STACK, STACK_NAME, Desk

TRAFFIC = "traffic: {requests_per_day: 2000, input_tokens: 600, output_tokens: 200}\n"
ELSEWHERE = STACK.replace("europe-paper1", "us-paper1")


def test_the_document_has_the_keys_that_programs_rely_on(desk: Desk, portway: CommandLine) -> None:
    desk.stack(spec=SPEC + TRAFFIC)
    ran = portway("price", STACK_NAME, "--json")
    assert (ran.code, ran.err) == (0, "")
    found = ran.json
    assert list(found) == [
        "stack", "target", "region", "currency", "rates_as_of", "monthly", "lines", "unpriced",
        "assumptions",
    ]  # fmt: skip
    assert found["stack"] == STACK_NAME
    assert (found["target"], found["region"]) == ("paper", "europe-paper1")
    assert (found["currency"], found["rates_as_of"]) == ("USD", "2026-08-01")
    assert found["monthly"] == {
        "floor": "0.00", "expected_low": found["monthly"]["expected_low"], "expected": "365.00",
        "ceiling": "730.00",
    }  # fmt: skip
    assert Decimal(found["monthly"]["expected_low"]) < 365
    first, second = found["lines"]
    assert first == {
        "resource": "desk", "item": "sheet", "unit": "hour", "quantity": first["quantity"],
        "rate": "0.5", "rate_source": "the stationer", "rate_as_of": "2026-08-01",
        "rate_grade": "list", "monthly": "365.00", "reason": None,
    }  # fmt: skip
    assert (second["resource"], second["monthly"], second["rate"]) == ("drawer", "0.00", None)
    assert second["reason"] == "it comes with the desk"
    assert found["unpriced"] == []


def test_what_is_held_and_assumed_is_said(desk: Desk, portway: CommandLine) -> None:
    desk.stack(spec=SPEC + TRAFFIC)
    said = portway("price", STACK_NAME, "--json").json["assumptions"]
    assert said[0].startswith("a request takes 3.9 s: 600 input tokens read at 10000 a second")
    assert said[1:] == [
        "desk: a desk of paper",
        "an idle instance may be kept up to 600 s: expected counts all of it, expected_low none",
        "an instance that starts is billed for 20 s before its first answer",
    ]


def test_a_measured_speed_replaces_the_assumed_one(desk: Desk, portway: CommandLine) -> None:
    measured = TRAFFIC.replace(
        "output_tokens: 200", "output_tokens: 200, output_tokens_per_second: 100"
    )
    desk.stack(spec=SPEC + measured)
    said = portway("price", STACK_NAME, "--json").json["assumptions"]
    assert said[0] == (
        "a request takes 2.6 s: 600 input tokens read at 10000 a second, 200 output tokens written at "
        "100.0 a second (traffic.output_tokens_per_second), 0.5 s of waiting"
    )


def test_a_speed_of_nothing_is_refused(desk: Desk, portway: CommandLine) -> None:
    desk.stack(spec=SPEC + TRAFFIC.replace("}", ", output_tokens_per_second: 0}"))
    ran = portway("price", STACK_NAME)
    assert ran.code == 2
    assert "traffic.output_tokens_per_second" in ran.err


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_region_without_a_rate_has_no_total(
    desk: Desk, portway: CommandLine, flags: tuple[str, ...]
) -> None:
    desk.stack(spec=SPEC + TRAFFIC, stack=ELSEWHERE)
    ran = portway("price", STACK_NAME, *flags)
    assert ran.code == 1
    assert ran.err == (
        f"{STACK_NAME}: desk: sheet is unpriced: no rate is known for sheet in us-paper1\n"
    )
    if flags:
        assert ran.json["monthly"] is None
        assert [one["sku"] for one in ran.json["unpriced"]] == ["sheet"]
    else:
        assert "unpriced" in ran.out
        assert "none" in ran.out


def test_without_traffic_floor_and_ceiling_are_still_known(
    desk: Desk, portway: CommandLine
) -> None:
    desk.stack()
    ran = portway("price", STACK_NAME, "--json")
    assert ran.code == 0
    assert ran.err == (
        f"{SPEC_FILE}: traffic: is missing; declare requests_per_day to know what to expect\n"
    )
    assert ran.json["monthly"] == {
        "floor": "0.00", "expected_low": None, "expected": None, "ceiling": "730.00",
    }  # fmt: skip
    assert ran.json["assumptions"][0].startswith("traffic is missing from the spec")


def test_old_rates_are_named_whatever_is_printed(
    desk: Desk, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.stack(spec=SPEC + TRAFFIC)
    desk.day(monkeypatch, date(2026, 11, 30))
    for flags in ((), ("--json",)):
        ran = portway("price", STACK_NAME, *flags)
        assert (ran.code, ran.err) == (
            0,
            f"{STACK_NAME}: 1 of 1 rates used are older than 120 days; the oldest, sheet in "
            "europe-paper1, was read on 2026-08-01, 121 days ago; see portway rates refresh\n",
        )


def test_being_over_budget_is_shown_and_left_to_the_gate(desk: Desk, portway: CommandLine) -> None:
    desk.stack(spec=SPEC.replace("2500", "500") + TRAFFIC)
    ran = portway("price", STACK_NAME, "--no-color")
    assert ran.code == 0
    assert "the ceiling is 230 USD above it" in ran.out


@pytest.mark.parametrize(
    ("budget", "said"),
    [("731", "the ceiling is below it"), ("730", "the ceiling is all of it")],
)
def test_a_ceiling_within_the_budget_is_below_it_or_all_of_it(
    desk: Desk, portway: CommandLine, budget: str, said: str
) -> None:
    desk.stack(spec=SPEC.replace("2500", budget) + TRAFFIC)
    ran = portway("price", STACK_NAME)
    assert (ran.code, said in ran.out) == (0, True)


def test_the_table_fits_a_hundred_columns(desk: Desk, portway: CommandLine) -> None:
    desk.stack(spec=SPEC + TRAFFIC)
    lines = portway("price", STACK_NAME).out.splitlines()
    assert max(map(len, lines)) <= 100
    shown = [line.split() for line in lines]
    assert ["desk", "sheet", "730", "0.5", "hour", "365.00"] in shown
    assert ["no", "charge:", "drawer"] in shown


def test_rates_are_listed_with_source_grade_and_age(portway: CommandLine) -> None:
    ran = portway("rates", "--target", "cloud-run", "--region", "europe-west4", "--json")
    assert (ran.code, ran.err) == (0, "")
    (gpu,) = [one for one in ran.json["rates"] if one["sku"] == "l4"]
    assert gpu["age_days"] >= 0
    assert {**gpu, "age_days": 0, "note": ""} == {
        "target": "cloud-run", "sku": "l4", "region": "europe-west4", "unit": "second",
        "amount": "0.0001867", "tiers": [{"up_to": None, "amount": "0.0001867"}],
        "currency": "USD", "source": "cloud.google.com/run/pricing, read 2026-10-08",
        "as_of": "2026-10-08", "age_days": 0, "grade": "list", "note": "",
    }  # fmt: skip


def test_rates_fit_a_hundred_columns(portway: CommandLine) -> None:
    lines = portway("rates").out.splitlines()
    assert max(map(len, lines)) <= 100
    assert {"cloud-run", "lambda-bedrock", "kubernetes"} <= {line.strip() for line in lines}
