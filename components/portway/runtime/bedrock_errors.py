"""Bedrock's failures in OpenAI's words. Resource names stay in the operator's log."""

import re

from .aws import AwsError
from .errors import (
    WireError,
    deadline_exceeded,
    internal,
    invalid,
    model_not_found,
    rate_limited,
    too_long,
    unavailable,
    upstream_error,
)
from .origin import Unanswered, Unreached
from .upstream_errors import mentions_length

_ARN = re.compile(r"arn:aws[^\s\"',]*")
_ACCOUNT = re.compile(r"\b[0-9]{12}\b")
_NO_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput isn.t supported", re.IGNORECASE
)
_LONGEST_MESSAGE = 500


def translate(error: Exception, model: str) -> WireError:
    """Any failure of a call as a client sees it. `model` is the outward name.

    An exception event inside a stream arrives here with a lower-case code and the same meaning.
    """
    if isinstance(error, AwsError):
        return by_code(error.code, error.message, model)
    name = type(error).__name__
    if isinstance(error, Unreached | Unanswered):
        return unavailable(
            "The model's service cannot be reached.",
            unasked=isinstance(error, Unreached),
            detail=name,
        )
    if isinstance(error, TimeoutError):
        return deadline_exceeded("The model took too long.", detail=name)
    return upstream_error("The model's service failed on this request.", detail=name)


def by_code(code: str, message: str, model: str) -> WireError:
    """The error with AWS's `code` as a client sees it. `model` is the outward name."""
    kind = code.lower().removesuffix("exception")
    detail = f"{code}: {message[:_LONGEST_MESSAGE]}" if kind != "validation" else code
    match kind:
        case "validation" | "conflict":
            return _validation(message, model)
        case "accessdenied":
            return WireError(
                403,
                "This service may not use its model; its operator must grant that.",
                kind="permission_error",
                code="permission_denied",
                detail=detail,
            )
        case "resourcenotfound":
            return model_not_found(model, detail=detail)
        case "throttling" | "servicequotaexceeded" | "toomanyrequests":
            return rate_limited(
                "The model is at its rate limit; try again shortly.",
                retry_after_seconds=2,
                detail=detail,
            )
        case "modelnotready":
            return rate_limited(
                "The model is being loaded; try again shortly.",
                retry_after_seconds=10,
                detail=detail,
            )
        case "modeltimeout":
            return deadline_exceeded("The model took too long.", detail=detail)
        case "serviceunavailable":
            return unavailable(
                "The model is unavailable; try again shortly.",
                retry_after_seconds=2,
                unasked=True,
                detail=detail,
            )
        case "modelerror" | "modelstreamerror" | "internalserver" | "internalfailure":
            return upstream_error("The model failed on this request.", detail=detail)
        case _:
            return internal(detail)


def _validation(message: str, model: str) -> WireError:
    if mentions_length(message):
        return too_long(f"The prompt is too long for this model: {_clean(message)}")
    if _NO_MODEL.search(message):
        return model_not_found(model, detail=f"ValidationException: {_clean(message)}")
    return invalid(f"The model refused the request: {_clean(message)}")


def _clean(message: str) -> str:
    return _ACCOUNT.sub("[account]", _ARN.sub("[resource]", message))[:_LONGEST_MESSAGE]
