"""Rows of the judged tables, tried one by one over the smallest resource that has the property."""

from collections.abc import Mapping
from typing import Any

from portway.gate.context import ResidencyContext
from portway.gate.judged import Row, judge_family
from portway.gate.resource import Provider, Resource, Stack
from portway.gate.rule import Violation
from portway.gate.values import View, steps


def put(tree: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """``tree`` with ``value`` at ``path``; each ``[]`` becomes a list of one."""
    where: Any = tree
    names = [*steps(path)]
    for index, step in enumerate(names):
        is_last = index == len(names) - 1
        after = None if is_last else names[index + 1]
        inner: Any = value if is_last else ([] if after is None else {})
        if step is None:
            if not where:
                where.append(inner)
            where = where[0]
        else:
            where = where.setdefault(step, inner)
    return tree


def judged_by(
    family: str, token: str, tree: Mapping[str, Any], context: ResidencyContext
) -> list[Violation]:
    """What the rows of ``family`` say of a resource with the properties ``tree``."""
    provider = Provider("default", "urn:provider", View({}))
    resource = Resource("urn:one", "it", token, View(tree), provider)
    return list(judge_family(family)(resource, context, Stack.of([resource])))


def judged_at(family: str, row: Row, value: object, context: ResidencyContext) -> list[Violation]:
    """What is said of ``value`` at the path of ``row``, with whatever the row applies under."""
    tree = put({}, row.path, value)
    for path, values in row.when.items():
        if values[0] is not None:
            put(tree, path, values[0])
    found = judged_by(family, row.type, tree, context)
    return [one for one in found if _any_item(one.path) == steps(row.path)]


def _any_item(path: str) -> tuple[str | int | None, ...]:
    return tuple(None if isinstance(step, int) else step for step in steps(path))
