"""Any plan's objects as Pulumi resources of one cluster. Decides nothing: every object is the plan's."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, cast

import pulumi
from pulumi_kubernetes import (
    Provider,
    apiextensions,
    apps,
    autoscaling,
    batch,
    core,
    networking,
    policy,
    resource,
    scheduling,
)

from portway.bundle import runtime_archive
from portway.deployed import contract_outputs, key_document, make_keys
from portway.targets.kubernetes.runtime_container import CODE_FILE, KEYS_FILE
from portway.targets.kubernetes.shapes import ClusterPlan

Planned = TypeVar("Planned", bound=ClusterPlan)
Contents = Mapping[str, pulumi.Input[Any]]

_WORKLOADS: Final = ("deployment", "group")
_PODS_NEED: Final = (
    "account", "default-deny", "traffic", "runtime", "keys", "routes", "meter-service", "weights-volume",
    "weights-loader", "priority", "gpu-claim", "queue",
)  # fmt: skip

AFTER: Final[Mapping[str, tuple[str, ...]]] = {
    "namespace": (),
    "meter": ("account", "default-deny", "meter-traffic", "meter-keys", "meter-volume"),
    "meter-service": ("meter",),
    "weights-loader": ("account", "default-deny", "weights-traffic", "weights-volume"),
    "deployment": _PODS_NEED,
    "group": _PODS_NEED,
    "disruption": _WORKLOADS,
    "autoscaler": _WORKLOADS,
    "route": ("service",),
    # A ScaledObject whose route is not there yet scales by CPU until KEDA looks again.
    "scaler": (*_WORKLOADS, "route"),
    "health-check": ("service", "pool"),
    "backend-policy": ("service", "pool"),
    "http-route": ("service", "pool", "grant", "health-check", "backend-policy", "scaler"),
}
"""What must be there first, by role; every other role needs the namespace only."""

WAITS: Final = frozenset(
    {"deployment", "group", "service", "meter", "meter-service", "weights-loader"}
)
"""Roles that the provider awaits: a Service is ready only when its pods are."""

_CLASSES: Final[Mapping[str, Callable[..., pulumi.CustomResource]]] = {
    "v1/Namespace": core.v1.Namespace,
    "v1/ServiceAccount": core.v1.ServiceAccount,
    "v1/ConfigMap": core.v1.ConfigMap,
    "v1/Secret": core.v1.Secret,
    "v1/PersistentVolumeClaim": core.v1.PersistentVolumeClaim,
    "v1/Service": core.v1.Service,
    "apps/v1/Deployment": apps.v1.Deployment,
    "batch/v1/Job": batch.v1.Job,
    "resource.k8s.io/v1/ResourceClaimTemplate": resource.v1.ResourceClaimTemplate,
    "scheduling.k8s.io/v1/PriorityClass": scheduling.v1.PriorityClass,
    "networking.k8s.io/v1/NetworkPolicy": networking.v1.NetworkPolicy,
    "policy/v1/PodDisruptionBudget": policy.v1.PodDisruptionBudget,
    "autoscaling/v2/HorizontalPodAutoscaler": autoscaling.v2.HorizontalPodAutoscaler,
}


class InCluster(pulumi.ComponentResource, Generic[Planned]):
    """All objects of a plan, in one namespace of their own; subclasses say what only a deployment knows."""

    def __init__(
        self, kind: str, name: str, plan: Planned, opts: pulumi.ResourceOptions | None
    ) -> None:
        super().__init__(kind, name, None, opts)
        self.plan = plan
        self._prefix = name
        self._provider = Provider(
            f"{name}-cluster",
            context=plan.cluster,
            # A rotated key changes the Secret in place; the runtime reads it again.
            enable_secret_mutable=True,
            # What somebody changed is put back, as in other clouds: no autoscaler owns a field that is set.
            enable_patch_force=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        keys = make_keys(self, name, plan.keys)
        contents = {"runtime": _code(), "keys": _document(keys), **self._contents()}
        made = self._objects(contents)
        account = cast("core.v1.ServiceAccount", made["account"])
        self.endpoint = self._endpoint(
            cast("core.v1.Service", made["service"]), list(made.values())
        )
        self.region = self._region(made)
        self.identity = account.metadata.apply(
            lambda it: f"system:serviceaccount:{it.namespace}:{it.name}"
        )
        self.api_key = next(iter(keys), None)
        self.register_outputs(dict(contract_outputs(self)))

    def _contents(self) -> Mapping[str, Contents]:
        """By role, the fields that no plan holds, but for the runtime and the API keys."""
        return {}

    def _objects(self, contents: Mapping[str, Contents]) -> dict[str, pulumi.Resource]:
        made: dict[str, pulumi.Resource] = {}
        for role, planned in self.plan.objects.items():
            needed = ["namespace", *AFTER.get(role, ())] if role != "namespace" else []
            fields = {**planned, **contents.get(role, {})}
            before = [made[other] for other in needed if other in self.plan.objects]
            made[role] = self._object(role, fields, before)
        return made

    def _object(
        self, role: str, fields: Mapping[str, Any], needed: Sequence[pulumi.Resource]
    ) -> pulumi.Resource:
        seconds = f"{self.plan.ready_within_seconds + 120}s" if role in WAITS else None
        opts = pulumi.ResourceOptions(
            parent=self,
            provider=self._provider,
            depends_on=list(needed),
            custom_timeouts=pulumi.CustomTimeouts(create=seconds, update=seconds)
            if seconds
            else None,
        )
        make = _CLASSES.get(
            f"{fields['apiVersion']}/{fields['kind']}", apiextensions.CustomResource
        )
        known = {"apiVersion", "kind"} if make is not apiextensions.CustomResource else set[str]()
        arguments = {_snake(key): value for key, value in fields.items() if key not in known}
        return make(f"{self._prefix}-{role}", opts=opts, **arguments)

    def _region(self, made: Mapping[str, pulumi.Resource]) -> pulumi.Output[str]:
        if "deployment" in made:
            return cast("apps.v1.Deployment", made["deployment"]).spec.apply(_region)
        # the SDK keeps nothing of a custom resource but its id
        group = cast("pulumi.CustomResource", made["group"])
        return group.id.apply(lambda _: self.plan.region)

    def _endpoint(
        self, service: core.v1.Service, everything: Sequence[pulumi.Resource]
    ) -> pulumi.Output[str]:
        # Callable only once all of it is there, the pods behind the Service above all.
        ready = pulumi.Output.all(
            *[cast("pulumi.CustomResource", resource).id for resource in everything]
        )
        known, port = self.plan.known_endpoint, self.plan.port
        address = service.status.apply(lambda status: known or _address(status, port))
        return pulumi.Output.all(address, ready).apply(lambda both: str(both[0]))


def _code() -> Contents:
    content = runtime_archive().path.read_bytes()
    return {"binaryData": {CODE_FILE: b64encode(content).decode()}}


def _document(keys: Sequence[pulumi.Output[str]]) -> Contents:
    return {"stringData": {KEYS_FILE: key_document(keys)}}


def _snake(key: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower()


def _address(status: Any, port: int) -> str:  # noqa: ANN401 - the SDK's output type, all optional
    """The URL of a load balancer: its address, and its own port where it says one."""
    first = status.load_balancer.ingress[0]
    ports = first.ports or ()
    reported = next((int(each.port) for each in ports), port)
    return f"http://{first.ip or first.hostname}:{reported}"


def _region(spec: Any) -> str:  # noqa: ANN401 - the SDK's output type
    """Where the pods may run, as the cluster was told."""
    wanted = spec.template.spec.affinity.node_affinity
    terms = wanted.required_during_scheduling_ignored_during_execution.node_selector_terms
    return str(terms[0].match_expressions[0].values[0])
