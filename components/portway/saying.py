"""Words of a cloud, and ours beside them: what targets write, and ``portway.sayings`` reads."""

import re
from dataclasses import dataclass
from typing import Final

AGAIN: Final = "then `portway up {stack}` again: it goes on where this one stopped"
"""How most advice ends: the engine keeps what was made."""


@dataclass(frozen=True)
class Saying:
    """Words of a cloud, and ours beside them.

    Attributes:
        words: found anywhere in what the cloud says; may run over several lines.
        means: what was asked for and why it cannot be; may name groups of ``words`` in braces.
        do: what to do about it; likewise, and ``{stack}``.
    """

    words: re.Pattern[str]
    means: str
    do: str
