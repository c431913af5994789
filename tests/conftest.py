"""What holds for every test: properties are tried with the same examples each time, at any speed."""

import pytest
from hypothesis import settings

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long groups first: one that begins last would leave the other worker with nothing to do."""
    items.sort(key=_is_short)


def _is_short(item: pytest.Item) -> bool:
    return all(item.get_closest_marker(name) is None for name in ("sandbox", "cluster"))
