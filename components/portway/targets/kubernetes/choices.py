"""Options of a placement that are more than one value."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from portway.spec import Frozen

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
HOSTNAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$"
SERVICE_HOST = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\.(?P<namespace>[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.svc(\.cluster\.local)?)?"  # fmt: skip
IN_CLUSTER = rf"^https?://{SERVICE_HOST}(:(?P<port>[0-9]{{1,5}}))?(/[-\w./]*)?$"
"""A URL of a Service by its name and namespace."""

LabelKey = Annotated[
    str, Field(pattern=r"^([-a-z0-9.]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
Label = Annotated[str, Field(pattern=DNS_LABEL)]


class GatewayOption(Frozen):
    """A Gateway of the cluster through which clients come."""

    name: Annotated[str, Field(pattern=DNS_NAME, max_length=253, description="of the Gateway")]
    namespace: Annotated[Label, Field(description="namespace of the Gateway")]
    host: Annotated[
        str,
        Field(
            pattern=HOSTNAME, max_length=253, description="public name that clients call by https"
        ),
    ]
    proxies_in: Annotated[
        Label | None,
        Field(
            description="namespace of the pods that carry its traffic; the Gateway's own without"
        ),
    ] = None


class InferencePoolOption(Frozen):
    """Requests are spread by an endpoint picker that knows each pod's queue and cache."""

    picker: Annotated[
        Label, Field(description="Service of the endpoint picker, in the service's namespace")
    ]
    port: Annotated[int, Field(ge=1, le=65535, description="port of that Service")] = 9002
    when_picker_is_away: Annotated[
        Literal["allow", "refuse"],
        Field(description="allow: any pod is taken (FailOpen); refuse: none is (FailClose)"),
    ] = "allow"


class AutoscaleOption(Frozen):
    """Between min and max by what vLLM says of its queue and its KV cache."""

    by: Annotated[Literal["hpa", "keda"], Field(description="who scales")]
    prometheus: Annotated[
        str | None,
        Field(pattern=IN_CLUSTER, description="URL of the cluster's Prometheus, which KEDA asks"),
    ] = None
    busy_percent: Annotated[
        int,
        Field(ge=10, le=100, description="share of scaling.concurrency that a pod should serve"),
    ] = 75
    waiting: Annotated[
        int, Field(ge=1, le=1000, description="requests that may wait for each pod's KV cache")
    ] = 1
    cache_percent: Annotated[
        int, Field(ge=10, le=100, description="share of its KV cache that a pod should use")
    ] = 80


class KueueOption(Frozen):
    """Kueue admits the pods when its quota has room, and all pods of a replica together."""

    cluster_queue: Annotated[
        str,
        Field(pattern=DNS_NAME, max_length=253, description="ClusterQueue that holds the quota"),
    ]
    topology: Annotated[
        LabelKey | None,
        Field(description="node label; all pods of a replica run where it has one value"),
    ] = None


class MonitorOption(Frozen):
    """The Prometheus that reads the metrics of every pod."""

    labels: Annotated[
        Mapping[LabelKey, LabelValue],
        Field(description="labels by which the Prometheus operator finds its monitors"),
    ] = {}
    namespace: Annotated[Label, Field(description="namespace that Prometheus runs in")] = (
        "monitoring"
    )


class WeightsVolumeOption(Frozen):
    """A disk with the weights, filled once by a Job and read by every pod."""

    storage_class: Annotated[
        str, Field(pattern=DNS_NAME, max_length=253, description="class of the disk")
    ]
    size_gib: Annotated[
        int | None, Field(ge=1, le=65536, description="size in GiB; what the weights need without")
    ] = None
    shared: Annotated[bool, Field(description="many nodes mount it at once (ReadWriteMany)")] = True


class TolerationOption(Frozen):
    """A taint that pods bear."""

    key: LabelKey
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
