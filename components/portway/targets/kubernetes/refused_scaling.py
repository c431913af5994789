"""Refusals of what says how many pods there are, and of how they are scheduled. Pure."""

from collections.abc import Iterator

from portway.errors import Problem
from portway.spec import InferenceServiceSpec
from portway.targets.kubernetes.options import KubernetesOptions

AT = "placement.options"
BOUND = frozenset({"topology.kubernetes.io/region"})


def reasons(spec: InferenceServiceSpec, options: KubernetesOptions) -> Iterator[Problem]:
    """Why pods would not be counted, admitted or kept as asked."""
    yield from _to_zero(spec, options)
    yield from _autoscale(spec, options)
    yield from _groups(spec, options)
    yield from _priority(options)


def _to_zero(spec: InferenceServiceSpec, options: KubernetesOptions) -> Iterator[Problem]:
    if spec.scaling.min == 0 and options.scale_to_zero is None:
        yield Problem(
            "scaling.min",
            "is 0, and nothing in a cluster wakes a service without pods; raise min to 1, or install "
            "KEDA with its HTTP add-on and set options.scale_to_zero: keda",
        )


def _autoscale(spec: InferenceServiceSpec, options: KubernetesOptions) -> Iterator[Problem]:
    chosen, path = options.autoscale, f"{AT}.autoscale"
    if chosen is None:
        return
    if spec.scaling.min == spec.scaling.max:
        yield Problem(
            path,
            f"is set, and scaling.min and scaling.max are both {spec.scaling.min}; raise max, or remove it",
        )
    if options.scale_to_zero is not None and chosen.by == "hpa":
        yield Problem(
            f"{path}.by",
            "is hpa beside scale_to_zero: keda, and a workload that two scale follows neither; use keda",
        )
    if chosen.by == "keda" and chosen.prometheus is None:
        yield Problem(
            f"{path}.prometheus",
            "is not set, and KEDA asks Prometheus for vLLM's metrics; write its URL in the cluster, such as "
            "http://prometheus.monitoring:9090",
        )
    if chosen.by == "hpa" and chosen.prometheus is not None:
        yield Problem(
            f"{path}.prometheus",
            "is set, and an HPA asks the adapter behind custom.metrics.k8s.io instead; remove it, or use "
            "by: keda",
        )


def _groups(spec: InferenceServiceSpec, options: KubernetesOptions) -> Iterator[Problem]:
    if options.nodes > 1 and spec.scaling.max > 1 and options.kueue is None:
        yield Problem(
            f"{AT}.kueue",
            f"is not set, and {spec.scaling.max} replicas of {options.nodes} nodes each may take one "
            "another's nodes so that none is whole; set kueue, whose quota admits whole replicas, or "
            "lower scaling.max to 1",
        )


def _priority(options: KubernetesOptions) -> Iterator[Problem]:
    if options.priority is not None and options.priority_class is not None:
        yield Problem(
            f"{AT}.priority_class",
            f"is {options.priority_class!r} beside priority: {options.priority}; a pod has one class, "
            "remove one of them",
        )
    if options.priority_class is not None and options.priority_class.startswith("system-"):
        yield Problem(
            f"{AT}.priority_class",
            f"is {options.priority_class!r}, which is for the cluster's own pods; name a class of yours",
        )
