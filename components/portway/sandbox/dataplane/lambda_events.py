"""Function URL events and answers: payload format 2.0 in, a prelude or a JSON envelope out."""

import base64
import binascii
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl

from portway.sandbox.dataplane.front import Exchange, Header

SEPARATOR = b"\0" * 8
INTEGRATION_TYPE = "application/vnd.awslambda.http-integration-response"
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True)
class Head:
    """Status and headers of an answer."""

    status: int = 200
    headers: list[Header] = field(default_factory=list[Header])


class Malformed(Exception):
    """What the function returned is not an answer that a function URL understands."""


def event(exchange: Exchange, body: bytes, domain: str, account: str) -> dict[str, Any]:
    """The event of one request."""
    headers: dict[str, str] = {}
    for name, value in exchange.headers:
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    cookies = headers.pop("cookie", "")
    text, encoded = _body(body, headers.get("content-type", ""))
    now = time.time()
    answer: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": exchange.path,
        "rawQueryString": exchange.query,
        "headers": headers | {"x-forwarded-proto": "https", "x-forwarded-for": "127.0.0.1"},
        "requestContext": {
            "accountId": account,
            "apiId": domain.partition(".")[0],
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": exchange.method,
                "path": exchange.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": round(now * 1000),
        },
        "isBase64Encoded": encoded,
    }
    if cookies:
        answer["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if exchange.query:
        answer["queryStringParameters"] = dict(parse_qsl(exchange.query, keep_blank_values=True))
    if body:
        answer["body"] = text
    return answer


def head_of(prelude: Mapping[str, Any]) -> Head:
    """Status, headers and cookies of a prelude or an envelope.

    Raises:
        Malformed: they have the wrong types.
    """
    try:
        given: dict[str, Any] = prelude.get("headers") or {}
        headers = [(str(name).lower(), str(value)) for name, value in given.items()]
        cookies: list[Any] = prelude.get("cookies") or []
        headers += [("set-cookie", str(cookie)) for cookie in cookies]
        return Head(int(prelude.get("statusCode", 200)), headers)
    except (TypeError, ValueError, AttributeError) as error:
        raise Malformed(str(error)) from error


def read_prelude(data: bytes) -> Head:
    """The head in a streamed answer's prelude.

    Raises:
        Malformed: it is not the JSON object that it should be.
    """
    try:
        prelude: Any = json.loads(data)
    except ValueError as error:
        raise Malformed("the prelude is not JSON") from error
    if not isinstance(prelude, dict):
        raise Malformed("the prelude is not an object")
    return head_of(cast("dict[str, Any]", prelude))


def read_envelope(data: bytes) -> tuple[Head, bytes]:
    """The answer in what a buffered handler returned; without a status it is all body.

    Raises:
        Malformed: it is an envelope with wrong types in it.
    """
    json_type: Header = ("content-type", "application/json")
    try:
        given: Any = json.loads(data)
    except ValueError:
        return Head(200, [json_type]), data
    if not isinstance(given, dict) or "statusCode" not in given:
        return Head(200, [json_type]), given.encode() if isinstance(given, str) else data
    envelope = cast("dict[str, Any]", given)
    head = head_of(envelope)
    if not any(name == "content-type" for name, _ in head.headers):
        head.headers.append(json_type)
    body = envelope.get("body") or ""
    text = body if isinstance(body, str) else json.dumps(body)
    if not envelope.get("isBase64Encoded"):
        return head, text.encode()
    try:
        return head, base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Malformed("the body is not base64") from error


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith(_TEXT_TYPES) or kind.endswith(("+json", "+xml")):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def rest_event(
    exchange: Exchange, body: bytes, path: str, stage: str, request_id: str
) -> dict[str, Any]:
    """The proxy event of a REST API: ``path`` is without its stage, names of headers as they came."""
    several: dict[str, list[str]] = {}
    for name, value in exchange.headers:
        several.setdefault(name.title(), []).append(value)
    headers = {name: values[-1] for name, values in several.items()}
    text, encoded = _body(body, headers.get("Content-Type", ""))
    query = dict(parse_qsl(exchange.query, keep_blank_values=True)) if exchange.query else None
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": exchange.method,
        "headers": headers | {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"},
        "multiValueHeaders": several,
        "queryStringParameters": query,
        "pathParameters": {"proxy": path.removeprefix("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": exchange.method,
            "path": f"/{stage}{path}",
            "protocol": "HTTP/1.1",
            "stage": stage,
            "requestId": request_id,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": text if body else None,
        "isBase64Encoded": encoded,
    }
