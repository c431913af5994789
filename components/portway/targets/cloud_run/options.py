"""What only Cloud Run lets one set."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from portway.spec import Frozen

Ingress = Literal["all", "internal", "load-balancer"]


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


class Weights(Frozen):
    """The bucket that holds the model's files, and how they are read."""

    bucket: Annotated[
        str | None,
        Field(
            description="name of a bucket in the service's region that holds them already; without, the "
            "stack makes one and fills it from the public hub when it is deployed"
        ),
    ] = None
    path: Annotated[
        str | None,
        Field(
            description="folder in that bucket; it ends with the revision that the catalogue pins. "
            "<repository>/<revision> without"
        ),
    ] = None
    load: Annotated[
        Literal["mount", "stream"],
        Field(
            description="mount the bucket as a folder, or let vLLM read it in parallel (the Run:ai "
            "model streamer)"
        ),
    ] = "mount"


class Network(Frozen):
    """A network of the project that the instances send through (Direct VPC egress)."""

    subnetwork: Annotated[
        str, Field(description="subnetwork in the service's region, by its name or full path")
    ]
    network: Annotated[
        str | None, Field(description="its network; the subnetwork says which without")
    ] = None
    tags: Annotated[
        tuple[str, ...],
        BeforeValidator(_as_tuple),
        Field(description="network tags of the instances, for firewall rules"),
    ] = ()
    egress: Annotated[
        Literal["all", "private-ranges"],
        Field(
            description="what goes through it: all that leaves an instance, or private addresses"
        ),
    ] = "all"


class Quota(Frozen):
    """What Google granted to the project in the region; what is left out is not judged."""

    gpus: Annotated[int | None, Field(ge=0, description="L4 GPUs")] = None
    vcpu: Annotated[int | None, Field(ge=0, description="vCPU of Cloud Run")] = None
    memory_gib: Annotated[int | None, Field(ge=0, description="memory of Cloud Run in GiB")] = None


class LogBucket(Frozen):
    """A log bucket of the service's own, in its region."""

    retention_days: Annotated[
        int,
        Field(
            ge=1,
            le=30,
            description="how long a line is kept; beyond 30 days Google bills by the GB, at a rate that is "
            "not known here",
        ),
    ] = 30


class CloudRunOptions(Frozen):
    """Options of a placement on Cloud Run."""

    gpu_zonal_redundancy: Annotated[
        bool,
        Field(description="hold GPUs in a second zone; dearer, and counted by a quota of its own"),
    ] = False
    cpu: Annotated[int, Field(description="vCPU of the model container: 4, 6 or 8")] = 8
    memory_gib: Annotated[int, Field(description="memory of the model container in GiB")] = 32
    weights: Annotated[
        Weights, Field(description="bucket that the weights are read from, and how")
    ] = Weights()
    network: Annotated[
        Network | None, Field(description="network that the instances send through")
    ] = None
    ingress: Annotated[
        Ingress | None,
        Field(description="what may reach the service: all, internal or load-balancer"),
    ] = None
    hostname: Annotated[
        str | None,
        Field(description="name of the load balancer that leads here, with ingress: load-balancer"),
    ] = None
    session_affinity: Annotated[
        bool,
        Field(description="lead a client that keeps cookies back to the instance it met before"),
    ] = False
    invokers: Annotated[
        tuple[str, ...],
        BeforeValidator(_as_tuple),
        Field(description="IAM members that may call the service, with auth: iam"),
    ] = ()
    invoker_check: Annotated[
        bool,
        Field(
            description="false, with auth: api-key, switches Google's own check off in place of "
            "allowing allUsers, which many organisations forbid"
        ),
    ] = True
    quota: Annotated[
        Quota | None, Field(description="what the project was granted, to be refused beyond")
    ] = None
    log_bucket: Annotated[
        LogBucket | None,
        Field(description="keep the service's log in a bucket in its region, and nowhere else"),
    ] = None
    uptime_check: Annotated[
        bool, Field(description="let Google ask every five minutes whether the service is there")
    ] = False
    deletion_protection: Annotated[
        bool, Field(description="refuse to destroy or replace the service until set false")
    ] = False
    billing_account: Annotated[
        str | None,
        Field(
            description="Cloud Billing account that pays, for a budget such as 01AB23-45CD67-89EF01"
        ),
    ] = None
