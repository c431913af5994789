"""What becomes of each pair: judged, derived, global, or no place of data at all."""

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("classes.json")
JUDGED, DERIVED, NOT_DATA, GLOBAL = "judged", "derived", "not-data", "global"
CLASSES = (JUDGED, DERIVED, NOT_DATA, GLOBAL)


class Pattern(BaseModel):
    """One line of the file that is kept by hand: what pairs it is about, what they are, and why.

    Attributes:
        paths: globs over the path without its ``[]``: ``*`` stays within a name, ``**`` does not.
        judged_by: the rule that reads it in code, where it ``is`` judged.
        reads: how the rule ``data-moves-inside`` reads it (see ``gate/judged.py``), where it ``is``
            judged and no table says more; ``says``: the middle of its message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    types: tuple[str, ...] = Field(min_length=1, strict=False)
    paths: tuple[str, ...] = Field(min_length=1, strict=False)
    is_: str = Field(alias="is", pattern="^(judged|derived|not-data|global)$")
    because: str = Field(min_length=10)
    judged_by: str = ""
    reads: str = Field(default="", pattern="^(region|bucket|host|path|reference|)$")
    says: str = ""


class Classes:
    """The patterns, in order: the first that is about a pair counts."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        """Keep ``patterns``."""
        self.patterns = tuple(patterns)
        self._by_package: dict[str, tuple[Pattern, ...]] = {}

    @classmethod
    def read(cls, file: Path = FILE) -> "Classes":
        """Those in ``file``."""
        rows = json.loads(file.read_text("utf-8"))
        return cls(Pattern.model_validate(row) for row in rows["patterns"])

    def matching(self, token: str, path: str, *, is_text: bool = True) -> Pattern | None:
        """The first pattern that is about the pair; what is no text can be read by none."""
        bare = path.replace("[]", "")
        for pattern in self._about(token.partition(":")[0]):
            if pattern.reads and not is_text:
                continue
            if _any_path(pattern.paths).fullmatch(bare) and _any_type(pattern.types, token):
                return pattern
        return None

    def _about(self, package: str) -> tuple[Pattern, ...]:
        if package not in self._by_package:
            begins = ("*", f"{package}:")
            self._by_package[package] = tuple(
                pattern
                for pattern in self.patterns
                if any(one.startswith(begins) for one in pattern.types)
            )
        return self._by_package[package]


@cache
def _any_type(globs: tuple[str, ...], token: str) -> bool:
    return any(fnmatchcase(token, glob) for glob in globs)


@cache
def _any_path(globs: tuple[str, ...]) -> re.Pattern[str]:
    parts = (re.escape(glob).replace(r"\*\*", ".*").replace(r"\*", "[^.]*") for glob in globs)
    return re.compile("|".join(parts))
