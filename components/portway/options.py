"""Reading ``placement.options`` by a target's own model."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from portway.errors import Problem
from portway.spec.complaints import complaints
from portway.target import Placement

Options = TypeVar("Options", bound=BaseModel)


def read_options(
    model: type[Options], placement: Placement
) -> tuple[Options | None, tuple[Problem, ...]]:
    """The options of ``placement`` as ``model``; None and every problem where they cannot be read.

    A target's plan names these problems together with its other reasons.
    """
    try:
        return model.model_validate(dict(placement.options)), ()
    except ValidationError as error:
        return None, complaints(error, model, ("placement", "options"))
