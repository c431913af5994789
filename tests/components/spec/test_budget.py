from decimal import Decimal

import pytest
from pydantic import ValidationError

from portway.spec import Budget

GOOD = (
    "a@b.co",
    "first.last+llm@team.example.com",
    "o'neill_2@xn--bcher-kva.example",
    f"{'a' * 64}@example.com",
)
BAD = (
    "ops",
    "@example.com",
    "ops@",
    "ops@localhost",
    "ops@example..com",
    ".ops@example.com",
    "ops.@example.com",
    "o..ps@example.com",
    "ops@-example.com",
    "ops@example-.com",
    "ops@example.c",
    "ops @example.com",
    "ops@example.com\n",
    "ops@example.com,cto@example.com",
    "Ops <ops@example.com>",
    f"{'a' * 65}@example.com",
    f"a@{'b' * 60}.{'b' * 60}.{'b' * 60}.{'b' * 60}.{'b' * 60}.com",
)


def test_a_budget_limits_no_use_and_tells_nobody_unless_it_says_so() -> None:
    assert Budget.model_validate({"monthly_usd": 2500}).model_dump() == {
        "monthly_usd": Decimal(2500),
        "monthly_requests": None,
        "monthly_tokens": None,
        "when_meter_is_away": "refuse",
        "alert_emails": (),
    }


@pytest.mark.parametrize("address", GOOD)
def test_what_a_mail_server_takes_is_an_address(address: str) -> None:
    budget = Budget.model_validate({"monthly_usd": 1, "alert_emails": [address]})
    assert budget.alert_emails == (address,)


@pytest.mark.parametrize("address", BAD)
def test_what_no_cloud_would_write_to_is_no_address(address: str) -> None:
    with pytest.raises(ValidationError, match="write an e-mail address"):
        Budget.model_validate({"monthly_usd": 1, "alert_emails": [address]})
