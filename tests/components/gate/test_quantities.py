"""Amounts as Kubernetes writes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.gate.quantities import quantity, whole

AMOUNTS = {
    "1": "1", "+1": "1", "1.": "1", ".5": "0.5", "2000m": "2", "250u": "0.00025", "3n": "0.000000003",
    "1k": "1000", "2M": "2000000", "1G": "1000000000", "1T": "1E12", "1P": "1E15", "1E": "1E18",
    "1e3": "1000", "1E3": "1000", "12e-1": "1.2", "1Ki": "1024", "1.5Mi": "1572864", " 4 ": "4",
    "1Gi": "1073741824", "1Ti": str(1024**4), "1Pi": str(1024**5), "1Ei": str(1024**6),
}  # fmt: skip


@pytest.mark.parametrize(("text", "amount"), AMOUNTS.items())
def test_an_amount_is_read_in_its_unit(text: str, amount: str) -> None:
    assert quantity(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "m", "1 k", "-1", "1K", "one", "1e", "1kk", "1m2", "1i", "٣"])
def test_what_is_no_amount_is_none(text: str) -> None:
    assert quantity(text) is None


@pytest.mark.parametrize("value", [True, None, [], {}, "500m", "0.5", -1, "-2"])
def test_what_is_no_count_is_none(value: object) -> None:
    assert whole(value) is None


@pytest.mark.parametrize(("value", "count"), [(0, 0), (3, 3), (2.0, 2), ("2000m", 2), ("1e1", 10)])
def test_a_count_is_whole_however_it_is_written(value: object, count: int) -> None:
    assert whole(value) == count


@given(st.integers(min_value=0, max_value=10**9))
def test_thousandths_of_a_count_are_that_count(count: int) -> None:
    assert whole(f"{count}000m") == whole(count) == count
