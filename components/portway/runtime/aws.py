"""The AWS SDK, loaded only where a target needs it."""

import hashlib
import hmac
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from .errors import internal

_SIGNED = frozenset({"content-type", "host", "x-amz-date"})


def make_client(
    service: str, region: str | None, *, connect_seconds: float = 5, **settings: object
) -> Any:  # noqa: ANN401
    """A botocore client; the SDK publishes no types, so callers narrow it to a protocol.

    `settings` are botocore `Config` arguments. Endpoints follow the SDK's own environment
    variables (`AWS_ENDPOINT_URL_...`).

    Raises:
        ImportError: no AWS SDK is installed.
    """
    session = _botocore("botocore.session").get_session()
    config = _botocore("botocore.config").Config(
        connect_timeout=connect_seconds,
        retries={"total_max_attempts": 1, "mode": "standard"},
        **settings,
    )
    return session.create_client(service, region_name=region, config=config)


@dataclass(frozen=True)
class Frozen:
    """Credentials at one moment, named as the SDK names them."""

    access_key: str
    secret_key: str
    token: str | None


def find_credentials() -> Callable[[], Frozen | None]:
    """Where the credentials of each moment come from; None where there are none.

    Lambda gives a function its own in the environment, for as long as that lives; to read them there
    spares its start the SDK, which takes most of it. Elsewhere they are as the SDK finds them, and
    refresh themselves.

    Raises:
        ImportError: no AWS SDK is installed where one is needed.
    """
    if os.environ.get("AWS_LAMBDA_RUNTIME_API"):
        return _of_environment
    found = _botocore("botocore.session").get_session().get_credentials()

    def current() -> Frozen | None:
        if found is None:
            return None
        now = found.get_frozen_credentials()
        return Frozen(now.access_key, now.secret_key, now.token)

    return current


def _of_environment() -> Frozen | None:
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    return Frozen(key, secret, os.environ.get("AWS_SESSION_TOKEN"))


def signed_headers(
    credentials: Frozen | None,
    region: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    service: str = "bedrock",
) -> dict[str, str]:
    """`headers` (lower-case names, `host` among them) with a signature of this request.

    AWS Signature Version 4 (IAM user guide, "Create a signed AWS API request").

    Raises:
        WireError: there are no credentials.
    """
    if credentials is None:
        raise internal("NoCredentialsError")
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    token = {} if credentials.token is None else {"x-amz-security-token": credentials.token}
    told = {**headers, "x-amz-date": moment, **token}
    signed = {name: told[name] for name in sorted({*_SIGNED, *token} & told.keys())}
    names = ";".join(signed)
    lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in signed.items())
    asked = f"{method}\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    how = f"Credential={credentials.access_key}/{scope}, SignedHeaders={names}"
    return {**told, "authorization": f"AWS4-HMAC-SHA256 {how}, Signature={key.hex()}"}


def _botocore(module: str) -> Any:  # noqa: ANN401 - as above
    try:
        return import_module(module)
    except ImportError:
        # Lambda keeps its copy of the SDK here; under an exec wrapper it may not be on sys.path.
        runtime_dir = os.environ.get("LAMBDA_RUNTIME_DIR", "/var/runtime")
        if runtime_dir in sys.path:
            raise
        sys.path.append(runtime_dir)
        return import_module(module)
