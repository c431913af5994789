"""What Google's front end says before a request reaches a service."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, cast

from portway.sandbox.dataplane.front import Exchange
from portway.sandbox.dataplane.google_cloud import ANYBODY


@dataclass(frozen=True)
class Refusal:
    """An HTML page instead of the service's answer."""

    status: int
    page: str
    content_type: str = "text/html; charset=UTF-8"


def not_found() -> Refusal:
    """For a service that is not reachable from where the request comes."""
    message = "The requested URL was not found on this server."
    return Refusal(404, _page("404 Page not found", "Error: Page not found", message))


def access(
    exchange: Exchange, members: frozenset[str], audiences: frozenset[str]
) -> Refusal | None:
    """Why the caller may not invoke a service whose invokers are ``members``; None when it may.

    An ID token's signature is not verified: its ``email`` and ``aud`` are believed.
    """
    if ANYBODY in members:
        return None
    url = f"<code>{escape(exchange.raw_path)}</code>"
    scheme, _, token = (exchange.header("authorization") or "").partition(" ")
    if scheme.lower() == "bearer":
        claims = _claims(token)
        if claims is None:
            message = f"Your client does not have permission to the requested URL {url}."
            return Refusal(401, _page("401 Unauthorized", "Error: Unauthorized", message))
        email, audience = str(claims.get("email")), str(claims.get("aud"))
        caller = {f"user:{email}", f"serviceAccount:{email}", "allAuthenticatedUsers"}
        if caller & members and audience.rstrip("/") in audiences:
            return None
    message = f"Your client does not have permission to get URL {url} from this server."
    return Refusal(403, _page("403 Forbidden", "Error: Forbidden", message))


def _claims(token: str) -> Mapping[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return None
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    return cast("Mapping[str, Any]", claims) if isinstance(claims, dict) else None


def _page(title: str, heading: str, message: str) -> str:
    return (
        '\n<html><head>\n<meta http-equiv="content-type" content="text/html;charset=utf-8">\n'
        f"<title>{title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n"
        f"<h1>{heading}</h1>\n<h2>{message}</h2>\n<h2></h2>\n</body></html>\n"
    )
