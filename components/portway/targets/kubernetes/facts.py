"""How a gate reads the Kubernetes objects that this target creates.

No object says where it is: that is where its cluster is, which the gate is told.
"""

from collections.abc import Mapping
from typing import Final

from portway.target import ResourceFacts

_FREE: Final = ResourceFacts(is_billed=False)
_POD: Final = "spec.template.spec"
_GROUP: Final = (
    "spec.leaderWorkerTemplate.leaderTemplate.spec", "spec.leaderWorkerTemplate.workerTemplate.spec",
)  # fmt: skip

FACTS: Final[Mapping[str, ResourceFacts]] = {
    "kubernetes:core/v1:Namespace": _FREE,
    "kubernetes:core/v1:ServiceAccount": _FREE,
    "kubernetes:core/v1:Secret": _FREE,
    "kubernetes:core/v1:ConfigMap": ResourceFacts(model_routes=("data",), is_billed=False),
    "kubernetes:core/v1:PersistentVolumeClaim": ResourceFacts(),
    "kubernetes:apps/v1:Deployment": ResourceFacts(
        maximum="spec.replicas",
        gpus=(f'{_POD}.containers[].resources.limits["nvidia.com/gpu"]',),
        model_routes=(f"{_POD}.containers[].env[].value", f"{_POD}.containers[].args"),
        gpu_claims=(f"{_POD}.resourceClaims",),
    ),
    "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet": ResourceFacts(
        maximum="spec.replicas",
        gpus=tuple(f'{pod}.containers[].resources.limits["nvidia.com/gpu"]' for pod in _GROUP),
        model_routes=tuple(
            f"{pod}.containers[].{field}" for pod in _GROUP for field in ("env[].value", "args")
        ),
        gpu_claims=tuple(f"{pod}.resourceClaims" for pod in _GROUP),
    ),
    "kubernetes:batch/v1:Job": ResourceFacts(
        maximum="spec.parallelism",
        model_routes=(f"{_POD}.containers[].env[].value", f"{_POD}.containers[].args"),
    ),
    "kubernetes:core/v1:Service": ResourceFacts(model_routes=("spec.externalName",)),
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": _FREE,
    "kubernetes:policy/v1:PodDisruptionBudget": _FREE,
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": ResourceFacts(
        maximum="spec.maxReplicas", scales="spec.scaleTargetRef.name", is_billed=False
    ),
    "kubernetes:keda.sh/v1alpha1:ScaledObject": ResourceFacts(
        maximum="spec.maxReplicaCount", scales="spec.scaleTargetRef.name", is_billed=False
    ),
    "kubernetes:http.keda.sh/v1beta1:InterceptorRoute": _FREE,
    "kubernetes:monitoring.coreos.com/v1:PrometheusRule": _FREE,
    "kubernetes:monitoring.coreos.com/v1:PodMonitor": _FREE,
    "kubernetes:monitoring.coreos.com/v1:ServiceMonitor": _FREE,
    "kubernetes:scheduling.k8s.io/v1:PriorityClass": _FREE,
    "kubernetes:resource.k8s.io/v1:ResourceClaimTemplate": _FREE,
    "kubernetes:kueue.x-k8s.io/v1beta2:LocalQueue": _FREE,
    "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute": _FREE,
    "kubernetes:gateway.networking.k8s.io/v1beta1:ReferenceGrant": _FREE,
    "kubernetes:inference.networking.k8s.io/v1:InferencePool": _FREE,
    "kubernetes:networking.gke.io/v1:HealthCheckPolicy": _FREE,
    "kubernetes:networking.gke.io/v1:GCPBackendPolicy": _FREE,
    "random:index/randomPassword:RandomPassword": _FREE,
}
