"""What holds for every test: the same examples each time, and who runs beside whom."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")

ROOT = Path(__file__).parents[1]
_GROUP = re.compile(r'xdist_group\("([\w-]+)"\)')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, or one worker would end with nothing to do."""
    items.sort(key=_is_short)


def _is_short(item: pytest.Item) -> bool:
    return all(item.get_closest_marker(name) is None for name in ("sandbox", "cluster"))


class ByGroup(LoadScopeScheduling):
    """All tests of a group on one worker, so that what they share is deployed once.

    A group is named in the file's ``pytestmark``; a file without one is a group. xdist's own
    ``loadgroup`` writes the name into the node's id, which pytest 9.2 no longer reads back.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid.partition("::")[0])


@cache
def _group(file: str) -> str:
    named = _GROUP.search((ROOT / file).read_text(encoding="utf-8"))
    return file if named is None else named[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByGroup:
    """How the tests are shared out where several processes run them."""
    return ByGroup(config, log)
