"""How a gate reads the Kubernetes objects that this target creates.

No object says where it is: that is where its cluster is, which the gate is told.
"""

from collections.abc import Mapping
from typing import Final

from portway.target import ResourceFacts

_FREE: Final = ResourceFacts(is_billed=False)
_POD: Final = "spec.template.spec"

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
    "random:index/randomPassword:RandomPassword": _FREE,
}
