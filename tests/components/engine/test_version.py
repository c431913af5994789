"""What `pulumi version` prints, and how versions compare."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.engine.version import BUILT, MINIMUM, Version, parse

numbers = st.integers(min_value=0, max_value=10_000)


@given(numbers, numbers, numbers)
def test_a_released_version_is_read_with_and_without_its_v(
    major: int, minor: int, patch: int
) -> None:
    text = f"{major}.{minor}.{patch}"
    assert parse(text) == parse(f"v{text}\n") == Version(major, minor, patch)


@pytest.mark.parametrize("text", ["", "v", "3.259", "pulumi 3.259.0", "3.259.0.1", "dev"])
def test_what_an_unstamped_build_prints_is_no_version(text: str) -> None:
    assert parse(text) is None


def test_a_prerelease_of_the_minimum_is_older_than_it() -> None:
    alpha = parse("v3.259.0-alpha.1758+42435656")
    assert alpha is not None
    assert alpha == Version(3, 259, 0, released=False)
    assert alpha < MINIMUM < Version(3, 259, 1, released=False)


def test_minor_versions_compare_as_numbers() -> None:
    assert Version(3, 99, 9) < Version(3, 259, 0) < Version(4, 0, 0)


def test_the_engine_portway_gets_is_one_it_accepts() -> None:
    assert BUILT >= MINIMUM
