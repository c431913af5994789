"""What runs the pods: a Deployment, or groups of pods where one replica needs several nodes. Pure."""

from portway.targets.kubernetes import meter, weights
from portway.targets.kubernetes.pod import pod_spec, worker_spec
from portway.targets.kubernetes.service import ROLE, Service, answering, labels, named, selector
from portway.targets.kubernetes.shapes import Object

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
TOPOLOGY_ANNOTATION = "kueue.x-k8s.io/podset-required-topology"
GROUP_ANNOTATION = "kueue.x-k8s.io/podset-group-name"


def objects(service: Service) -> dict[str, Object]:
    """The workload, and the queue that it waits in."""
    made = {"group": _group(service)} if service.is_group else {"deployment": _deployment(service)}
    return {**_queue(service), **made}


def _deployment(service: Service) -> Object:
    return named(
        service,
        "apps/v1",
        "Deployment",
        annotations=_priced(service),
        more_labels=_queued(service),
        spec={
            **_replicas(service),
            "selector": {"matchLabels": selector(service)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": _rolling(service)},
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": service.ready_within_seconds,
            "template": _template(service, pod_spec(service, meter.counting(service)), {}),
        },
    )


def _group(service: Service) -> Object:
    """Groups of one pod that answers and others that compute for it; a group lives and dies as one."""
    answers = _template(service, pod_spec(service, meter.counting(service)), answering(service))
    computes = _template(service, worker_spec(service), {ROLE: "worker"})
    return named(
        service,
        "leaderworkerset.x-k8s.io/v1",
        "LeaderWorkerSet",
        annotations={**_priced(service), "pulumi.com/waitFor": "condition=Available"},
        more_labels=_queued(service),
        spec={
            **_replicas(service),
            "startupPolicy": "LeaderCreated",
            "rolloutStrategy": {
                "type": "RollingUpdate",
                "rollingUpdateConfiguration": _rolling(service),
            },
            "leaderWorkerTemplate": {
                "size": service.options.nodes,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": answers,
                "workerTemplate": computes,
            },
        },
    )


def _rolling(service: Service) -> Object:
    """Add first where there are GPUs for it; else a surge would wait for one that is not there, for ever."""
    surge = service.options.surge
    return {"maxSurge": surge, "maxUnavailable": 0 if surge else 1}


def _replicas(service: Service) -> Object:
    # Whoever scales owns `replicas`: a second owner is a conflict in server-side apply.
    return {} if service.is_autoscaled else {"replicas": service.spec.scaling.max}


def _template(service: Service, pod: Object, more: Object) -> Object:
    annotations: Object = {
        "portway.dev/runtime-sha256": service.code_sha256,
        "portway.dev/weights": f"{service.model.weights}@{service.model.revision}",
        **weights.annotations(service),
        **_together(service),
    }
    return {
        "metadata": {"labels": {**labels(service), **more}, "annotations": annotations},
        "spec": pod,
    }


def _priced(service: Service) -> Object:
    """What a gate cannot know of a node: its price where no list says, whose it is, how many pods it holds."""
    usd, flavour, claim = service.options.node_usd_per_hour, service.flavour, service.claim
    packed = claim.pods_per_node
    return {
        **({} if usd is None else {"portway.dev/node-usd-per-hour": f"{usd:f}"}),
        **({"portway.dev/flavour": flavour} if flavour == "plain" else {}),
        **({"portway.dev/pods-per-node": str(packed)} if packed > 1 else {}),
    }


def _queued(service: Service) -> Object:
    return {} if service.options.kueue is None else {QUEUE_LABEL: service.name}


def _together(service: Service) -> Object:
    """All pods of a replica where one label of their nodes has one value."""
    chosen = service.options.kueue
    if chosen is None or chosen.topology is None:
        return {}
    group: Object = {GROUP_ANNOTATION: "replica"} if service.is_group else {}
    return {TOPOLOGY_ANNOTATION: chosen.topology, **group}


def _queue(service: Service) -> dict[str, Object]:
    chosen = service.options.kueue
    if chosen is None:
        return {}
    where: Object = {"clusterQueue": chosen.cluster_queue}
    return {"queue": named(service, "kueue.x-k8s.io/v1beta2", "LocalQueue", spec=where)}
