"""Reading ``placement.options`` by a target's own model."""

from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from portway.errors import Problem
from portway.target import Placement

Options = TypeVar("Options", bound=BaseModel)


def read_options(
    model: type[Options], placement: Placement
) -> tuple[Options | None, tuple[Problem, ...]]:
    """The options of ``placement`` as ``model``; None and every problem where they cannot be read."""
    try:
        return model.model_validate(dict(placement.options)), ()
    except ValidationError as error:
        return None, tuple(_problem(model, detail, placement) for detail in error.errors())


def _problem(model: type[BaseModel], detail: ErrorDetails, placement: Placement) -> Problem:
    path = ".".join(["placement.options", *map(str, detail["loc"])])
    if detail["type"] == "extra_forbidden":
        return Problem(path, _unknown(str(detail["loc"][-1]), list(model.model_fields), placement))
    wanted = detail["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return Problem(path, f"is {detail['input']!r}; it {wanted}")


def _unknown(name: str, known: list[str], placement: Placement) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"is not an option of {placement.target}; {hint}there are {', '.join(known)}"
