"""A Kubernetes cluster of yours with NVIDIA L4 nodes: the runtime beside vLLM in one pod."""

from portway.target import Capabilities, Target
from portway.targets.kubernetes.facts import FACTS
from portway.targets.kubernetes.meters import meters
from portway.targets.kubernetes.options import KubernetesOptions
from portway.targets.kubernetes.places import WITHOUT, place, regions
from portway.targets.kubernetes.plan import plan
from portway.targets.kubernetes.prices import rates
from portway.upstreams import VLLM

TARGET = Target(
    name="kubernetes",
    capabilities=Capabilities(
        auth=frozenset({"api-key"}),
        reach=frozenset({"public", "private"}),
        scales_to_zero=True,
        streams=True,
        serves_own_weights=True,
        wire={**VLLM, "too many requests": "429 at once"},
    ),
    options=KubernetesOptions,
    plan=plan,
    component="portway.targets.kubernetes.component:KubernetesService",
    facts=FACTS,
    meters=meters,
    rates=rates,
    regions=regions,
    place=place,
    without=WITHOUT,
    doors={"kubernetes": "portway.targets.kubernetes.door:DOOR"},
)
