"""What decides about every object, and what all objects have in common. Pure."""

from dataclasses import dataclass

from pydantic import JsonValue

from portway.models import Model
from portway.naming import Names
from portway.spec import InferenceServiceSpec
from portway.targets.kubernetes.gpus import Claim, claim_of
from portway.targets.kubernetes.options import Flavour, KubernetesOptions
from portway.targets.kubernetes.shapes import Object
from portway.targets.kubernetes.timing import PROVISION_SECONDS, startup_seconds


@dataclass(frozen=True)
class Service:
    """Everything that decides what the objects say."""

    spec: InferenceServiceSpec
    model: Model
    environment: str
    region: str
    flavour: Flavour
    node: str | None
    options: KubernetesOptions
    code_sha256: str

    @property
    def names(self) -> Names:
        """The service's names."""
        return Names(self.spec.name, self.environment)

    @property
    def namespace(self) -> str:
        """The namespace that is created for it."""
        return self.options.namespace or self.names.physical()

    @property
    def name(self) -> str:
        """The name of every object without a role of its own: short enough for pods' suffixes."""
        return self.names.physical(limit=52)

    @property
    def code(self) -> str:
        """The ConfigMap's name, a new one for new code."""
        return self.names.physical(f"runtime-{self.code_sha256[:12]}")

    @property
    def secret(self) -> str:
        """The Secret's name."""
        return self.names.physical("api-keys")

    @property
    def meter(self) -> str:
        """The name of every object of the meter's store."""
        return self.names.physical("meter", limit=52)

    @property
    def weights(self) -> str:
        """The name of the disk with the weights."""
        return self.names.physical("weights", limit=52)

    @property
    def claim(self) -> Claim:
        """What one pod asks of a GPU."""
        return claim_of(self.options, self.flavour, self.node)

    @property
    def is_group(self) -> bool:
        """Whether one replica is several pods, of which the first one answers."""
        return self.options.nodes > 1

    @property
    def uses_keda(self) -> bool:
        """Whether KEDA holds requests while nothing runs, and wakes a pod for them."""
        return self.options.scale_to_zero == "keda"

    @property
    def is_autoscaled(self) -> bool:
        """Whether something else than this plan says how many pods there are."""
        return self.uses_keda or self.spec.scaling.max > self.spec.scaling.min

    @property
    def ready_within_seconds(self) -> int:
        """How long a rollout may take."""
        return PROVISION_SECONDS + startup_seconds(self.model)


def named(
    service: Service,
    api_version: str,
    kind: str,
    *,
    name: str = "",
    annotations: Object | None = None,
    more_labels: Object | None = None,
    **fields: JsonValue,
) -> Object:
    """An object in the service's namespace, with its labels."""
    metadata: Object = {
        "name": name or service.name,
        "namespace": service.namespace,
        "labels": {**labels(service), **(more_labels or {})},
        **({"annotations": annotations} if annotations else {}),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def labels(service: Service) -> Object:
    """The recommended labels."""
    return dict(service.names.kubernetes_labels(service.model.id))


def selector(service: Service) -> Object:
    """The labels that tell the service's pods from all others."""
    return dict(service.names.selector())


ROLE = "portway.dev/role"
"""The label that tells the pod of a replica that answers from those that only compute."""


def answering(service: Service) -> Object:
    """The labels of the pods that answer requests."""
    own = selector(service)
    return {**own, ROLE: "leader"} if service.is_group else own


def target(service: Service) -> Object:
    """The workload, as scalers refer to it."""
    if service.is_group:
        group = "leaderworkerset.x-k8s.io/v1"
        return {"apiVersion": group, "kind": "LeaderWorkerSet", "name": service.name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name}
