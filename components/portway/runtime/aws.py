"""The AWS SDK, loaded only where a target needs it."""

import os
import sys
from importlib import import_module
from typing import Any


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
