"""Signed calls to AWS with the standard library: loading the AWS SDK takes longer than a whole start."""

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from .aws_credentials import Frozen, find_credentials
from .errors import internal
from .jsons import JsonObject, as_object, as_text, decode, encode
from .origin import BrokenAnswer, Origin, Reply
from .pump import Cancellation

_AGENT = "portway-runtime"
_OK = 200
_MOST_ERROR_BYTES = 1 << 20
_TRACE_CHARACTERS = "-=;:+&[]{}\"',"


@dataclass(frozen=True)
class Api:
    """One AWS service: the head of its host's name, its name in signatures and in variables."""

    host: str
    signing: str
    variable: str


BEDROCK = Api("bedrock-runtime", "bedrock", "BEDROCK_RUNTIME")
DYNAMODB = Api("dynamodb", "dynamodb", "DYNAMODB")
SECRETS_MANAGER = Api("secretsmanager", "secretsmanager", "SECRETS_MANAGER")


class AwsError(Exception):
    """AWS refused or failed. `code` is its name of the fault, `body` everything that it said."""

    def __init__(self, code: str, message: str, body: JsonObject | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.body = body or {}


def endpoint(api: Api, region: str) -> str:
    """The service's address in a region, or the one that the SDKs' variables name instead."""
    given = os.environ.get(f"AWS_ENDPOINT_URL_{api.variable}") or os.environ.get("AWS_ENDPOINT_URL")
    return given or f"https://{api.host}.{region}.amazonaws.com"


class Service:
    """One AWS service in one region. Thread-safe."""

    def __init__(
        self,
        api: Api,
        region: str,
        seconds: float,
        *,
        connect_seconds: float = 5.0,
        credentials: Callable[[], Frozen | None] | None = None,
    ) -> None:
        """Nothing is connected yet. `seconds` is how long each piece of an answer may take."""
        address = endpoint(api, region)
        self._api = api
        self._region = region
        self._base = urlsplit(address).path.rstrip("/")
        self._origin = Origin(address, seconds, connect_seconds=connect_seconds)
        self._credentials = credentials or find_credentials()

    def ask(self, path: str, body: JsonObject, cancellation: Cancellation) -> Reply:
        """POST `body`, once; the answer must be closed. `path` is percent-encoded.

        Raises:
            AwsError: the answer is an error.
            OSError: see `Origin.ask`.
            WireError: there are no credentials.
        """
        path, data = self._base + path, encode(body, blobs=True)
        headers = self._headers(path, "application/json", {}, data)
        reply = self._origin.ask("POST", path, data, headers, cancellation)
        if reply.status == _OK:
            return reply
        with closing(reply):
            raise read_error(reply.status, reply.headers, reply.read(_MOST_ERROR_BYTES))

    def call(self, target: str, version: str, body: JsonObject) -> JsonObject:
        """Call an operation of a service that speaks AWS JSON, one that may be repeated.

        Raises:
            AwsError: the answer is an error.
            OSError: see `Origin.call`.
            WireError: there are no credentials.
        """
        path, data = f"{self._base}/", encode(body)
        kind = f"application/x-amz-json-{version}"
        headers = self._headers(path, kind, {"x-amz-target": target}, data)
        status, answer = self._origin.call("POST", path, data, headers)
        if status != _OK:
            raise read_error(status, {}, answer)
        return read_object(answer)

    def close(self) -> None:
        """Close its idle connections."""
        self._origin.close()

    def _headers(self, path: str, kind: str, more: dict[str, str], body: bytes) -> dict[str, str]:
        headers = {"host": self._origin.host, "user-agent": _AGENT, "content-type": kind, **more}
        return signed_headers(
            self._credentials(), self._region, "POST", path, headers, body, self._api.signing
        )


def read_object(data: bytes) -> JsonObject:
    """The JSON object of a good answer.

    Raises:
        BrokenAnswer: it is none.
    """
    try:
        found = as_object(decode(data))
    except ValueError:
        found = None
    if found is None:
        raise BrokenAnswer("the answer is no JSON object")
    return found


def read_error(status: int, headers: dict[str, str], data: bytes) -> AwsError:
    """What an unsuccessful answer says: its code is in a header, or in one of three fields.

    Without one the code is the status, as it is with the AWS SDK.
    """
    try:
        body = as_object(decode(data)) or {}
    except ValueError:
        body = {}
    named = (body.get(name) for name in ("__type", "code", "Code"))
    given = headers.get("x-amzn-errortype") or next(filter(None, map(as_text, named)), str(status))
    said = as_text(body.get("message")) or as_text(body.get("Message")) or ""
    return AwsError(given.partition(":")[0].rpartition("#")[2], said, body)


def signed_headers(
    credentials: Frozen | None,
    region: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    service: str = BEDROCK.signing,
) -> dict[str, str]:
    """`headers` (lower-case names, `host` among them) with a signature of this request.

    AWS Signature Version 4 (IAM user guide, "Create a signed AWS API request"). `path` is as it is
    sent; what is signed has it percent-encoded once more.

    Raises:
        WireError: there are no credentials.
    """
    if credentials is None:
        raise internal("NoCredentialsError")
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    told = {**headers, **_trace(), "x-amz-date": moment}
    if credentials.token is not None:
        told["x-amz-security-token"] = credentials.token
    signed = {name: told[name] for name in sorted(told) if _is_signed(name)}
    names = ";".join(signed)
    lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in signed.items())
    resource = quote(path, safe="/~")
    asked = f"{method}\n{resource}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    how = f"Credential={credentials.access_key}/{scope}, SignedHeaders={names}"
    return {**told, "authorization": f"AWS4-HMAC-SHA256 {how}, Signature={key.hex()}"}


def _is_signed(name: str) -> bool:
    return name in {"content-type", "host"} or name.startswith("x-amz-")


def _trace() -> dict[str, str]:
    """Lambda's trace of this invocation: AWS stops a function that calls itself by it."""
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    if not trace or "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return {}
    return {"x-amzn-trace-id": quote(trace, safe=_TRACE_CHARACTERS)}
