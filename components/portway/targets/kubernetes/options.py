"""What only a Kubernetes placement lets one set."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field

from portway.spec import Frozen
from portway.targets.kubernetes.choices import (
    DNS_LABEL,
    DNS_NAME,
    HOSTNAME,
    IN_CLUSTER,
    AutoscaleOption,
    GatewayOption,
    InferencePoolOption,
    KueueOption,
    LabelKey,
    LabelValue,
    MonitorOption,
    TolerationOption,
    WeightsVolumeOption,
)

Flavour = Literal["gke", "eks", "plain"]
FeatureGate = Literal["ImageVolume"]

MIRROR = r"^https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[-\w./]*)?$"
BUCKET = r"^gs://[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9](/[-\w./]*)?$"
IMAGE = r"^[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}$"
IDENTITY = r"^[a-z][-a-z0-9]{4,28}[a-z0-9]@[a-z][-a-z0-9.:]+\.iam\.gserviceaccount\.com$"
PARTITION = r"^[1-7]g\.[0-9]{1,3}gb$"
VERSION = r"^1\.(3[4-9]|[4-9][0-9])$"


def _money(value: object) -> object:
    """Numbers become ``Decimal`` by their own digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        return Decimal(str(value))
    except ArithmeticError:
        return value


def as_tuple(value: object) -> object:
    """YAML has lists and no tuples."""
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


def _as_release(value: object) -> object:
    """YAML reads 1.36 as a number."""
    return str(value) if isinstance(value, float) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


class KubernetesOptions(Frozen):
    """Options of a placement on Kubernetes."""

    flavour: Annotated[
        Flavour | None,
        Field(description="gke, eks or plain; without it the region decides between gke and eks"),
    ] = None
    cluster_version: Annotated[
        str,
        BeforeValidator(_as_release),
        Field(
            pattern=VERSION, description="release of the cluster; newer fields are used from it on"
        ),
    ] = "1.34"
    crds: Annotated[
        tuple[Annotated[str, Field(pattern=DNS_NAME, max_length=253)], ...] | None,
        BeforeValidator(as_tuple),
        Field(
            description="API groups beyond Kubernetes' own that the cluster serves, such as keda.sh, or "
            "single kinds of them, such as podmonitors.monitoring.coreos.com"
        ),
    ] = None
    feature_gates: Annotated[
        tuple[FeatureGate, ...],
        BeforeValidator(as_tuple),
        Field(description="features that the cluster was given before its release has them"),
    ] = ()
    node: Annotated[
        str | None, Field(description="machine type of the GPU nodes, such as g2-standard-8")
    ] = None
    gpu: Annotated[
        str | None, Field(description="GPU of nodes whose type is not known, such as nvidia-l4")
    ] = None
    nodes: Annotated[
        int,
        Field(ge=1, le=16, description="nodes that one replica is spread over (LeaderWorkerSet)"),
    ] = 1
    node_usd_per_hour: Annotated[
        Decimal | None,
        BeforeValidator(_money),
        Field(gt=0, le=1000, description="USD an hour for a node with no public rate"),
    ] = None
    spot: Annotated[bool, Field(description="run on spot nodes, and on no others")] = False
    gpu_claim: Annotated[
        Literal["extended", "dra"],
        Field(description="how a pod asks for its GPU: the resource nvidia.com/gpu, or DRA"),
    ] = "extended"
    mig: Annotated[
        str | None,
        Field(pattern=PARTITION, description="take a MIG partition of a GPU, such as 3g.40gb"),
    ] = None
    gpu_shares: Annotated[
        int, Field(ge=1, le=48, description="pods that take turns on one GPU (time slicing)")
    ] = 1
    tolerations: Annotated[
        tuple[TolerationOption, ...],
        BeforeValidator(as_tuple),
        Field(description="taints of your nodes that pods bear"),
    ] = ()
    priority: Annotated[
        int | None,
        Field(ge=0, le=1_000_000_000, description="value of a PriorityClass that is made for it"),
    ] = None
    priority_class: Annotated[
        str | None,
        Field(pattern=DNS_NAME, max_length=253, description="PriorityClass that the cluster has"),
    ] = None
    surge: Annotated[
        int,
        Field(
            ge=0,
            le=16,
            description="replicas that the cluster has GPUs for beside scaling.max: a rollout then adds "
            "before it takes away",
        ),
    ] = 0
    kueue: KueueOption | None = None
    autoscale: AutoscaleOption | None = None
    scale_to_zero: Annotated[
        Literal["keda"] | None, Field(description="what wakes the service when min is 0")
    ] = None
    gateway: GatewayOption | None = None
    inference_pool: InferencePoolOption | None = None
    hostname: Annotated[
        str | None,
        Field(
            pattern=HOSTNAME,
            max_length=253,
            description="public name that the cluster's ingress forwards to KEDA's interceptor",
        ),
    ] = None
    namespace: Annotated[
        str | None,
        Field(
            pattern=DNS_LABEL, description="namespace to create; <service>-<environment> without"
        ),
    ] = None
    keda_namespace: Annotated[
        str, Field(pattern=DNS_LABEL, description="namespace that KEDA and its HTTP add-on run in")
    ] = "keda"
    weights_mirror: Annotated[
        str | None,
        Field(
            pattern=MIRROR,
            description="URL of a mirror of the Hugging Face hub; the hub itself without",
        ),
    ] = None
    weights_networks: Annotated[
        Texts,
        Field(description="address ranges that weights come from; pods can reach nothing else"),
    ] = ()
    weights_image: Annotated[
        str | None,
        Field(
            pattern=IMAGE, description="image by digest that holds the weights, mounted as a volume"
        ),
    ] = None
    weights_volume: WeightsVolumeOption | None = None
    weights_bucket: Annotated[
        str | None,
        Field(pattern=BUCKET, description="bucket with the weights, such as gs://models/hub"),
    ] = None
    cloud_identity: Annotated[
        str | None,
        Field(
            pattern=IDENTITY,
            description="Google service account that pods are when they read the bucket",
        ),
    ] = None
    storage_class: Annotated[
        str | None,
        Field(
            pattern=DNS_NAME,
            max_length=253,
            description="class of the meter's disk; the cluster's default without",
        ),
    ] = None
    monitor: MonitorOption | None = None
    otlp: Annotated[
        str | None,
        Field(pattern=IN_CLUSTER, description="URL of a collector in the cluster, for traces"),
    ] = None
    prometheus_rules: Annotated[
        Mapping[LabelKey, LabelValue] | None,
        Field(
            description="labels by which the Prometheus operator of the cluster finds its rules; "
            "without, no alert is made"
        ),
    ] = None
    writable_engine_root: Annotated[
        bool,
        Field(description="for clusters whose GPU hooks write to the model container's root"),
    ] = False
