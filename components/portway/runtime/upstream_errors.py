"""What a model server says went wrong, in OpenAI's words.

vLLM 0.10 to 0.13 answer with integer codes and their own types, with `{"detail": ...}` for routes,
and with a sentence for a prompt that is too long; other servers differ again.
"""

import re
from collections.abc import Mapping

from .errors import (
    WireError,
    deadline_exceeded,
    invalid,
    model_not_found,
    rate_limited,
    too_long,
    unavailable,
    upstream_error,
)
from .jsons import JsonObject, as_object, as_text

_TOO_LONG = re.compile(
    r"maximum context length|context[_ ]length|context window|prompt is too long|input is too long"
    r"|longer than the maximum|too many input tokens|exceeds? the (maximum|available) (model|context)"
    r"|maximum model length",
    re.IGNORECASE,
)
_LONGEST_MESSAGE = 1000


def error_message(body: object) -> str:
    """The sentence in an error body, whatever its shape; empty when there is none."""
    found = as_object(body)
    if found is None:
        return ""
    inner = as_object(found.get("error"))
    for holder, name in ((inner or {}, "message"), (found, "error"), (found, "message")):
        if text := as_text(holder.get(name)):
            return text[:_LONGEST_MESSAGE]
    detail = found.get("detail")
    return str(detail)[:_LONGEST_MESSAGE] if detail is not None else ""


def mentions_length(message: str) -> bool:
    """Whether a sentence is about more tokens than the context holds."""
    return bool(_TOO_LONG.search(message))


def is_too_long(body: object) -> bool:
    """Whether an error body is about more tokens than the context holds."""
    return mentions_length(error_message(body))


def translate(status: int, body: object, headers: Mapping[str, str], model: str) -> WireError:
    """An unsuccessful response as a client of ours sees it. `model` is the outward name."""
    message = error_message(body)
    detail = f"upstream {status}"
    if status in {400, 413, 422} and mentions_length(message):
        return too_long(message)
    if status in {400, 422}:
        return invalid(message or "The model server refused the request.", _param(body))
    if status == 404:  # noqa: PLR2004 - HTTP's
        return model_not_found(model, detail=detail)
    if status == 413:  # noqa: PLR2004 - HTTP's
        return WireError(413, "The request is too large for the model.", code="request_too_large")
    if status == 429:  # noqa: PLR2004 - HTTP's
        return rate_limited(
            "The model server is at its limit.",
            retry_after_seconds=_retry_after(headers, 1),
            detail=detail,
        )
    if status == 503:  # noqa: PLR2004 - HTTP's
        return unavailable(
            "The model server is not ready.",
            retry_after_seconds=_retry_after(headers, 5),
            unasked=True,
            detail=detail,
        )
    if status in {408, 504}:
        return deadline_exceeded("The model server took too long.", detail=detail)
    return upstream_error("The model server failed on this request.", detail=detail)


def stream_error(piece: JsonObject) -> WireError:
    """An error event inside a stream that had begun with 200."""
    message = error_message(piece)
    if mentions_length(message):
        return too_long(message)
    if (as_object(piece.get("error")) or {}).get("code") == 400:  # noqa: PLR2004 - HTTP's
        return invalid(message)
    return upstream_error("The model server failed in the middle of its answer.")


def _param(body: object) -> str | None:
    inner = as_object((as_object(body) or {}).get("error"))
    return as_text((inner or {}).get("param"))


def _retry_after(headers: Mapping[str, str], default: int) -> int:
    given = headers.get("retry-after", "")
    return int(given) if re.fullmatch(r"[0-9]{1,4}", given) else default
