"""The seam: what the protocol server asks, and what an embedded cloud answers.

A package is one subclass of ``Cloud``. Everything crosses the seam as plain Python values with the
engine's camelCase names: no protobuf and no secret wrappers; a value not known before deployment is
``wire.UNKNOWN``; assets and archives are read with ``wire.as_asset``. ``stored.StoredCloud`` implements
the seam for clouds that live in the store; a package with an API of its own overrides the operations.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from portway.sandbox.faults import FaultKind
from portway.sandbox.providers import differences
from portway.sandbox.providers.wire import Json
from portway.sandbox.store import Store

ACCOUNT = "111122223333"


class Code(StrEnum):
    """The gRPC codes a cloud may refuse with: all of them mean that nothing was changed."""

    ALREADY_EXISTS = "ALREADY_EXISTS"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    UNAVAILABLE = "UNAVAILABLE"


class CloudError(Exception):
    """The cloud refused and changed nothing; the message is the cloud's own text."""

    def __init__(self, code: Code, message: str) -> None:
        """``message`` is shown to the user as it is."""
        self.code = code
        super().__init__(message)


class InitFailed(Exception):
    """The resource exists but never became usable: the engine keeps it in its state and says why."""

    def __init__(self, state: "State", *reasons: str) -> None:
        """``state`` is what exists; ``reasons`` are shown to the user."""
        self.state = state
        self.reasons = reasons
        super().__init__("; ".join(reasons))


@dataclass(frozen=True)
class Outage:
    """An API that is away for a while.

    Attributes:
        error: what the provider says once it gives up.
        retried: whether it tries again first, as the real provider does.
    """

    error: CloudError
    retried: bool = False


@dataclass(frozen=True)
class Failure:
    """One input that cannot be.

    Attributes:
        path: engine property path such as ``template.containers[0].image``; "" for the whole resource.
        message: what is wrong and what to do.
    """

    path: str
    message: str


@dataclass(frozen=True)
class State:
    """A resource as its cloud reports it. Top-level keys starting ``__`` never reach the engine."""

    id: str
    inputs: Json
    outputs: Json


@dataclass(frozen=True)
class Request:
    """One resource in one call of the engine.

    Attributes:
        urn: the engine's name of the resource; ``name`` is its last part, as the program wrote it.
        type: type token, such as ``gcp:storage/bucket:Bucket``.
        inputs: what the program wants (in Read: the inputs the engine last saved, maybe none).
        id: the provider's id; "" before the resource exists.
        old_inputs: the inputs the engine last saved, when there is an old resource.
        old_outputs: the outputs the engine last saved, when there is an old resource.
        preview: nothing may be changed, and inputs may hold ``wire.UNKNOWN``.
        timeout_seconds: the program's custom timeout for this operation; None without one.
        seed: bytes that make generated names the same whenever the same step is planned again.
        proposed_name: the name that the stack's autonaming settings propose, if there are any.
        ignore_changes: property paths whose changes the program wants ignored (Diff and Update only).
    """

    urn: str
    type: str
    inputs: Json
    id: str = ""
    old_inputs: Json = field(default_factory=dict)
    old_outputs: Json = field(default_factory=dict)
    preview: bool = False
    timeout_seconds: float | None = None
    seed: bytes = b""
    proposed_name: str | None = None
    ignore_changes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rsplit("::", 1)[-1]


class Cloud:
    """One package's embedded cloud, in one provider process (so with one provider configuration).

    ``configure`` is called once, before any resource, unless the configuration is not known yet: then
    the server answers previews without asking. Every other method may run in several threads at once.
    Any of them may raise ``CloudError``. ``cancelled`` is set when the engine wants everything to end:
    whoever waits must look at it. ``quotas`` are the quotas that the sandbox's faults file overrides:
    quota id → region (or ``default``) → amount.
    """

    package: ClassVar[str]

    def __init__(self, store: Store) -> None:
        """``store`` is what every process of the sandbox shares."""
        self.store = store
        self.cancelled = threading.Event()
        self.config: Json = {}
        self.quotas: Mapping[str, Mapping[str, int]] = {}

    def check_config(self, config: Json) -> list[Failure]:
        """What is wrong with the provider's configuration (JSON text already decoded)."""
        del config
        return []

    def config_replaces(self) -> frozenset[str]:
        """The provider properties whose change means that every resource is somewhere else."""
        return frozenset()

    def configure(self, config: Json) -> None:
        """Take the provider's configuration."""
        self.config = config

    def check(self, request: Request) -> tuple[Json, list[Failure]]:
        """The inputs with defaults and generated names filled in, and everything wrong with them."""
        raise NotImplementedError

    def diff(self, request: Request) -> differences.Difference:
        """How ``request.inputs`` differ from ``request.old_inputs`` and what must be replaced."""
        raise NotImplementedError

    def preview(self, request: Request) -> Json:
        """Outputs as far as they are known before the deployment, the others ``wire.UNKNOWN``.

        ``request.id`` tells an update (old values are in ``request.old_outputs``) from a create.
        """
        raise NotImplementedError

    def create(self, request: Request) -> State:
        """Create the resource and wait until it is usable.

        Raises:
            CloudError: refused; nothing was created.
            InitFailed: created, but not usable.
        """
        raise NotImplementedError

    def read(self, request: Request) -> State | None:
        """The resource with ``request.id``, however it came to be; None when there is none."""
        raise NotImplementedError

    def update(self, request: Request) -> State:
        """Change the resource in place and wait until it is usable.

        Raises:
            CloudError: refused; nothing was changed.
            InitFailed: changed, but not usable.
        """
        raise NotImplementedError

    def delete(self, request: Request) -> None:
        """Delete the resource; fine when it is gone already."""
        raise NotImplementedError

    def invoke(self, token: str, args: Json) -> Json:
        """Answer a data source.

        Raises:
            CloudError: this sandbox has no answer; the message names the token.
        """
        del args
        raise CloudError(
            Code.NOT_FOUND,
            f"the sandbox has no data for {token}; pass the value as configuration instead of looking it up",
        )

    def secret_outputs(self, type_token: str) -> frozenset[str]:
        """Top-level outputs that are secret whatever the inputs were."""
        del type_token
        return frozenset()

    def denied(self, operation: str, request: Request) -> CloudError:
        """The cloud's own words for a caller that may not do ``operation`` (used by injected faults)."""
        return CloudError(
            Code.PERMISSION_DENIED, f"permission denied: cannot {operation} {request.name}"
        )

    def over_quota(self, operation: str, request: Request) -> CloudError:
        """The cloud's own words for a used-up quota (used by injected faults)."""
        return CloudError(
            Code.RESOURCE_EXHAUSTED, f"quota exceeded: cannot {operation} {request.name}"
        )

    def expired(self, operation: str, request: Request) -> CloudError:
        """The cloud's own words for credentials that are no longer good (used by injected faults)."""
        return CloudError(
            Code.UNAUTHENTICATED, f"credentials have expired: cannot {operation} {request.name}"
        )

    def outage(self, kind: FaultKind, operation: str, request: Request) -> Outage:
        """What an API that cannot be reached looks like from here (used by injected faults)."""
        text = f"{kind.replace('_', ' ')}: cannot {operation} {request.name}"
        return Outage(CloudError(Code.UNAVAILABLE, text))


def provider_values(config: Mapping[str, object]) -> Json:
    """Provider inputs with the JSON text of everything that is not a string decoded."""
    values: Json = {}
    for key, value in config.items():
        values[key] = value
        if isinstance(value, str) and (value[:1] in ("[", "{") or value in ("true", "false")):
            try:
                values[key] = json.loads(value)
            except ValueError:
                values[key] = value
    return values
