"""The contract a target signs: what a place to run must say, plan and create."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from portway.models import Model
from portway.pricing.meter import Meter
from portway.pricing.rate import RateTable
from portway.spec import Frozen, InferenceServiceSpec
from portway.spec.access import Auth, Reach
from portway.spec.budget import Away

if TYPE_CHECKING:
    import pulumi


KeyGeneration = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$",
        description="at most 32 characters",
    ),
]


class End(Frozen):
    """One service behind a door.

    Attributes:
        stack: its name, ``<service>.<environment>.<target>``.
        weight: percent of the requests that it gets; 0 for one that gets none.
        model_identity: as its own plan has it.
    """

    stack: str
    weight: int
    target: str
    region: str
    model_identity: str


class DoorPlacement(Frozen):
    """What a placement of a door says beside where it is.

    Attributes:
        kind: what it is made of, a key of its target's ``doors``.
        ends: in the order written; their weights sum to 100.
        hosts: names of the user's own that lead to it.
    """

    kind: str
    ends: tuple[End, ...]
    hosts: tuple[str, ...] = ()


class Placement(Frozen):
    """Where one stack runs: a target, a region, and what only that target lets one set.

    Attributes:
        environment: the middle part of the stack's name, such as ``prod``.
        cluster: kubeconfig context, on targets that need one.
        keys: names of API key generations, newest first; all of them are valid at once.
        settings: the stack's other configuration by full key, such as ``gcp:project``.
        door: None for a service; else what the door at this place leads to.
    """

    target: str
    region: str
    environment: str
    cluster: str | None = None
    keys: Annotated[tuple[KeyGeneration, ...], Field(min_length=1)] = ("1",)
    options: Mapping[str, Any] = {}
    settings: Mapping[str, str] = {}
    door: DoorPlacement | None = None


@dataclass(frozen=True)
class Capabilities:
    """What a target can honour at all, as data."""

    auth: frozenset[Auth]
    reach: frozenset[Reach]
    scales_to_zero: bool
    streams: bool
    serves_own_weights: bool
    """False where a vendor serves the model and does not publish revision or precision."""
    wire: Mapping[str, str] = field(default_factory=dict[str, str])
    """What a client meets here and may not meet elsewhere, by what it is about."""


class TokenPrices(Frozen):
    """What a meter counts for a million tokens, in millionths of a US dollar, rounded up."""

    input_micro_usd_per_million_tokens: int
    output_micro_usd_per_million_tokens: int


class MeterPlan(Frozen):
    """What the runtime counts in each calendar month, and refuses beyond.

    Attributes:
        requests: requests that are answered; None where they are not limited.
        tokens: tokens read and written, together.
        micro_usd: millionths of a US dollar for tokens; needs ``prices``.
        away: what happens to a request while the store does not answer.
    """

    requests: int | None = None
    tokens: int | None = None
    micro_usd: int | None = None
    prices: TokenPrices | None = None
    away: Away = "refuse"


class Plan(Frozen):
    """What a target intends to create: literals only, JSON in and out.

    Every target's plan extends this one. No ``pulumi.Output`` may enter a plan: pydantic refuses it.

    Attributes:
        notes: what is allowed and still worth knowing before deploying.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    target: str
    service: str
    environment: str
    region: str
    model: str
    model_identity: str
    boundary: tuple[str, ...] | None
    monthly_budget_usd: Decimal | None
    auth: Auth
    keys: tuple[str, ...]
    meter: MeterPlan | None = None
    alert_emails: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResourceFacts:
    """How to read one resource type, for gates.

    Every path is a Pulumi property path: dots between names, ``[]`` walks a list, and a name that
    holds dots is quoted: ``spec.containers[].resources.limits["nvidia.com/gpu"]``.

    Attributes:
        region: property paths that say where the resource is, the first that is set counts; with
            ``[]`` every value counts. Empty for a type that has no place of its own (an IAM binding,
            a random value); a Kubernetes object is where its cluster is, whatever stands here.
        maximum: path of the property that declares the most instances, where there is one.
        gpus: paths of the properties that hold the GPUs of one instance; they add up.
        model_routes: paths whose values may name a model, an inference profile or a host; a map or
            a JSON policy document found there is read whole.
        is_billed: whether the vendor charges for it.
        needs_region: True where a resource that leaves ``region`` out is not in its provider's
            region but spread by the vendor (a secret with automatic replication).
        replicas: paths of further places that the resource is kept or runs in. Each must be inside
            the boundary, and each runs ``maximum`` instances again.
        inside: path that names the resource this one is kept in (an object its bucket).
        maximum_also: further paths that declare a maximum; the largest of those that are set counts.
        scales: on an autoscaler, path of the name of the workload whose maximum it declares.
        gpu_claims: paths that, when set, claim devices which cannot be counted on this resource.
    """

    region: tuple[str, ...] = ()
    maximum: str | None = None
    gpus: tuple[str, ...] = ()
    model_routes: tuple[str, ...] = ()
    is_billed: bool = True
    needs_region: bool = False
    replicas: tuple[str, ...] = ()
    inside: str | None = None
    maximum_also: tuple[str, ...] = ()
    scales: str | None = None
    gpu_claims: tuple[str, ...] = ()


class Deployed(Protocol):
    """What every target's component exposes, whatever the cloud."""

    @property
    def endpoint(self) -> "pulumi.Output[str]":
        """The URL that clients call; resolves when callable, not when created."""
        ...

    @property
    def region(self) -> "pulumi.Output[str]":
        """Where the service runs, read off the created resource."""
        ...

    @property
    def identity(self) -> "pulumi.Output[str]":
        """Who the service runs as."""
        ...

    @property
    def api_key(self) -> "pulumi.Output[str] | None":
        """The newest valid API key, secret; None with ``auth: iam``."""
        ...


@dataclass(frozen=True)
class DoorKind:
    """One way to make a door with a target's cloud.

    Attributes:
        plan: pure; given a placement with ``door``, returns a plan or raises ``Refused``.
        component: ``package.module:Class``, as of a target.
        options: of such a door's placement.
    """

    plan: Callable[[InferenceServiceSpec, Model, Placement], Plan]
    component: str
    options: type[BaseModel]


@dataclass(frozen=True)
class Target:
    """One place an inference service can run.

    Attributes:
        plan: pure; returns a plan or raises ``Refused`` with every reason. Never rounds or clamps.
        component: ``package.module:Class``, imported only at deploy; takes ``(name, plan, opts)``.
        facts: by type token, how a gate reads the resources this target creates.
        meters: pure; what is billed of everything that a plan of this target creates.
        rates: what the vendors of this target charge, read once.
        regions: every region it is sold in, sorted.
        place: the plainest placement of a spec in one of them: the options it needs and no others;
            names that only the user knows (a project, a cluster, a caller) are stand-ins.
        without: what an option may buy beyond the plainest placement, by the name people call it,
            and the options that do without it.
        doors: by kind, the front doors that are understood there, each a ``package.module:NAME`` of
            a ``DoorKind``, imported only when one is asked for.
    """

    name: str
    capabilities: Capabilities
    options: type[BaseModel]
    plan: Callable[[InferenceServiceSpec, Model, Placement], Plan]
    component: str
    facts: Mapping[str, ResourceFacts]
    meters: Callable[[Plan], tuple[Meter, ...]]
    rates: Callable[[], RateTable]
    regions: Callable[[], tuple[str, ...]]
    place: Callable[[InferenceServiceSpec, str], Placement]
    without: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    doors: Mapping[str, str] = field(default_factory=dict[str, str])
