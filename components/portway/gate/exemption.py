"""Exemptions: a named person lets one rule pass for some resources, for a while."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import product
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

LONGEST = timedelta(days=90)
SOON = timedelta(days=7)

_PREFIX = "urn:pulumi:"
_ODD = "zq"
"""A name so unlikely that a glob which matches it matches every name."""
_NAME = re.compile(r"[A-Za-z0-9._/-]+")
_PACKAGE = re.compile(r"(?:^|::|\$)([a-z][a-z0-9-]*)(?=:(?!:))")
_WILDCARD = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")
_LETTERS = "zqabcdefghijklmnoprstuvwxyABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"


def _as_date(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return date.fromisoformat(value)
    return value


Text = Annotated[str, Field(pattern=r"\S")]


class Exemption(BaseModel):
    """One exemption. It counts through the whole day ``expires``, UTC.

    Attributes:
        urn: a glob over URNs that names at least a type or a resource.
        approver: who else agreed; never the owner.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rule: Text
    urn: Text
    reason: Text
    owner: Text
    expires: Annotated[date, BeforeValidator(_as_date)]
    approver: Text | None = None

    @field_validator("urn")
    @classmethod
    def _names_something(cls, urn: str) -> str:
        if any(fnmatchcase(odd, urn) for odd in _odd_resources(urn)):
            raise ValueError(
                "covers whatever a stack or a project holds; name the type or the resource, "
                f"such as {_PREFIX}prod::shop::*::logs or *:Bucket::*"
            )
        return urn

    @field_validator("approver")
    @classmethod
    def _is_another(cls, approver: str | None, info: ValidationInfo) -> str | None:
        if approver is not None and approver == info.data.get("owner"):
            raise ValueError("is the owner; somebody else must approve")
        return approver

    @property
    def stack(self) -> str | None:
        """The one stack it is for; None where the glob leaves that open."""
        first, divider, _ = self.urn.removeprefix(_PREFIX).partition("::")
        is_named = self.urn.startswith(_PREFIX) and divider and not _WILDCARD.search(first)
        return first if is_named else None

    def covers(self, rule: str, urn: str | None) -> bool:
        """Whether it is about this rule and this resource, expired or not."""
        return self.rule == rule and urn is not None and fnmatchcase(urn, self.urn)

    def has_expired(self, today: date) -> bool:
        """Whether it no longer has any effect."""
        return today > self.expires

    def days_left(self, today: date) -> int | None:
        """How many days it still counts, today left out; None when that is long, or it has expired."""
        left = self.expires - today
        return left.days if timedelta(0) <= left <= SOON else None

    def __str__(self) -> str:
        """``the exemption by ann from residency-… for *::logs``."""
        return f"the exemption by {self.owner} from {self.rule} for {self.urn}"


def soon(days: int) -> str:
    """``today``, ``tomorrow`` or ``in 5 days``."""
    return {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")


def _odd_resources(glob: str) -> Iterator[str]:
    """URNs of an unlikely type and name, in every stack, project and package the glob may mean.

    ``*`` crosses ``::``, so what of the glob is a stack, a project, a type or a name is not known.
    """
    written = [_sample(glob), *_WILDCARD.split(glob)]
    words = {_ODD}
    for text in (*written, *map(_sample, glob.split("::"))):
        words.update(part for part in text.removeprefix(_PREFIX).split("::") if part)
    names = [word for word in words if _NAME.fullmatch(word)]
    packages = [_ODD, *(found for text in written for found in _PACKAGE.findall(text))]
    packages = [package for package in dict.fromkeys(packages) if package != "urn"]
    for stack, project, package in product(names, names, packages):
        yield f"{_PREFIX}{stack}::{project}::{package}:{_ODD}/{_ODD}:Zq::{_ODD}"


def _sample(glob: str) -> str:
    """Something the glob matches, unlikely wherever it leaves a choice."""
    return _WILDCARD.sub(lambda found: _chosen(found[0]), glob)


def _chosen(wildcard: str) -> str:
    if wildcard == "*":
        return _ODD
    return next((letter for letter in _LETTERS if fnmatchcase(letter, wildcard)), _ODD)
