"""Which function reads which kind of resource, where a table cannot."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from portway.gate.resource import Resource, Stack
from portway.pricing.meter import Meter

Reader = Callable[[Resource, Stack | None, Mapping[str, Any]], Iterator[Meter]]

READERS: Final[dict[str, Reader]] = {}
