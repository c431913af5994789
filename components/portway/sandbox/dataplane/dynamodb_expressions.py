"""DynamoDB's condition and update expressions, on plain attributes: pure, without a table.

Known are ``SET a = :v``, ``ADD``, ``DELETE`` and ``REMOVE``; the comparators, ``AND``, ``OR``, ``NOT``,
parentheses, ``attribute_exists``, ``attribute_not_exists`` and ``contains``. Document paths, ``size``,
``begins_with``, ``BETWEEN``, ``IN`` and arithmetic are refused, saying so.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|<=|>=|<>|[=<>(),])")
_FUNCTIONS = ("attribute_exists", "attribute_not_exists", "contains")
_CLAUSES = ("SET", "ADD", "DELETE", "REMOVE")
_COMPARATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_SETS = ("SS", "NS", "BS")


class Invalid(Exception):
    """A request that DynamoDB refuses with ``ValidationException``: its own sentence."""


class Expressions:
    """The expressions of one request, with the names and values they use."""

    def __init__(self, names: Mapping[str, str], values: Mapping[str, Value]) -> None:
        self._names = names
        self._values = values
        self._used: set[str] = set()

    def holds(self, text: str, item: Item) -> bool:
        """Whether a condition expression holds for ``item`` (empty when there is none).

        Raises:
            Invalid: it is not one that is known.
        """
        parser = _Parser("ConditionExpression", text)
        condition = self._either(parser)
        parser.end()
        return condition(item)

    def updated(self, text: str, item: Item) -> tuple[Item, list[str]]:
        """``item`` after an update expression, and the attributes that it touched.

        Raises:
            Invalid: it is not one that is known, or does not fit the item.
        """
        parser = _Parser("UpdateExpression", text)
        after, touched = dict(item), list[str]()
        while parser.more:
            clause = parser.take()
            if clause.upper() not in _CLAUSES:
                raise parser.error(clause)
            while True:
                name = self._attribute(parser)
                if name in touched:
                    raise Invalid(
                        "Invalid UpdateExpression: Two document paths overlap with each other; "
                        f"must remove or rewrite one of these paths; path one: [{name}], path two: [{name}]"
                    )
                touched.append(name)
                self._change(parser, clause.upper(), name, after)
                if parser.peek != ",":
                    break
                parser.take()
        return after, touched

    def check_all_used(self) -> None:
        """Refuse names and values that no expression used, as DynamoDB does."""
        for kind, given in (("Names", self._names), ("Values", self._values)):
            unused = sorted(given.keys() - self._used)
            if unused:
                raise Invalid(
                    f"Value provided in ExpressionAttribute{kind} unused in expressions: "
                    f"keys: {{{', '.join(unused)}}}"
                )

    def _change(self, parser: "_Parser", clause: str, name: str, item: Item) -> None:
        if clause == "REMOVE":
            item.pop(name, None)
            return
        if clause == "SET":
            parser.expect("=")
        value = self._value(parser)
        if clause == "SET":
            item[name] = value
        elif clause == "ADD":
            item[name] = _added(item.get(name), value)
        else:
            left = _without(item.get(name), value)
            item.pop(name, None)
            if left is not None:
                item[name] = left

    def _either(self, parser: "_Parser") -> Callable[[Item], bool]:
        found = [self._both(parser)]
        while parser.peek.upper() == "OR":
            parser.take()
            found.append(self._both(parser))
        return lambda item: any(each(item) for each in found)

    def _both(self, parser: "_Parser") -> Callable[[Item], bool]:
        found = [self._one(parser)]
        while parser.peek.upper() == "AND":
            parser.take()
            found.append(self._one(parser))
        return lambda item: all(each(item) for each in found)

    def _one(self, parser: "_Parser") -> Callable[[Item], bool]:
        if parser.peek.upper() == "NOT":
            parser.take()
            denied = self._one(parser)
            return lambda item: not denied(item)
        if parser.peek == "(":
            parser.take()
            inner = self._either(parser)
            parser.expect(")")
            return inner
        if parser.peek in _FUNCTIONS:
            return self._function(parser)
        return self._comparison(parser)

    def _function(self, parser: "_Parser") -> Callable[[Item], bool]:
        function = parser.take()
        parser.expect("(")
        name = self._attribute(parser)
        if function == "contains":
            parser.expect(",")
            value = self._value(parser)
            parser.expect(")")
            return lambda item: _contains(item.get(name), value)
        parser.expect(")")
        wanted = function == "attribute_exists"
        return lambda item: (name in item) == wanted

    def _comparison(self, parser: "_Parser") -> Callable[[Item], bool]:
        name = self._attribute(parser)
        symbol = parser.take()
        compare = _COMPARATORS.get(symbol)
        if compare is None:
            raise parser.error(symbol)
        value = self._value(parser)

        def holds(item: Item) -> bool:
            held = item.get(name)
            if held is None or held.keys() != value.keys():
                return symbol == "<>" and held is not None
            return compare(_plain(held), _plain(value))

        return holds

    def _attribute(self, parser: "_Parser") -> str:
        token = parser.take()
        if token.startswith("#"):
            if token not in self._names:
                raise Invalid(
                    f"Invalid {parser.kind}: An expression attribute name used in the document path "
                    f"is not defined; attribute name: {token}"
                )
            self._used.add(token)
            return self._names[token]
        if not token.isidentifier():
            raise parser.error(token)
        return token

    def _value(self, parser: "_Parser") -> Value:
        token = parser.take()
        if not token.startswith(":"):
            raise parser.error(token)
        if token not in self._values:
            raise Invalid(
                f"Invalid {parser.kind}: An expression attribute value used in expression is not "
                f"defined; attribute value: {token}"
            )
        self._used.add(token)
        return self._values[token]


class _Parser:
    """The tokens of one expression, one after another."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self._text = text
        self._tokens: list[str] = []
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise self.error(text[place:].strip()[0])
            self._tokens.append(match[1])
            place = match.end()
        if not self._tokens:
            raise Invalid(f"Invalid {kind}: The expression can not be empty;")
        self._next = 0

    @property
    def more(self) -> bool:
        return self._next < len(self._tokens)

    @property
    def peek(self) -> str:
        return self._tokens[self._next] if self.more else ""

    def take(self) -> str:
        if not self.more:
            raise self.error("<EOF>")
        self._next += 1
        return self._tokens[self._next - 1]

    def expect(self, wanted: str) -> None:
        token = self.take()
        if token != wanted:
            raise self.error(token)

    def end(self) -> None:
        if self.more:
            raise self.error(self.peek)

    def error(self, token: str) -> Invalid:
        place = max(self._text.find(token), 0)
        near = self._text[max(place - 10, 0) : place + len(token) + 10].strip()
        return Invalid(f'Invalid {self.kind}: Syntax error; token: "{token}", near: "{near}"')


def _plain(value: Value) -> Any:  # noqa: ANN401 - numbers, text, sets
    (kind, held), *_ = value.items()
    if kind == "N":
        return Decimal(held)
    return frozenset(held) if kind in _SETS else held


def _contains(held: Value | None, value: Value) -> bool:
    if held is None:
        return False
    (kind, members), *_ = held.items()
    (wanted_kind, wanted), *_ = value.items()
    if kind in _SETS:
        return kind == f"{wanted_kind}S" and wanted in members
    return kind == wanted_kind == "S" and wanted in members


def _added(held: Value | None, value: Value) -> Value:
    (kind, more), *_ = value.items()
    if kind != "N" and kind not in _SETS:
        raise Invalid(
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: "
            f"ADD, operand type: {kind}"
        )
    if held is None:
        return value
    if held.keys() != value.keys():
        raise Invalid("An operand in the update expression has an incorrect data type")
    if kind == "N":
        return {"N": f"{Decimal(held['N']) + Decimal(more):f}"}
    return {kind: sorted({*held[kind], *more})}


def _without(held: Value | None, value: Value) -> Value | None:
    (kind, gone), *_ = value.items()
    if kind not in _SETS:
        raise Invalid(
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: "
            f"DELETE, operand type: {kind}"
        )
    if held is None:
        return None
    if held.keys() != value.keys():
        raise Invalid("An operand in the update expression has an incorrect data type")
    left = sorted({*held[kind]} - {*gone})
    return {kind: left} if left else None
