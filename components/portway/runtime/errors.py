"""What a client sees when a request fails: always an OpenAI error object."""

from .jsons import JsonObject

CLIENT_CLOSED = 499
"""Logged, never sent: the client hung up before its answer was complete (nginx's convention)."""

OTHER = "_OTHER"
"""What OpenTelemetry calls an error class that is none of those known."""

CLASSES = frozenset({
    "client_disconnected", "context_length_exceeded", "deadline_exceeded", "insufficient_quota",
    "internal_error", "invalid_api_key", "invalid_request_error", "invalid_type", "invalid_value",
    "keys_unavailable", "meter_unavailable", "method_not_allowed", "missing_required_parameter",
    "model_not_found", "permission_denied", "rate_limit_exceeded", "request_timeout",
    "request_too_large", "stopping", "too_many_connections", "unknown_url", "unsupported_parameter",
    "unsupported_value", "upstream_error", "upstream_unavailable",
})  # fmt: skip
"""Every class of error that a request can end with: the wire error's code, its type without one."""


class WireError(Exception):
    """A request that fails, as the client will see it.

    Attributes:
        status: HTTP status.
        message: one sentence for a person, free of keys, prompts and cloud resource names.
        kind: the error object's `type`.
        code: the error object's `code`, stable, for programs.
        param: path of the offending request field, such as `messages[0].content`.
        retry_after_seconds: sent as `retry-after` when trying again can help.
        allow: sent as `allow` with a 405.
        final: trying again is useless; OpenAI's clients are told not to.
        unasked: the model did no work for it, so it costs nothing.
        detail: for the operator's log only.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after_seconds: int | None = None,
        allow: str | None = None,
        final: bool = False,
        unasked: bool | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.retry_after_seconds = retry_after_seconds
        self.allow = allow
        self.final = final
        self.unasked = status < 500 if unasked is None else unasked  # noqa: PLR2004 - HTTP's classes
        self.detail = detail

    def body(self) -> JsonObject:
        """The error object that OpenAI clients read."""
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error}

    def headers(self) -> dict[str, str]:
        """The headers that belong to this error."""
        found: dict[str, str] = {}
        if self.retry_after_seconds is not None:
            found["retry-after"] = str(self.retry_after_seconds)
        if self.allow is not None:
            found["allow"] = self.allow
        if self.final:
            found["x-should-retry"] = "false"
        return found


def invalid(message: str, param: str | None = None, code: str | None = None) -> WireError:
    """A request that no upstream could honour: 400."""
    return WireError(400, message, code=code, param=param)


def unsupported(param: str, message: str) -> WireError:
    """A field this service cannot honour, refused instead of dropped: 400."""
    return WireError(400, message, code="unsupported_parameter", param=param)


def unsupported_value(param: str, message: str) -> WireError:
    """A value this service cannot honour, refused instead of clamped: 400."""
    return WireError(400, message, code="unsupported_value", param=param)


def too_long(message: str) -> WireError:
    """More tokens than the model's context holds: 400."""
    return WireError(400, message, code="context_length_exceeded", param="messages")


def bad_key() -> WireError:
    """A missing, malformed or unknown API key: 401."""
    return WireError(
        401,
        "Incorrect or missing API key. Send 'Authorization: Bearer <key>' with a key of this service.",
        code="invalid_api_key",
    )


def model_not_found(model: str, *, detail: str | None = None) -> WireError:
    """A model this service does not serve: 404."""
    return WireError(
        404,
        f"The model '{model}' does not exist here; GET /v1/models lists what does.",
        code="model_not_found",
        param="model",
        detail=detail,
    )


def too_large(limit_bytes: int) -> WireError:
    """A body above the limit: 413."""
    return WireError(
        413, f"The request body is larger than {limit_bytes} bytes.", code="request_too_large"
    )


def rate_limited(
    message: str, *, retry_after_seconds: int = 1, detail: str | None = None
) -> WireError:
    """More than may be served at once: 429."""
    return WireError(
        429,
        message,
        kind="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after_seconds=retry_after_seconds,
        detail=detail,
    )


def quota_spent(message: str) -> WireError:
    """Past the month's budget: 429, and not worth trying again before the next month."""
    return WireError(429, message, kind="insufficient_quota", code="insufficient_quota", final=True)


def meter_unavailable(*, detail: str | None = None) -> WireError:
    """The budget cannot be checked, and the service refuses without: 503."""
    return unavailable(
        "The budget of this service cannot be checked at the moment, and it answers nothing "
        "unchecked; try again shortly.",
        code="meter_unavailable",
        retry_after_seconds=5,
        unasked=True,
        detail=detail,
    )


def upstream_error(message: str, *, detail: str | None = None) -> WireError:
    """The model server answered with something that is no answer: 502."""
    return WireError(502, message, kind="server_error", code="upstream_error", detail=detail)


def unavailable(
    message: str,
    *,
    code: str = "upstream_unavailable",
    retry_after_seconds: int = 5,
    unasked: bool = False,
    detail: str | None = None,
) -> WireError:
    """Nothing there to answer, for now: 503."""
    return WireError(
        503,
        message,
        kind="server_error",
        code=code,
        retry_after_seconds=retry_after_seconds,
        unasked=unasked,
        detail=detail,
    )


def deadline_exceeded(message: str, *, detail: str | None = None) -> WireError:
    """The answer took longer than this service allows: 504."""
    return WireError(504, message, kind="server_error", code="deadline_exceeded", detail=detail)


def internal(detail: str | None = None) -> WireError:
    """A fault of this process: 500."""
    return WireError(
        500,
        "The service failed on this request; its x-request-id finds the reason in the log.",
        kind="server_error",
        code="internal_error",
        detail=detail,
    )
