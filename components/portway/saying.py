"""Words of a cloud, and ours beside them: what targets write, and ``portway.sayings`` reads."""

import re
from dataclasses import dataclass
from typing import Final

AGAIN: Final = "then {again}"
"""How most advice ends; what is done again is for whoever tells it to say."""


@dataclass(frozen=True)
class Saying:
    """Words of a cloud, and ours beside them.

    Attributes:
        words: found anywhere in what the cloud says; may run over several lines.
        means: what was asked for and why it cannot be; may name groups of ``words`` in braces.
        do: what to do about it; likewise, ``{stack}`` and ``{again}``.
    """

    words: re.Pattern[str]
    means: str
    do: str
