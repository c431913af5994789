"""The page of claims says what the arithmetic gives, and the arithmetic gives what is claimed."""

from decimal import Decimal

import pytest

import claims
from claimed import arithmetic


def test_the_page_is_what_the_arithmetic_gives() -> None:
    assert claims.PAGE.read_text("utf-8") == claims.page(), "run: make claims"


def test_the_article_adds_up_to_the_cent() -> None:
    assert {name: str(round(value, 4)) for name, value in arithmetic.article().items()} == {
        "hours": "50.0000",
        "busy": "60.6000",
        "always": "876.0000",
        "always_at_list": "884.7600",
        "saved": "0.9308",
        "idle": "0.9315",
    }


def test_what_can_be_bought_for_the_articles_load() -> None:
    assert {one.name: str(one.monthly) for one in arithmetic.buyable()} == {
        "g5.2xlarge, always on": "884.76",
        "Cloud Run L4, requests spread over the day": "763.96",
        "EKS and one g6.xlarge": "660.50",
        "GKE and one g2-standard-4": "588.96",
        "Claude Haiku 4.5 on Bedrock, 500 tokens in and 200 out": "90.00",
        "Cloud Run L4, all within one hour a day, 8 at once": "36.61",
        "RunPod L4, busy seconds alone": "34.50",
        "Llama 3.1 8B on Bedrock, 500 tokens in and 200 out": "9.24",
        "gpt-oss-20b on Bedrock, 500 tokens in and 200 out": "5.70",
        "Nova Micro on Bedrock, 500 tokens in and 200 out": "2.73",
    }


def test_a_function_that_waits_costs_more_than_the_tokens_it_waits_for() -> None:
    assert arithmetic.waiting() == Decimal("4.00") > min(arithmetic.tokens().values())


def test_break_even_is_no_constant() -> None:
    found = {one.name: str(round(one.even, 3)) for one in arithmetic.always_on()}
    assert found == {
        "g2-standard-4, on-demand": "0.675",
        "g2-standard-4, 1-year": "0.426",
        "g2-standard-4, spot": "0.380",
        "g2-standard-4, 3-years": "0.304",
        "g6.xlarge, on-demand": "0.769",
        "g5.xlarge, on-demand": "0.961",
        "g5.2xlarge, on-demand": "1.158",
    }


@pytest.mark.parametrize(("saved", "part"), [("0.30", "0.473"), ("0.60", "0.270")])
def test_savings_follow_from_the_running_part(saved: str, part: str) -> None:
    assert str(round(arithmetic.busy_part(Decimal(saved)), 3)) == part


def test_every_figure_of_others_has_a_source_and_a_day() -> None:
    rows = arithmetic.published()["rates"].values()
    assert [
        row for row in rows if not row["source"].strip() or not row["as_of"][:4].isdigit()
    ] == []
    assert all(isinstance(row["usd_per_hour"], str) for row in rows)


def test_a_claim_is_never_made_of_a_rate_that_was_not_read() -> None:
    with pytest.raises(LookupError, match="no rate of l4 in us-west9"):
        arithmetic.rate("cloud-run", "l4", "us-west9")
