"""Asking a store for JSON over HTTP, with every failure as one sentence."""

from collections.abc import Mapping
from typing import Any, cast

import httpx

from portway.errors import Missing

_SECONDS = 20.0
_LONGEST_REASON = 300
NOT_FOUND = 404


def ask(
    what: str, url: str, parameters: Mapping[str, str] | None = None, token: str = ""
) -> dict[str, Any] | None:
    """The JSON object at ``url``; None where there is none (404).

    Args:
        what: the store's name, for messages.
        url: where.
        parameters: of the query.
        token: a bearer token; never in a message.

    Raises:
        Missing: it cannot be reached, refuses, or answers with something else.
    """
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.get(url, params=parameters, headers=headers, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Missing(f"{what} at {_origin(url)} cannot be reached: {error}") from None
    if answer.status_code == NOT_FOUND:
        return None
    try:
        found: object = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Missing(f"{what} at {_origin(url)} answered {answer.status_code} with no JSON object")
    document = cast("dict[str, Any]", found)
    if not answer.is_success:
        raise Missing(f"{what} refused with {answer.status_code}: {_reason(document)}")
    return document


def _reason(document: Mapping[str, Any]) -> str:
    error: object = document.get("error")
    if isinstance(error, dict):
        error = cast("dict[str, object]", error).get("message")
    return str(error or "it did not say why")[:_LONGEST_REASON]


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])
