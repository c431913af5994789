"""Kubernetes objects as they are deployed: pod templates as containers and volumes, selectors, scalers."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from portway.sandbox.dataplane.containers import Container, Mount
from portway.sandbox.dataplane.probes import Probe
from portway.sandbox.dataplane.volumes import Disk, Files
from portway.sandbox.dataplane.world import PlatformError, World, child, items, number, text
from portway.sandbox.store import Json, Row

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
WEIGHTS = "portway.dev/weights"
GROUP = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"
SERVICE = "kubernetes:core/v1:Service"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - a type token
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
DEFAULT_DEADLINE_SECONDS = 600.0
GROUP_DEADLINE_SECONDS = 3600.0
"""A group of pods is never given up; here it is said after this time that it does not start."""

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True)
class PodTemplate:
    """What every pod of a Deployment runs; ``digest`` changes when the pods must be replaced."""

    containers: tuple[Container, ...]
    volumes: Mapping[str, Files | Disk]
    labels: Mapping[str, str]
    digest: str


def workloads(world: World) -> list[Row]:
    """What runs pods that serve: Deployments, and LeaderWorkerSets by the pod that leads each group."""
    return [*world.of(DEPLOYMENT), *(_by_leader(row) for row in world.of(GROUP))]


def _by_leader(row: Row) -> Row:
    """A LeaderWorkerSet in a Deployment's form. Its workers compute nothing here, and do not run."""
    spec = child(row.inputs, "spec")
    group = child(spec, "leaderWorkerTemplate")
    template = group.get("leaderTemplate") or child(group, "workerTemplate")
    pod = child(template, "spec")
    told = [
        {"name": "LWS_LEADER_ADDRESS", "value": "127.0.0.1"},
        {"name": "LWS_GROUP_SIZE", "value": str(int(number(group, "size", 1)))},
        {"name": "LWS_WORKER_INDEX", "value": "0"},
    ]
    containers = [
        {**each, "env": [*told, *items(each, "env")]} for each in items(pod, "containers")
    ]
    leader = {**template, "spec": {**pod, "containers": containers}}
    declared = {"template": leader, "progressDeadlineSeconds": GROUP_DEADLINE_SECONDS}
    replicas = {"replicas": spec["replicas"]} if "replicas" in spec else {}
    return replace(row, inputs={**row.inputs, "spec": {**replicas, **declared}})


def name_of(row: Row) -> str:
    """The object's own name."""
    return text(child(row.inputs, "metadata"), "name") or row.key.id.rpartition("/")[2]


def namespace_of(row: Row) -> str:
    """The object's namespace."""
    return text(child(row.inputs, "metadata"), "namespace") or "default"


def selected(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether ``labels`` have everything that ``selector`` asks; an empty one selects nothing."""
    return bool(selector) and selector.items() <= labels.items()


def template_digest(row: Row) -> str:
    """Changes when a Deployment would replace its pods."""
    declared = child(child(row.inputs, "spec"), "template")
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:10]


def read_pod_template(row: Row, world: World) -> PodTemplate:
    """The pods of a Deployment.

    Raises:
        PlatformError: a volume or variable refers to what is not there, or to a kind the sandbox lacks.
    """
    template = child(child(row.inputs, "spec"), "template")
    pod = child(template, "spec")
    source = Source(row, world)
    containers: list[Container] = []
    before: tuple[str, ...] = ()
    for declared in items(pod, "initContainers"):
        sidecar = text(declared, "restartPolicy") == "Always"
        made = _container(declared, source, before, completes=not sidecar)
        containers.append(made)
        before = (*before, made.name)
    containers += [_container(c, source, before, completes=False) for c in items(pod, "containers")]
    return PodTemplate(
        tuple(containers),
        {text(v, "name"): source.volume(v) for v in items(pod, "volumes")},
        {key: str(value) for key, value in child(child(template, "metadata"), "labels").items()},
        template_digest(row),
    )


class Source:
    """ConfigMaps and Secrets of a Deployment's namespace."""

    def __init__(self, row: Row, world: World) -> None:
        self._row = row
        self._world = world

    def data(self, kind: str, name: str) -> dict[str, bytes]:
        """The keys of a ConfigMap or a Secret.

        Raises:
            PlatformError: it is not there; the kubelet's sentence.
        """
        for row in neighbours(self._world, self._row, kind):
            if name_of(row) == name:
                return _data(row)
        noun = "configmap" if kind == CONFIG_MAP else "secret"
        raise PlatformError(f'{noun} "{name}" not found')

    def volume(self, declared: Json) -> Files | Disk:
        """The files of one volume."""
        for field, kind, key in (
            ("configMap", CONFIG_MAP, "name"),
            ("secret", SECRET, "secretName"),
        ):
            if field in declared:
                chosen = child(declared, field)
                return _chosen(self.data(kind, text(chosen, key)), chosen)
        if "emptyDir" in declared:
            return {}
        # nothing is pulled from a registry or a bucket here: the weights that the pod names stand in
        if "image" in declared or "csi" in declared:
            return _weights(self._row)
        if "persistentVolumeClaim" in declared:
            return self._disk(text(child(declared, "persistentVolumeClaim"), "claimName"))
        if "projected" in declared:
            files: dict[str, bytes] = {}
            for each in items(child(declared, "projected"), "sources"):
                for field, kind in (("configMap", CONFIG_MAP), ("secret", SECRET)):
                    if field in each:
                        one = child(each, field)
                        files |= _chosen(self.data(kind, text(one, "name")), one)
            return files
        kind = next((key for key in declared if key != "name"), "none")
        raise PlatformError(
            f'MountVolume.SetUp failed for volume "{text(declared, "name")}": the sandbox has configMap, secret, projected, emptyDir, image, csi and persistentVolumeClaim volumes, not {kind}'
        )

    def _disk(self, claim: str) -> Disk:
        for row in neighbours(self._world, self._row, CLAIM):
            if name_of(row) == claim:
                return disk_of(row, self._world)
        raise PlatformError(f'persistentvolumeclaim "{claim}" not found')

    def environment(self, declared: Json) -> dict[str, str]:
        """A container's variables, with references to those before them filled in."""
        found: dict[str, str] = {}
        for each in items(declared, "envFrom"):
            for field, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
                if field in each:
                    data = self.data(kind, text(child(each, field), "name"))
                    prefix = text(each, "prefix")
                    found |= {prefix + key: value.decode() for key, value in data.items()}
        for variable in items(declared, "env"):
            reference = child(variable, "valueFrom")
            value = self._value(reference) if reference else text(variable, "value")
            found[text(variable, "name")] = expand(value, found)
        return found

    def _value(self, reference: Json) -> str:
        for field, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
            if field in reference:
                chosen = child(reference, field)
                key = text(chosen, "key")
                data = self.data(kind, text(chosen, "name"))
                if key not in data:
                    raise PlatformError(f"couldn't find key {key} in {text(chosen, 'name')}")
                return data[key].decode()
        path = text(child(reference, "fieldRef"), "fieldPath")
        known = {
            "metadata.namespace": namespace_of(self._row),
            "metadata.name": name_of(self._row),
            "status.podIP": "127.0.0.1",
            "status.hostIP": "127.0.0.1",
            "spec.nodeName": "sandbox",
        }
        if path not in known:
            raise PlatformError(
                f"the sandbox cannot fill in an environment variable from {path or reference}"
            )
        return known[path]


def _weights(workload: Row) -> dict[str, bytes]:
    template = child(child(workload.inputs, "spec"), "template")
    said = text(child(child(template, "metadata"), "annotations"), WEIGHTS)
    name, _, revision = said.partition("@")
    return weights_files(f"{name}/{revision}") if revision else {}


def weights_files(folder: str) -> dict[str, bytes]:
    """What stands for a model's weights in ``folder``, in both formats: files with nothing in them."""
    names = ("config.json", "consolidated.safetensors", "model.safetensors", "params.json")
    return {f"{folder}/{name}": b"{}" for name in names}


def disk_of(claim: Row, world: World) -> Disk:
    """The folder that stands for a claim's volume; another one once the claim is made again."""
    metadata = child(claim.outputs, "metadata")
    made = metadata.get("uid") or metadata
    digest = hashlib.sha256(f"{claim.key} {made}".encode()).hexdigest()
    return Disk(world.root / "disks" / digest[:32])


def expand(value: str, variables: Mapping[str, str]) -> str:
    """``value`` with ``$(NAME)`` filled in where NAME is known; ``$$`` is one dollar sign."""

    def known(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(known, value)


def _container(
    declared: Json, source: Source, before: Sequence[str], *, completes: bool
) -> Container:
    environment = source.environment(declared)
    ports = {text(p, "name"): int(p["containerPort"]) for p in items(declared, "ports")}
    limits = child(child(declared, "resources"), "limits")
    claims = items(child(declared, "resources"), "claims")
    words = [
        [expand(str(word), environment) for word in items(declared, field)]
        for field in ("command", "args")
    ]
    probes = [
        _probe(child(declared, f"{kind}Probe"), ports)
        for kind in ("startup", "liveness", "readiness")
    ]
    return Container(
        name=text(declared, "name"),
        image=text(declared, "image"),
        command=tuple(words[0]),
        arguments=tuple(words[1]),
        environment=environment,
        mounts=tuple(
            Mount(text(m, "mountPath"), text(m, "name"), text(m, "subPath"))
            for m in items(declared, "volumeMounts")
        ),
        ports=tuple(int(p["containerPort"]) for p in items(declared, "ports")),
        startup=probes[0],
        liveness=probes[1],
        readiness=probes[2],
        after=tuple(before),
        has_gpu=bool(claims) or any(_is_gpu(name, limits) for name in limits),
        runs_to_completion=completes,
    )


def _is_gpu(name: str, limits: Json) -> bool:
    """A whole GPU, a share of one, or a MIG partition."""
    return name.startswith(("nvidia.com/gpu", "nvidia.com/mig-")) and text(limits, name) != "0"


def _probe(declared: Json, ports: Mapping[str, int]) -> Probe | None:
    http, tcp = declared.get("httpGet"), declared.get("tcpSocket")
    action: Json | None = http or tcp
    if not declared:
        return None
    if action is None:
        raise PlatformError("the sandbox runs httpGet and tcpSocket probes only")
    port = action.get("port")
    return Probe(
        kind="http" if http else "tcp",
        port=ports[port] if isinstance(port, str) and port in ports else int(port or 0),
        path=text(action, "path") or "/",
        headers={text(h, "name"): text(h, "value") for h in items(action, "httpHeaders")},
        initial_delay_seconds=number(declared, "initialDelaySeconds", 0),
        period_seconds=number(declared, "periodSeconds", 10),
        timeout_seconds=number(declared, "timeoutSeconds", 1),
        failure_threshold=int(number(declared, "failureThreshold", 3)),
    )


def neighbours(world: World, row: Row, kind: str) -> list[Row]:
    """The objects of type ``kind`` in the namespace of ``row``."""
    return [
        each for each in world.of(kind)
        if each.key.scope == row.key.scope and namespace_of(each) == namespace_of(row)
    ]  # fmt: skip


def _data(row: Row) -> dict[str, bytes]:
    plain = {**child(row.inputs, "stringData")}
    encoded = {**child(row.inputs, "binaryData")}
    (encoded if row.key.type == SECRET else plain).update(child(row.inputs, "data"))
    decoded = {key: base64.b64decode(str(value)) for key, value in encoded.items()}
    return decoded | {key: str(value).encode() for key, value in plain.items()}


def _chosen(data: Mapping[str, bytes], declared: Json) -> dict[str, bytes]:
    wanted = items(declared, "items")
    if not wanted:
        return dict(data)
    missing = [text(item, "key") for item in wanted if text(item, "key") not in data]
    if missing:
        raise PlatformError(f"references non-existent config key: {missing[0]}")
    return {text(item, "path"): data[text(item, "key")] for item in wanted}
