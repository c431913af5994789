"""The AWS SDK, loaded only where a target needs it."""

import os
import sys
from importlib import import_module
from typing import Any

from .errors import internal


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


def find_credentials() -> Any:  # noqa: ANN401 - as above
    """The SDK's credentials, which refresh themselves.

    Raises:
        ImportError: no AWS SDK is installed.
    """
    return _botocore("botocore.session").get_session().get_credentials()


def signed_headers(
    credentials: Any,  # noqa: ANN401 - as above
    region: str,
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    service: str = "bedrock",
) -> dict[str, str]:
    """`headers` with a signature (Signature Version 4) of this request.

    Raises:
        WireError: there are no credentials.
    """
    if credentials is None:
        raise internal("NoCredentialsError")
    request = _botocore("botocore.awsrequest").AWSRequest(
        method=method, url=url, data=body, headers=headers
    )
    signer = _botocore("botocore.auth").SigV4Auth
    signer(credentials.get_frozen_credentials(), service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


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
