"""What holds for every test: properties are tried with the same examples each time, at any speed."""

import pytest
from hypothesis import settings

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, or one worker would end with nothing to do; a module's deployment once."""
    items.sort(key=_is_short)
    for item in items:
        if not _is_short(item) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _is_short(item: pytest.Item) -> bool:
    return all(item.get_closest_marker(name) is None for name in ("sandbox", "cluster"))
