"""What a plan for a front door on Cloud Run holds: literals, in Cloud Run's own terms."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from portway.spec import Frozen
from portway.target import End, Plan
from portway.targets.cloud_run.shapes import Container, KeySecret, RuntimeCode, SecretMount

MAX_CONCURRENCY: Final = 1000
"""Requests that one instance may be given at once (Maximum concurrent requests for services)."""


class DoorOptions(Frozen):
    """Options of a door on Cloud Run."""

    min_instances: Annotated[
        int, Field(ge=0, le=100, description="instances kept; 0 lets the first client wait")
    ] = 1
    max_instances: Annotated[
        int, Field(ge=1, le=100, description="instances at most; counts are exact with 1 alone")
    ] = 1
    concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_CONCURRENCY,
            description="requests that one instance passes on at once; twice what the service's own "
            "scaling allows without, because both ends of a move answer",
        ),
    ] = None
    deletion_protection: Annotated[
        bool, Field(description="refuse to destroy or replace the door until set false")
    ] = False


class CloudRunDoorPlan(Plan):
    """A reverse proxy on Cloud Run that sends requests on by weight.

    Attributes:
        name: of the service, at most 49 characters.
        account_id: of the service account it runs as, at most 30 characters.
        ends: what it leads to; weights may change without anything else.
        key_secret: holds the door's own API keys; ``route_secret`` the weights, and address and key
            of every end that gets requests.
        image_repository: remote repository that mirrors Docker Hub in the region.
        timeout_seconds: request timeout of the platform, a grace above the runtime's.
    """

    project: str
    name: str
    labels: Mapping[str, str]
    account_id: str
    ends: tuple[End, ...]
    key_secret: KeySecret
    route_secret: KeySecret
    code: RuntimeCode
    image_repository: str
    invokers: tuple[str, ...]
    ingress: str
    deletion_protection: bool
    min_instances: int
    max_instances: int
    concurrency: int
    timeout_seconds: int
    container: Container
    code_volume: str
    secret_mounts: tuple[SecretMount, ...]
