"""The service as a Lambda function: events of its URL or of a REST API in, streamed responses out.

The managed Python runtime does not stream, so this process speaks the Runtime API itself; it is
started by `AWS_LAMBDA_EXEC_WRAPPER`.
"""

import base64
import binascii
import os
import time
from urllib.parse import unquote

from .app import App
from .config import Config
from .errors import CLIENT_CLOSED, invalid, too_large
from .exchange import Request, Response, request_id
from .http_wire import Disconnected, MalformedMessage, TooSlow
from .jsons import JsonObject, as_object, as_text, decode
from .log import Record, write_event
from .runtime_api import Invocation, RuntimeApi

_MARGIN_SECONDS = 0.5
"""How long before the function is stopped a request must have its 504."""


def serve_lambda(app: App, config: Config, api: RuntimeApi) -> None:
    """Serve invocations, one at a time, until the environment is taken away.

    Raises:
        RuntimeApiError: the Runtime API failed.
        OSError: the Runtime API is gone.
    """
    while True:
        serve_one(app, config, api, api.next())


def serve_one(app: App, config: Config, api: RuntimeApi, invocation: Invocation) -> None:
    """Answer one invocation."""
    if invocation.trace_id is not None:
        os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id
    request = read_event(invocation, config)
    if request is None:
        message = "This function answers requests of its function URL or of a REST API only."
        api.fail(invocation.id, "Runtime.UnknownEvent", message)
        write_event("unknown_event", "WARNING", invocation=invocation.id)
        return
    response = app.handle(request)
    try:
        body = response.stream if response.stream is not None else (response.body,)
        api.stream(invocation.id, _prelude(response), body)
    except (OSError, Disconnected, MalformedMessage, TooSlow):
        request.record.status = CLIENT_CLOSED
        request.record.error = "client_disconnected"
    finally:
        if response.stream is not None:
            response.stream.close()
        app.finish(request.record)


def read_event(invocation: Invocation, config: Config) -> Request | None:
    """A function URL's or a REST API's event as a request, None for any other event."""
    started = time.monotonic()
    try:
        event = as_object(decode(invocation.event)) or {}
    except ValueError:
        return None
    asked = _asked(event)
    if asked is None:
        return None
    method, raw_path = asked
    given = as_object(event.get("headers")) or {}
    headers = {str(name).lower(): str(value) for name, value in given.items()}
    left = config.timeout_seconds
    if invocation.deadline_ms:
        left = min(left, invocation.deadline_ms / 1000 - time.time() - _MARGIN_SECONDS)
    return Request(
        method=method,
        path=unquote(raw_path),
        headers=headers,
        read_body=lambda: _body(event, config.max_body_bytes),
        deadline=started + left,
        record=Record(request_id(headers), method, raw_path, started),
    )


def _asked(event: JsonObject) -> tuple[str, str] | None:
    """Method and path: of payload version 2.0, or of a REST API's proxy event, without the stage."""
    context = as_object(event.get("requestContext")) or {}
    http = as_object(context.get("http"))
    if http is not None:
        method, path = as_text(http.get("method")), as_text(event.get("rawPath"))
    elif as_text(context.get("resourcePath")) is not None:
        method, path = as_text(event.get("httpMethod")), as_text(event.get("path"))
    else:
        return None
    return None if method is None or path is None else (method, path)


def _body(event: JsonObject, limit_bytes: int) -> bytes:
    text = as_text(event.get("body")) or ""
    if event.get("isBase64Encoded"):
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise invalid("The request body is not valid base64.") from None
    else:
        data = text.encode("utf-8", "surrogatepass")
    if len(data) > limit_bytes:
        raise too_large(limit_bytes)
    return data


def _prelude(response: Response) -> JsonObject:
    return {"statusCode": response.status, "headers": response.headers, "cookies": []}
