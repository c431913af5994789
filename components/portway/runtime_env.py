"""The environment of the runtime, the same names on every target.

Each target adds the one variable that says where its keys are (``PORTWAY_API_KEYS_FILE`` or
``PORTWAY_API_KEYS_SECRET``), and nothing else differs but the upstream.
"""

from typing import Final

from portway.models import Model
from portway.spec import InferenceServiceSpec

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""Largest request body on every target. AWS Lambda accepts 6 MB with the event's own framing around
the body (Lambda quotas, invocation payload), Cloud Run 32 MiB over HTTP/1; the smaller one counts."""

ROUTES_FILE: Final = "routes.json"
"""The file of a door's route document, wherever it is mounted."""

END_GRACE_SECONDS: Final = 15
"""How much later than an end's runtime a door gives up: an end's platform gives up between them."""


def runtime_env(
    spec: InferenceServiceSpec,
    model: Model,
    *,
    upstream: str,
    upstream_model: str | None = None,
    concurrency: int,
) -> dict[str, str]:
    """The variables that every target sets, but for where the keys are.

    Args:
        spec: the service.
        model: its row of the catalogue.
        upstream: ``http://127.0.0.1:8000`` or ``bedrock:<model or inference profile id>``.
        upstream_model: the name under which an HTTP upstream serves the model.
        concurrency: requests that one instance serves at once.
    """
    named = {} if upstream_model is None else {"PORTWAY_UPSTREAM_MODEL": upstream_model}
    return {
        "PORTWAY_SERVICE": spec.name,
        "PORTWAY_MODEL": model.id,
        "PORTWAY_MODEL_OWNER": model.owner,
        "PORTWAY_MODEL_CREATED": str(model.created),
        "PORTWAY_UPSTREAM": upstream,
        **named,
        "PORTWAY_AUTH": spec.access.auth,
        "PORTWAY_CONTEXT_TOKENS": str(model.context_tokens),
        "PORTWAY_MAX_OUTPUT_TOKENS": str(model.max_output_tokens),
        "PORTWAY_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "PORTWAY_CONCURRENCY": str(concurrency),
        "PORTWAY_TIMEOUT_SECONDS": str(spec.timeout_seconds),
    }


def door_env(
    spec: InferenceServiceSpec,
    *,
    concurrency: int,
    max_instances: int,
    keys_file: str,
    routes_file: str,
) -> dict[str, str]:
    """The variables that make the runtime a front door.

    Args:
        spec: the service that it stands before.
        concurrency: requests that one instance passes on at once.
        max_instances: how many there may be.
        keys_file: path of the document of the door's own keys.
        routes_file: path of the weights, and of address and key of every end that has one.
    """
    return {
        "PORTWAY_SERVICE": spec.name,
        "PORTWAY_ROUTES_FILE": routes_file,
        "PORTWAY_API_KEYS_FILE": keys_file,
        "PORTWAY_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "PORTWAY_CONCURRENCY": str(concurrency),
        "PORTWAY_MAX_INSTANCES": str(max_instances),
        "PORTWAY_TIMEOUT_SECONDS": str(spec.timeout_seconds + END_GRACE_SECONDS),
        "PYTHONUNBUFFERED": "1",
    }
