"""Exemptions: a named person lets one rule pass for some resources, for a while."""

import re
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

LONGEST = timedelta(days=90)


def _as_date(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return date.fromisoformat(value)
    return value


Text = Annotated[str, Field(pattern=r"\S")]
_ANYTHING = "urn:pulumi:zq::zq::zq$zq:zq/zq:Zq::zq"
"""A resource so unlikely that a glob which covers it covers everything."""


class Exemption(BaseModel):
    """One exemption. It counts through the whole day ``expires``, UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rule: Text
    urn: Text
    reason: Text
    owner: Text
    expires: Annotated[date, BeforeValidator(_as_date)]

    @field_validator("urn")
    @classmethod
    def _names_something(cls, urn: str) -> str:
        if fnmatchcase(_ANYTHING, urn):
            raise ValueError("matches every resource; name those that are meant")
        return urn

    def covers(self, rule: str, urn: str | None) -> bool:
        """Whether it is about this rule and this resource, expired or not."""
        return self.rule == rule and urn is not None and fnmatchcase(urn, self.urn)

    def has_expired(self, today: date) -> bool:
        """Whether it no longer has any effect."""
        return today > self.expires
