"""What pydantic finds wrong, said so that whoever wrote the file knows what to do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from portway.errors import Problem
from portway.spec.document import kind_of

MAX_SHOWN = 60


def complaints(
    error: ValidationError, model: type[BaseModel], above: Sequence[str] = ()
) -> tuple[Problem, ...]:
    """One problem for each value that ``model`` refused.

    Args:
        error: what pydantic raised for ``model``.
        model: the model that was being built; its fields name what could have been meant.
        above: keys that lead to the model's place in the document, such as ``placement``.
    """
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        location = _location(model, detail)
        problem = Problem(dotted((*above, *location)), _sentence(detail, model, location))
        # a union complains once for each of its members: the first speaks for all
        found.setdefault(problem.path, problem)
    return tuple(
        problem
        for problem in without_echoes(found.values())
        if not any(other.startswith(f"{problem.path}[") for other in found)
    )


def without_echoes(problems: Iterable[Problem]) -> list[Problem]:
    """``problems`` without what goes without saying: a field that is missing only as misspelt."""
    found = list(problems)
    meant = {_sibling(problem) for problem in found}
    return [problem for problem in found if problem.path not in meant]


def _sibling(problem: Problem) -> str | None:
    """The path that an unknown key was meant to be."""
    _, asked, name = problem.message.partition("did you mean ")
    above = problem.path.rpartition(".")[0]
    if not asked or not problem.message.startswith("is not a "):
        return None
    return f"{above}.{name.rstrip('?')}" if above else name.rstrip("?")


def unknown_field(name: str, fields: Iterable[str]) -> str:
    """The sentence for a key that is none of ``fields``."""
    known = list(fields)
    hint = suggestion(name, known)
    if hint:
        return f"is not a field; {hint}"
    return f"is not a field; remove it, or use one of {', '.join(known)}"


def suggestion(given: str, known: Iterable[str]) -> str:
    """``did you mean …?`` for the nearest of ``known``; empty where nothing is near."""
    names = list(known)
    near = get_close_matches(given.lower(), names, n=1, cutoff=0.6)
    starts = [name for name in names if given.lower().startswith(name) or name.startswith(given)]
    best = near or (starts if len(given) > 1 else [])
    return f"did you mean {best[0]}?" if best else ""


def line_of(problem: Problem) -> int:
    """The line a problem was found at; 0 where it is not known."""
    line = (problem.where or "").rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def dotted(path: Iterable[str | int]) -> str:
    """``scaling.max``; list positions in brackets."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown_value(value: object) -> str:
    """``value`` as it was written, shortened; never a whole document."""
    if isinstance(value, Mapping | list | tuple):
        return kind_of(cast("object", value))
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _location(model: type[BaseModel], detail: ErrorDetails) -> tuple[str | int, ...]:
    """Where in the document: pydantic's own location without the names of union members."""
    location: list[str | int] = []
    current: type[BaseModel] | None = model
    for part in detail["loc"]:
        field = current.model_fields.get(str(part)) if current else None
        is_key = isinstance(part, int) or current is not None
        if is_key or not location:
            location.append(part)
        current = _nested(field) if field else None
    field_name = (detail.get("ctx") or {}).get("field")
    return (*location, str(field_name)) if field_name else tuple(location)


def _nested(field: FieldInfo) -> type[BaseModel] | None:
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _owner(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel]:
    """The model that holds the last part of ``location``."""
    owner = model
    for part in location[:-1]:
        field = owner.model_fields.get(str(part))
        owner = (_nested(field) if field else None) or owner
    return owner


def _sentence(detail: ErrorDetails, model: type[BaseModel], location: Sequence[str | int]) -> str:
    owner = _owner(model, location)
    field = owner.model_fields.get(str(location[-1])) if location else None
    if detail["type"] == "extra_forbidden":
        return unknown_field(str(location[-1]), owner.model_fields)
    if detail["type"] == "missing":
        return _missing(str(location[-1]), field)
    given = detail["input"]
    if given is None:
        return "is empty; give a value or remove the line"
    say = _SENTENCES.get(detail["type"])
    if say is None:
        return f"is {shown_value(given)}: {detail['msg'].removeprefix('Value error, ')}"
    about = f" ({field.description})" if field and field.description else ""
    return say(given, cast("Mapping[str, Any]", detail.get("ctx") or {}), about)


def _missing(name: str, field: FieldInfo | None) -> str:
    about = f" ({field.description})" if field and field.description else ""
    return f"is missing{about}; add `{name}:`"


def _wrong_kind(wanted: str) -> Callable[[Any, Mapping[str, Any], str], str]:
    def say(given: object, _: Mapping[str, Any], about: str) -> str:
        unquote = "; remove the quotes" if _is_quoted_number(given) else ""
        shown, kind = shown_value(given), kind_of(given)
        what = shown if shown == kind or isinstance(given, bool) else f"{shown}, {kind}"
        return f"is {what}; write {wanted}{about}{unquote}"

    return say


def _limit(words: str, key: str) -> Callable[[Any, Mapping[str, Any], str], str]:
    def say(given: object, ctx: Mapping[str, Any], about: str) -> str:
        return f"is {shown_value(given)}; it must be {words} {ctx[key]}{about}"

    return say


def _choice(given: object, ctx: Mapping[str, Any], about: str) -> str:
    expected = str(ctx["expected"]).replace("'", "")
    names = expected.replace(" or ", ", ").split(", ")
    hint = suggestion(given, names) if isinstance(given, str) else ""
    return f"is {shown_value(given)}; {f'{hint} ' if hint else ''}choose {expected}{about}"


def _pattern(given: object, ctx: Mapping[str, Any], about: str) -> str:
    may_begin = "lower-case letter" + (" or a digit" if "^[a-z0-9]" in str(ctx["pattern"]) else "")
    rule = f"start with a {may_begin}, then use lower-case letters, digits and hyphens"
    return f"is {shown_value(given)}; {rule}{about}"


def _own_words(_: object, ctx: Mapping[str, Any], __: str) -> str:
    return str(ctx.get("error") or ctx.get("message"))


def _is_quoted_number(value: object) -> bool:
    return isinstance(value, str) and value.removeprefix("-").replace(".", "", 1).isdigit()


_SENTENCES: Mapping[str, Callable[[Any, Mapping[str, Any], str], str]] = {
    "int_type": _wrong_kind("a whole number"),
    "int_from_float": _wrong_kind("a whole number"),
    "float_type": _wrong_kind("a number"),
    "decimal_type": _wrong_kind("a number"),
    "decimal_parsing": _wrong_kind("a number"),
    "is_instance_of": _wrong_kind("a number"),
    "finite_number": _wrong_kind("a finite number"),
    "bool_type": _wrong_kind("true or false"),
    "string_type": _wrong_kind("text"),
    "tuple_type": _wrong_kind("a list"),
    "list_type": _wrong_kind("a list"),
    "dict_type": _wrong_kind("a mapping, such as {key: value}"),
    "mapping_type": _wrong_kind("a mapping, such as {key: value}"),
    "model_type": _wrong_kind("a mapping, such as {key: value}"),
    "model_attributes_type": _wrong_kind("a mapping, such as {key: value}"),
    "greater_than_equal": _limit("at least", "ge"),
    "greater_than": _limit("above", "gt"),
    "less_than_equal": _limit("at most", "le"),
    "less_than": _limit("below", "lt"),
    "multiple_of": _limit("a multiple of", "multiple_of"),
    "decimal_max_places": _limit("a figure with decimal places of at most", "decimal_places"),
    "literal_error": _choice,
    "enum": _choice,
    "string_pattern_mismatch": _pattern,
    "string_too_short": _wrong_kind("some text"),
    "too_short": lambda given, ctx, _: (
        f"has {len(given)} entries; give at least {ctx['min_length']}"
    ),
    "too_long": lambda given, ctx, _: f"has {len(given)} entries; give at most {ctx['max_length']}",
    "value_error": _own_words,
    "own_words": _own_words,
}
