"""Every row of the cost tables: its properties exist, what it refuses is refused, and no more."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from portway.gate import judged_cost
from portway.gate.context import CostContext
from portway.gate.judged_cost import Row, judge_family, number, rows
from portway.gate.resource import Provider, Resource, Stack
from portway.gate.rule import Violation
from portway.gate.values import UNKNOWN, View, steps
from support.judged_rows import put
from support.sdk_paths import exists

ROWS = rows()
IDS = [f"{name}: {row.type} {row.path} {row.reads}" for name, row in ROWS]
VALUED = tuple((name, row) for name, row in ROWS if row.reads != "exists")


def given(row: Row, value: object) -> dict[str, Any]:
    """The smallest tree to which ``row`` applies, with ``value`` at its path; None: left out."""
    tree: dict[str, Any] = {}
    for path in (row.given, row.within):
        if path:
            put(tree, path, {} if path == row.within else "1")
    for path, values in row.when.items():
        if values[0] is not None:
            put(tree, path, values[0])
    return tree if value is None else put(tree, row.path, value)


def judged(name: str, row: Row, value: object) -> list[Violation]:
    provider = Provider("default", "urn:provider", View({}))
    one = Resource("urn:one", "it", row.type, View(given(row, value)), provider)
    found = judge_family(name, lambda _, __: "")(one, CostContext(), Stack.of([one]))
    return [one for one in found if f"it {row.says}" in one.message and _is_at(row, one)]


def _is_at(row: Row, violation: Violation) -> bool:
    where = tuple(None if isinstance(step, int) else step for step in steps(violation.path))
    return where == steps(row.path) and "does not set" not in violation.message


def of_omission(name: str, row: Row) -> list[Violation]:
    one = Resource("urn:one", "it", row.type, View(given(row, None)))
    found = judge_family(name, lambda _, __: "")(one, CostContext(), Stack.of([one]))
    return [one for one in found if row.omitted in one.message]


def examples(row: Row) -> Iterator[tuple[object, bool]]:
    """Values at the row's path, and whether each is refused."""
    if row.reads == "set":
        yield from ((UNKNOWN, True), ("anything", True))
    if row.reads == "flag":
        yield from ((one, True) for one in row.refused)
        yield from ((one, False) for one in row.allowed)
        yield "another", bool(row.allowed)
    if row.reads in ("most", "least"):
        beyond = 1 if row.reads == "most" else -1
        limit = Decimal(row.limit or 0)
        yield from ((str(limit), False), (f" {limit - beyond} ", False))
        yield from ((str(limit + beyond), True), ("many", True), (True, True))


@pytest.mark.parametrize(("name", "row"), ROWS, ids=IDS)
def test_every_property_that_a_row_names_is_one_of_its_type(name: str, row: Row) -> None:
    """But for what is said in another resource, which a row may call as it likes."""
    del name
    named = [*([] if row.unless else [row.path]), row.given, row.within, *row.when]
    assert [path for path in named if path and not _is_input(row.type, path)] == []


def _is_input(token: str, path: str) -> bool:
    return exists(token, path) or exists(token, f"{path}[]")


@pytest.mark.parametrize(("name", "row"), VALUED, ids=lambda one: str(one)[:60])
def test_a_row_refuses_what_it_says_and_no_more(name: str, row: Row) -> None:
    for value, is_refused in examples(row):
        assert bool(judged(name, row, value)) is is_refused, value


@pytest.mark.parametrize(("name", "row"), ROWS, ids=IDS)
def test_what_is_left_out_is_refused_only_where_that_costs(name: str, row: Row) -> None:
    if row.omitted and not row.unless:
        (found,) = of_omission(name, row)
        assert found.advice is row.advises
    elif row.reads == "exists":
        (found,) = judged(name, row, None)
        assert (found.path, found.advice) == (row.path, row.advises)


@pytest.mark.parametrize(("name", "row"), ROWS, ids=IDS)
def test_a_row_ends_with_a_way_out(name: str, row: Row) -> None:
    del name
    assert row.do
    assert not row.do.endswith(".")
    assert row.reads not in ("most", "least") or row.limit is not None
    assert row.reads != "flag" or row.refused or row.allowed or row.omitted


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Row]]:
    made: list[Row] = []

    def family(name: str) -> tuple[Row, ...]:
        del name
        return tuple(made)

    monkeypatch.setattr(judged_cost, "family", family)
    judged_cost.by_type.cache_clear()
    yield made
    judged_cost.by_type.cache_clear()


def said(
    tree: Mapping[str, Any], *, beside: tuple[Resource, ...] = (), whole: bool = True
) -> list[str]:
    one = Resource("urn:one", "it", "t", View(tree))
    stack = Stack.of([one, *beside]) if whole else None
    found = judge_family("any", lambda _, __: ", 5 USD")(one, CostContext(), stack)
    return [violation.message for violation in found]


def test_the_amount_ends_the_statement_and_the_way_out_follows(table: list[Row]) -> None:
    table.append(Row("t", "size", "most", "has", "lower it", limit=Decimal(3), omitted="it grows"))
    assert said({"size": 4}) == ["t it has 4, more than 3 (size), 5 USD; lower it"]
    assert said({}) == ["t it does not set size: it grows, 5 USD; lower it"]


def test_an_unknown_value_cannot_be_judged_and_is_undetermined(table: list[Row]) -> None:
    table.append(Row("t", "size", "least", "has", "raise it", limit=Decimal(3)))
    one = Resource("urn:one", "it", "t", View({"size": UNKNOWN}))
    (found,) = judge_family("any", lambda _, __: "")(one, CostContext(), None)
    assert found.undetermined
    assert found.message == (
        "t it cannot be judged: it is known only after deployment (size); raise it"
    )


def test_a_row_waits_for_the_stack_when_something_beside_it_may_say_what_it_misses(
    table: list[Row],
) -> None:
    table.append(Row("t", "end", "flag", "ends", "end it", omitted="it stays", unless=("u",)))
    hanging = Resource("urn:two", "end", "u", View({}), depends_on={"of": ("urn:one",)})
    strange = Resource("urn:three", "end", "u", View({}), depends_on={"of": ("urn:four",)})
    missed = ["t it does not set end: it stays, 5 USD; end it"]
    assert said({}, whole=False) == []
    assert said({}) == missed
    assert said({}, beside=(strange,)) == missed
    assert said({}, beside=(hanging,)) == []


def test_a_row_applies_only_where_something_is_given(table: list[Row]) -> None:
    table.append(Row("t", "end", "flag", "ends", "end it", omitted="it stays", given="start"))
    assert said({}) == []
    assert said({"start": UNKNOWN}) == ["t it does not set end: it stays, 5 USD; end it"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (4, Decimal(4)),
        ("4", Decimal(4)),
        (" 4.5 ", Decimal("4.5")),
        (0.1, Decimal("0.1")),
        (-1, Decimal(-1)),
        (True, None),
        ("four", None),
        ("NaN", None),
        ("Infinity", None),
        (None, None),
        ([4], None),
    ],
)
def test_a_number_may_be_given_as_its_text(value: object, expected: Decimal | None) -> None:
    assert number(value) == expected
