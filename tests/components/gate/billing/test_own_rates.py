"""Rates that an organisation keeps itself are what the packs price by, in their own region only."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from portway.gate.billing import rates


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    row = {
        "sku": "node:g6.xlarge:on-demand", "regions": ["eu-west-1"], "unit": "hour", "amount": "0.91",
        "source": "AWS Price List", "as_of": "2026-11-19", "grade": "copy",
    }  # fmt: skip
    (tmp_path / "kubernetes.json").write_text(json.dumps({"as_of": "2026-11-19", "rates": [row]}))
    monkeypatch.setenv(rates.NEWER, str(tmp_path))
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    rates.find.cache_clear()
    rates._table.cache_clear()  # pyright: ignore[reportPrivateUsage]


def amount(region: str) -> str | None:
    found = rates.find("kubernetes/node:g6.xlarge:on-demand", region)
    return None if found is None else str(found.amount)


def test_a_region_that_nobody_ships_a_rate_for_is_unpriced() -> None:
    _forget()
    assert (amount("eu-west-1"), amount("us-east-1")) == (None, "0.8048")


@pytest.mark.usefixtures("own")
def test_the_organisations_rate_counts_there_and_nowhere_else() -> None:
    assert (amount("eu-west-1"), amount("us-east-1"), amount("eu-west-2")) == ("0.91", "0.8048", None)  # fmt: skip


@pytest.mark.usefixtures("own")
def test_what_targets_do_not_bill_is_as_it_was() -> None:
    assert rates.find("cloud-run/l4", "europe-west4") is not None
