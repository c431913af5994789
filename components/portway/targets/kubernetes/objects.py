"""Every object of a service, as the Kubernetes API takes it. Pure.

Names are fixed, because other systems refer to them; the ConfigMap's carries a hash of its content,
so that new code is a new ConfigMap and rolls the pods. The Secret is changed in place: the runtime
reads it again, so that a rotated key needs no new pod.
"""

from portway.targets.kubernetes import meter
from portway.targets.kubernetes.alerts import alerts
from portway.targets.kubernetes.network import default_deny, load_balanced, traffic
from portway.targets.kubernetes.pod import pod_spec
from portway.targets.kubernetes.scaling import autoscaler, keda
from portway.targets.kubernetes.service import Service, labels, named, selector
from portway.targets.kubernetes.shapes import Object


def objects(service: Service) -> dict[str, Object]:
    """The objects by role, in the order they are created."""
    found: dict[str, Object] = {
        "namespace": _namespace(service),
        "account": named(service, "v1", "ServiceAccount", automountServiceAccountToken=False),
        "default-deny": default_deny(service),
        "traffic": traffic(service),
        "runtime": named(service, "v1", "ConfigMap", name=service.code, immutable=True),
        "keys": named(service, "v1", "Secret", name=service.secret, type="Opaque"),
        **meter.objects(service),
        "deployment": _deployment(service),
        "service": load_balanced(service),
        "disruption": _disruption(service),
    }
    if service.uses_keda:
        found |= keda(service)
    elif service.is_autoscaled:
        found["autoscaler"] = autoscaler(service)
    return found | alerts(service)


def _namespace(service: Service) -> Object:
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}  # fmt: skip
    versions = {f"{key}-version": "latest" for key in levels}
    metadata: Object = {
        "name": service.namespace,
        "labels": {**labels(service), **levels, **versions},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _deployment(service: Service) -> Object:
    # Whoever scales owns `replicas`: a second owner is a conflict in server-side apply.
    fixed: Object = {} if service.is_autoscaled else {"replicas": service.spec.scaling.max}
    pod = pod_spec(
        service.spec,
        service.model,
        service.region,
        service.flavour,
        service.options,
        service.node,
        account=service.name,
        code=service.code,
        keys=service.secret,
        selector=service.names.selector(),
        counting=meter.counting(service),
    )
    annotations: Object = {
        "portway.dev/runtime-sha256": service.code_sha256,
        "portway.dev/weights": f"{service.model.weights}@{service.model.revision}",
    }
    template: Object = {
        "metadata": {"labels": labels(service), "annotations": annotations},
        "spec": pod,
    }
    return named(
        service,
        "apps/v1",
        "Deployment",
        annotations=_priced(service),
        spec={
            **fixed,
            "selector": {"matchLabels": selector(service)},
            # A surge waits for a GPU that is not there, for ever.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
            },
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": service.ready_within_seconds,
            "template": template,
        },
    )


def _priced(service: Service) -> Object:
    """What a gate cannot know of the nodes: what one costs where no price list says, and whose it is."""
    usd, flavour = service.options.node_usd_per_hour, service.flavour
    return {
        **({} if usd is None else {"portway.dev/node-usd-per-hour": f"{usd:f}"}),
        **({"portway.dev/flavour": flavour} if flavour == "plain" else {}),
    }


def _disruption(service: Service) -> Object:
    # With one replica this admits a drain and a gap: a budget that forbids it blocks every node upgrade.
    rule: Object = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(service)},
    }
    return named(service, "policy/v1", "PodDisruptionBudget", spec=rule)
