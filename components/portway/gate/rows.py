"""What rows of every table share: which properties a row is about, and when it applies."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portway.gate.resource import Resource
from portway.gate.values import Known, Unknown


def applies(when: Mapping[str, Sequence[Any]], resource: Resource) -> bool:
    """Whether every condition holds, or may hold: what is not known yet may.

    ``when`` is by path, the values with which it holds; None stands for a value left out.
    """
    for path, values in when.items():
        seen = resource.properties.every(path)
        wanted = [plain(value) for value in values]
        if not seen and None not in wanted:
            return False
        if seen and not any(isinstance(one, Unknown) or plain(one.value) in wanted for one in seen):
            return False
    return True


def omissions(path: str, within: str, resource: Resource) -> Iterator[str]:
    """Where ``path`` is left out: once, or in each block at ``within`` that is set."""
    if not within:
        if not resource.properties.every(path):
            yield path
        return
    rest = path.removeprefix(within).removeprefix(".")
    for block in resource.properties.every(within):
        where = f"{block.path}.{rest}" if rest else block.path
        if isinstance(block, Known) and not resource.properties.every(where):
            yield where


def is_refused(value: object, refused: Sequence[Any], allowed: Sequence[Any]) -> bool:
    """Whether a flag has a value of ``refused``, or one besides ``allowed`` where that says any."""
    given = plain(value)
    return given in map(plain, refused) or (bool(allowed) and given not in map(plain, allowed))


def plain(value: object) -> object:
    """Providers take ``"true"`` for true, and most names in any case."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip().lower() if isinstance(value, str) else _hashable(value)


def _hashable(value: object) -> object:
    return value if isinstance(value, int | float) or value is None else repr(value)
