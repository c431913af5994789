import json
from typing import Any

import pytest

from portway.metering import limits_of_use, meter_variable, without_a_meter
from portway.target import MeterPlan, TokenPrices
from support import builders


def budget(**fields: Any) -> Any:
    return builders.spec(budget={"monthly_usd": 10, **fields})


@pytest.mark.parametrize(
    ("fields", "meter"),
    [
        ({}, None),
        ({"when_meter_is_away": "allow"}, None),
        ({"monthly_requests": 7}, MeterPlan(requests=7)),
        ({"monthly_tokens": 9}, MeterPlan(tokens=9)),
        (
            {"monthly_requests": 7, "monthly_tokens": 9, "when_meter_is_away": "allow"},
            MeterPlan(requests=7, tokens=9, away="allow"),
        ),
    ],
)
def test_requests_and_tokens_are_metered_where_they_are_limited(
    fields: dict[str, Any], meter: MeterPlan | None
) -> None:
    assert limits_of_use(budget(**fields)) == meter


def test_a_service_without_a_budget_has_no_limit_of_use() -> None:
    assert limits_of_use(builders.spec(budget=None)) is None


@pytest.mark.parametrize("away", ["refuse", "allow"])
def test_a_choice_for_a_meter_that_there_is_not_is_refused(away: str) -> None:
    spec = budget(when_meter_is_away=away)
    assert [str(problem) for problem in without_a_meter(spec, limits_of_use(spec))] == [
        f"budget.when_meter_is_away: is {away}, and this target has nothing to meter; add "
        "budget.monthly_requests or budget.monthly_tokens, or remove it"
    ]


def test_nothing_is_refused_where_it_is_metered_or_not_asked_for() -> None:
    metered = budget(when_meter_is_away="allow", monthly_tokens=5)
    assert list(without_a_meter(metered, limits_of_use(metered))) == []
    for silent in (budget(), builders.spec(budget=None)):
        assert list(without_a_meter(silent, limits_of_use(silent))) == []


def test_the_runtime_is_told_limits_that_there_are_and_no_others() -> None:
    store = {"kind": "valkey", "host": "meter", "port": 6379}
    made = meter_variable(
        MeterPlan(tokens=50, away="allow"), store, service="chat-prod", max_output_tokens=4096
    )
    assert {name: json.loads(text) for name, text in made.items()} == {
        "PORTWAY_METER": {
            "store": store,
            "service": "chat-prod",
            "limits": {"tokens": 50},
            "away": "allow",
            "max_output_tokens": 4096,
        }
    }


def test_an_amount_is_told_with_its_prices() -> None:
    prices = TokenPrices(
        input_micro_usd_per_million_tokens=150_000, output_micro_usd_per_million_tokens=600_000
    )
    meter = MeterPlan(requests=1, tokens=2, micro_usd=3, prices=prices)
    store = {"kind": "dynamodb", "table": "t", "region": "eu-west-1"}
    made = meter_variable(meter, store, service="s", max_output_tokens=8)
    told = json.loads(made["PORTWAY_METER"])
    assert told["limits"] == {"requests": 1, "tokens": 2, "micro_usd": 3}
    assert told["prices"] == {
        "input_micro_usd_per_million_tokens": 150_000,
        "output_micro_usd_per_million_tokens": 600_000,
    }
