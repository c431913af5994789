"""What only a Kubernetes placement lets one set."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field

from portway.spec import Frozen

Flavour = Literal["gke", "eks", "plain"]

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LabelKey = Annotated[
    str, Field(pattern=r"^([-a-z0-9.]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
MIRROR = r"^https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[-\w./]*)?$"
HOSTNAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$"


def _money(value: object) -> object:
    """Numbers become ``Decimal`` by their own digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        return Decimal(str(value))
    except ArithmeticError:
        return value


def _as_tuple(value: object) -> object:
    """YAML has lists and no tuples."""
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


class KubernetesOptions(Frozen):
    """Options of a placement on Kubernetes."""

    flavour: Annotated[
        Flavour | None,
        Field(description="gke, eks or plain; without it the region decides between gke and eks"),
    ] = None
    node: Annotated[
        str | None, Field(description="machine type of the GPU nodes, such as g2-standard-8")
    ] = None
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
    scale_to_zero: Annotated[
        Literal["keda"] | None, Field(description="what wakes the service when min is 0")
    ] = None
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
        tuple[str, ...],
        BeforeValidator(_as_tuple),
        Field(description="address ranges of weights_mirror; pods can reach nothing else"),
    ] = ()
    storage_class: Annotated[
        str | None,
        Field(
            pattern=DNS_NAME,
            max_length=253,
            description="class of the meter's disk; the cluster's default without",
        ),
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
