"""What targets do alike with ``placement.options``: reading them, judging who may call."""

import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from portway.errors import Problem
from portway.spec.access import Auth
from portway.spec.complaints import complaints
from portway.target import Placement

Options = TypeVar("Options", bound=BaseModel)


def read_options(
    model: type[Options], placement: Placement
) -> tuple[Options | None, tuple[Problem, ...]]:
    """The options of ``placement``, or of its door, as ``model``; None and every problem else.

    A target's plan names these problems together with its other reasons.
    """
    try:
        return model.model_validate(dict(placement.options)), ()
    except ValidationError as error:
        section = "placement" if placement.door is None else "door"
        return None, complaints(error, model, (section, "options"))


def invoker_refusals(
    auth: Auth, invokers: Sequence[str], allowed: re.Pattern[str], *, nobody: str, how: str
) -> Iterator[Problem]:
    """What is wrong with the option ``invokers``: callers are listed exactly where IAM decides.

    Args:
        auth: the spec's ``access.auth``.
        invokers: who may call, in the cloud's own words.
        allowed: what one of them looks like; never everybody.
        nobody: what follows from an empty list, and an example.
        how: how to write one.
    """
    path = "placement.options.invokers"
    if auth == "api-key":
        if invokers:
            yield Problem(
                path,
                f"lists {', '.join(invokers)}, and access.auth is api-key, where the runtime "
                "decides and not IAM; remove invokers, or set access.auth: iam",
            )
        return
    if not invokers:
        yield Problem(path, f"is empty and access.auth is iam, so that nobody could call {nobody}")
    for one in invokers:
        if not allowed.fullmatch(one):
            message = f"has {one!r}; write {how} (for everybody use access.auth: api-key)"
            yield Problem(path, message)
