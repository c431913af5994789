"""Physical names for resources that the program left unnamed, made as the real providers make them."""

import hashlib
import re
import secrets

from portway.sandbox.providers.cloud import Request
from portway.sandbox.providers.wire import Json

_SUFFIX = 7


def generated(logical: str, value: object) -> bool:
    """Whether ``value`` is a name this module made for the resource called ``logical``."""
    pattern = rf"{re.escape(logical)}-[0-9a-f]{{{_SUFFIX}}}"
    return isinstance(value, str) and re.fullmatch(pattern, value, re.IGNORECASE) is not None


def fill(request: Request, field: str, *, lower: bool) -> Json:
    """``request.inputs`` with ``field`` named if the program did not name it.

    A name made before is kept, so that a second deployment changes nothing; a name the program once
    chose and no longer does is not. A new name follows from the step's seed: planning the same step
    twice names it the same.
    """
    if request.inputs.get(field) is not None:
        return request.inputs
    old = request.old_inputs.get(field)
    new = request.proposed_name or f"{request.name}-{_suffix(request)}"
    name = str(old) if generated(request.name, old) else new
    return {**request.inputs, field: name.lower() if lower else name}


def _suffix(request: Request) -> str:
    if not request.seed:
        return secrets.token_hex(_SUFFIX)[:_SUFFIX]
    return hashlib.sha256(request.seed + request.urn.encode()).hexdigest()[:_SUFFIX]
