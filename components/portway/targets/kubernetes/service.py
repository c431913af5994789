"""What decides about every object, and what all objects have in common. Pure."""

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from portway.models import Model
from portway.naming import Names
from portway.spec import InferenceServiceSpec
from portway.targets.kubernetes.options import Flavour, KubernetesOptions
from portway.targets.kubernetes.pod import startup_seconds
from portway.targets.kubernetes.shapes import Object

PROVISION_SECONDS: Final = 900
"""A new GPU node (60-300 s on GKE and EKS) and 10 GB of image, before the model starts to load."""


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
    def uses_keda(self) -> bool:
        """Whether KEDA scales it and holds requests meanwhile."""
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
    **fields: JsonValue,
) -> Object:
    """An object in the service's namespace, with its labels."""
    metadata: Object = {
        "name": name or service.name,
        "namespace": service.namespace,
        "labels": labels(service),
        **({"annotations": annotations} if annotations else {}),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def labels(service: Service) -> Object:
    """The recommended labels."""
    return dict(service.names.kubernetes_labels(service.model.id))


def selector(service: Service) -> Object:
    """The labels that tell the service's pods from all others."""
    return dict(service.names.selector())


def target(service: Service) -> Object:
    """The workload, as scalers refer to it."""
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name}
