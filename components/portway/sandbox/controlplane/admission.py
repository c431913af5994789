"""Why the pods of a workload would not be created: Pod Security, quotas, and what a pod refers to.

The API accepts a Deployment whose pods it will refuse: the refusal meets the ReplicaSet, and only its
condition says so. These functions find the refusals before; every text is the API server's own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

from portway.sandbox.controlplane.objects import (
    Object,
    Value,
    containers_of,
    dig,
    object_at,
    objects_at,
)
from portway.sandbox.controlplane.quantities import parse_quantity

ENFORCE = "pod-security.kubernetes.io/enforce"
LEVELS = ("privileged", "baseline", "restricted")
RESTRICTED_VOLUMES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image",
        "persistentVolumeClaim", "projected", "secret",
    }
)  # fmt: skip
BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
        "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip


def pod_security(namespace: Object, pod_spec: Object) -> str | None:
    """Why the namespace's enforced Pod Security level refuses the pod; None when it does not."""
    labels = object_at(namespace, "metadata", "labels")
    level = str(labels.get(ENFORCE, "privileged"))
    if level not in LEVELS or level == "privileged":
        return None
    found = list(_baseline(pod_spec, restricted=level == "restricted"))
    if level == "restricted":
        found += _restricted(pod_spec)
    if not found:
        return None
    version = labels.get(f"{ENFORCE}-version", "latest")
    return f'violates PodSecurity "{level}:{version}": {", ".join(found)}'


def over_quota(
    quotas: Iterable[Object], pod_spec: Object, replicas: int, used_by_others: Iterable[Object]
) -> str | None:
    """Why the namespace's quotas refuse the last of ``replicas`` pods; None when all fit.

    Args:
        quotas: the ResourceQuota objects of the namespace.
        pod_spec: the pod's spec.
        replicas: how many such pods are wanted.
        used_by_others: the pod specs of every other pod in the namespace, one entry per pod.
    """
    others = list(used_by_others)
    for quota in quotas:
        name = str(dig(quota, "metadata", "name"))
        for key, text in object_at(quota, "spec", "hard").items():
            hard, each = parse_quantity(text), _charge(key, pod_spec)
            if hard is None or each is None:
                continue
            if each == 0 and key.rpartition(".")[2] in ("cpu", "memory"):
                return f"failed quota: {name}: must specify {key}"
            before = sum((_charge(key, spec) or Decimal(0) for spec in others), Decimal(0))
            fitting = replicas if each == 0 else int(max(Decimal(0), hard - before) // each)
            if fitting < replicas:
                used = before + fitting * each
                return (
                    f"exceeded quota: {name}, requested: {key}={each.normalize():f}, "
                    f"used: {key}={used.normalize():f}, limited: {key}={text}"
                )
    return None


def missing_references(
    pod_spec: Object, exists: Callable[[str, str, str], bool]
) -> Iterator[tuple[bool, str]]:
    """What the pod refers to that is not there: (whether the pod cannot even be created, text).

    Args:
        pod_spec: the pod's spec.
        exists: whether an object is there, by apiVersion, kind and name.
    """
    account = str(pod_spec.get("serviceAccountName") or "default")
    if account != "default" and not exists("v1", "ServiceAccount", account):
        yield (
            True,
            f'error looking up service account {account}: serviceaccount "{account}" not found',
        )
    priority = pod_spec.get("priorityClassName")
    if priority and not exists("scheduling.k8s.io/v1", "PriorityClass", str(priority)):
        yield True, f"no PriorityClass with name {priority} was found"
    runtime = pod_spec.get("runtimeClassName")
    if runtime and not exists("node.k8s.io/v1", "RuntimeClass", str(runtime)):
        yield True, f'pod rejected: RuntimeClass "{runtime}" not found'
    for volume in objects_at(pod_spec, "volumes"):
        for kind, field, key in (
            ("ConfigMap", "configMap", "name"),
            ("Secret", "secret", "secretName"),
        ):
            source = object_at(volume, field)
            name = source.get(key)
            if name and not source.get("optional") and not exists("v1", kind, str(name)):
                yield (
                    False,
                    f'MountVolume.SetUp failed for volume "{volume.get("name")}" : {kind.lower()} "{name}" not found',
                )
        claim = object_at(volume, "persistentVolumeClaim").get("claimName")
        if claim and not exists("v1", "PersistentVolumeClaim", str(claim)):
            yield False, f'0/1 nodes are available: persistentvolumeclaim "{claim}" not found.'


def _charge(key: str, pod_spec: Object) -> Decimal | None:
    """What one pod is charged under a quota's ``key``; None for keys that do not count pods."""
    if key in ("pods", "count/pods"):
        return Decimal(1)
    side, dot, resource = key.partition(".")
    if not dot and key in ("cpu", "memory"):
        side, resource = "requests", key
    if side not in ("requests", "limits") or not resource:
        return None
    return sum(
        (
            parse_quantity(object_at(c, "resources", side).get(resource, "0")) or Decimal(0)
            for where, c in containers_of(pod_spec)
            if where.startswith("containers")
        ),
        Decimal(0),
    )


def _baseline(spec: Object, *, restricted: bool) -> Iterator[str]:
    host = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    if host:
        yield f"host namespaces ({', '.join(f'{key}=true' for key in host)})"
    paths = [v["name"] for v in objects_at(spec, "volumes") if "hostPath" in v]
    if paths and not restricted:
        yield f"hostPath volumes ({_named('volume', paths)})"
    privileged = _containers(spec, lambda c: bool(dig(c, "securityContext", "privileged")))
    if privileged:
        yield f"privileged ({_named('container', privileged)} must not set securityContext.privileged=true)"
    ports = _containers(spec, lambda c: any(p.get("hostPort") for p in objects_at(c, "ports")))
    if ports:
        yield f"hostPort ({_named('container', ports)} uses hostPorts)"
    if restricted:
        return
    added = _containers(spec, lambda c: not _added(c) <= BASELINE_CAPABILITIES)
    if added:
        yield f"non-default capabilities ({_named('container', added)} must not include non-default capabilities in securityContext.capabilities.add)"


def _restricted(spec: Object) -> Iterator[str]:
    context = object_at(spec, "securityContext")
    escalating = _containers(
        spec, lambda c: dig(c, "securityContext", "allowPrivilegeEscalation") is not False
    )
    if escalating:
        yield f"allowPrivilegeEscalation != false ({_named('container', escalating)} must set securityContext.allowPrivilegeEscalation=false)"
    capable = _containers(spec, _keeps_capabilities)
    if capable:
        yield f'unrestricted capabilities ({_named("container", capable)} must set securityContext.capabilities.drop=["ALL"])'
    odd = [v["name"] for v in objects_at(spec, "volumes") if not _allowed_volume(v)]
    if odd:
        yield f"restricted volume types ({_named('volume', odd)} have restricted types)"
    root = _containers(spec, lambda c: _either(c, context, "runAsNonRoot") is not True)
    if root:
        yield f"runAsNonRoot != true (pod or {_named('container', root)} must set securityContext.runAsNonRoot=true)"
    zero = _containers(spec, lambda c: _either(c, context, "runAsUser") == 0)
    if zero:
        yield f"runAsUser=0 ({_named('container', zero)} must not set runAsUser=0)"
    profile = _containers(
        spec, lambda c: _profile(c, context) not in ("RuntimeDefault", "Localhost")
    )
    if profile:
        yield f'seccompProfile (pod or {_named("container", profile)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'


def _containers(spec: Object, wrong: Callable[[Object], bool]) -> list[str]:
    return [str(c.get("name")) for _, c in containers_of(spec) if wrong(c)]


def _named(word: str, names: list[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"{word}{'s' if len(names) > 1 else ''} {listed}"


def _added(container: Object) -> set[str]:
    return set(dig(container, "securityContext", "capabilities", "add") or ())


def _keeps_capabilities(container: Object) -> bool:
    dropped = dig(container, "securityContext", "capabilities", "drop") or ()
    return "ALL" not in dropped or not _added(container) <= {"NET_BIND_SERVICE"}


def _allowed_volume(volume: Object) -> bool:
    return all(key in RESTRICTED_VOLUMES for key in volume if key != "name")


def _either(container: Object, pod: Mapping[str, Value], key: str) -> Value:
    own = dig(container, "securityContext", key)
    return pod.get(key) if own is None else own


def _profile(container: Object, pod: Mapping[str, Value]) -> Value:
    return dig(container, "securityContext", "seccompProfile", "type") or dig(
        pod, "seccompProfile", "type"
    )
