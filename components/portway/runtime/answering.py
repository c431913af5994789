"""What every application of this process does with a request, whatever its routes are."""

from collections.abc import Callable

from .errors import CLIENT_CLOSED, WireError, internal
from .exchange import Request, Response, error_response
from .pump import Cancelled


def answered(request: Request, route: Callable[[Request], Response]) -> Response:
    """What `route` answers, noted in the record; an error object for whatever it raises."""
    record = request.record
    try:
        response = route(request)
    except WireError as error:
        record.fail(error)
        response = error_response(error)
    except Cancelled:
        record.error = "client_disconnected"
        response = Response(CLIENT_CLOSED, {})
    except Exception as error:  # noqa: BLE001 - the last resort of a server
        failure = internal(_where(error))
        record.fail(failure)
        response = error_response(failure)
    record.status = response.status
    response.headers["x-request-id"] = record.request_id
    return response


def require_method(request: Request, path: str, allowed: str | None) -> None:
    """Return where the request's method is the one that its path allows.

    Raises:
        WireError: 405 where it is another; 404 where `allowed` is None: there is no such path.
    """
    if allowed is None:
        raise WireError(
            404, f"There is nothing at {request.method} {path[:200]}.", code="unknown_url"
        )
    if request.method != allowed:
        raise WireError(
            405,
            f"{request.method} is not allowed on {path[:200]}; use {allowed}.",
            code="method_not_allowed",
            allow=allowed,
        )


def _where(error: Exception) -> str:
    """Type and place of a fault. Its text is left out: it may quote the request."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        place, trace = f" at {file.rpartition('/')[2]}:{trace.tb_lineno}", trace.tb_next
    return f"{type(error).__name__}{place}"
