"""The dated tables of this room, read once."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from portway.errors import Missing


@cache
def table(name: str) -> dict[str, Any]:
    """The JSON table ``name``.

    Raises:
        Missing: the table that ships with the package is absent or broken.
    """
    try:
        return json.loads(files("portway.residency").joinpath(name).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Missing(f"residency/{name} cannot be read: {error}; reinstall portway") from error
