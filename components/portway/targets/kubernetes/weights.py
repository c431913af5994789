"""Where a pod finds the model's weights. Pure.

Whatever brings them, they lie in a folder ``<owner>/<name>/<revision>``, as in the buckets that other
targets read: where another revision lies, the engine does not start.
"""

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from portway.images import image
from portway.models import Model
from portway.targets.kubernetes.containers import POD_SECURITY, RESTRICTED, env_list
from portway.targets.kubernetes.scheduling import beside_gpus
from portway.targets.kubernetes.service import Service, labels, named
from portway.targets.kubernetes.shapes import Object
from portway.targets.kubernetes.timing import download_seconds

WEIGHTS_MOUNT: Final = "/models"
HTTPS_PORT: Final = 443
HTTP_PORT: Final = 80
LOADER: Final = "weights-loader"

_HARMONY: Final = ("--tool-call-parser", "openai")

GOOGLE_APIS: Final = "199.36.153.8/30"
"""private.googleapis.com (Private Google Access, domain options)."""

METADATA_SERVER: Final[tuple[tuple[str, int], ...]] = (
    ("169.254.169.252/32", 988), ("169.254.169.254/32", 80),
)  # fmt: skip
"""GKE's metadata server, which hands pods their identity (Workload Identity Federation for GKE, network
policies)."""

PRIVATE_NETWORKS: Final = (
    "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
)  # fmt: skip
"""What a pod never needs to reach: other workloads, and the cloud's metadata server (RFC 1918,
RFC 6598, RFC 3927)."""

SPARE: Final = Decimal("1.15")
SMALLEST_GIB: Final = 10
_GIB_PER_GB: Final = Decimal(10**9) / Decimal(2**30)


def is_mounted(service: Service) -> bool:
    """Whether weights are there before the engine starts, so that it loads nothing itself."""
    options = service.options
    return bool(options.weights_image or options.weights_volume or options.weights_bucket)


def weights_gib(model: Model) -> int:
    """Size of the weights in whole GiB."""
    return int((model.weights_gb * _GIB_PER_GB).to_integral_value(ROUND_CEILING))


def disk_gib(service: Service) -> int:
    """Size of the disk with the weights, in GiB."""
    chosen = service.options.weights_volume
    if chosen is not None and chosen.size_gib is not None:
        return chosen.size_gib
    needed = Decimal(weights_gib(service.model)) * SPARE
    return max(int(needed.to_integral_value(ROUND_CEILING)), SMALLEST_GIB)


def folder(model: Model) -> str:
    """Where the weights lie below the volume."""
    return f"{model.weights}/{model.revision}"


def arguments(service: Service) -> tuple[str, ...]:
    """What the engine is told of the weights: a folder, or a name and a revision of the hub."""
    model = service.model
    if is_mounted(service):
        return ("--model", f"{WEIGHTS_MOUNT}/{folder(model)}")
    return ("--model", model.weights, "--revision", str(model.revision))


def is_harmony(model: Model) -> bool:
    """Whether the engine reads OpenAI's vocabulary, which is no part of the hub's repository."""
    return _HARMONY in zip(model.vllm, model.vllm[1:], strict=False)


def env(service: Service) -> dict[str, str]:
    """What tells the engine where weights are; mounted ones are looked for nowhere else."""
    mirror, model = service.options.weights_mirror, service.model
    if not is_mounted(service):
        return {} if mirror is None else {"HF_ENDPOINT": mirror}
    words = {"TIKTOKEN_ENCODINGS_BASE": f"{WEIGHTS_MOUNT}/{folder(model)}"}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return {**offline, **(words if is_harmony(model) else {})}


def volumes(service: Service) -> list[JsonValue]:
    """The pod's volume with the weights; none where the engine loads them into its cache."""
    options = service.options
    if options.weights_image is not None:
        held: Object = {"reference": options.weights_image, "pullPolicy": "IfNotPresent"}
        return [{"name": "weights", "image": held}]
    if options.weights_volume is not None:
        claim: Object = {"claimName": service.weights, "readOnly": True}
        return [{"name": "weights", "persistentVolumeClaim": claim}]
    if options.weights_bucket is not None:
        bucket = urlsplit(options.weights_bucket)
        folder = bucket.path.strip("/")
        below = f",only-dir={folder}" if folder else ""
        driver: Object = {
            "driver": "gcsfuse.csi.storage.gke.io",
            "readOnly": True,
            "volumeAttributes": {
                "bucketName": bucket.netloc,
                "mountOptions": f"implicit-dirs{below}",
            },
        }
        return [{"name": "weights", "csi": driver}]
    return []


def mounts(service: Service) -> list[JsonValue]:
    """Where the engine sees them: it never writes there."""
    if not is_mounted(service):
        return []
    return [{"name": "weights", "mountPath": WEIGHTS_MOUNT, "readOnly": True}]


def annotations(service: Service) -> dict[str, JsonValue]:
    """What GKE must be told of a pod that mounts a bucket."""
    return {"gke-gcsfuse/volumes": "true"} if service.options.weights_bucket else {}


def egress(service: Service) -> list[JsonValue]:
    """What the service's pods need of the network to get the weights."""
    options = service.options
    if options.weights_bucket is not None:
        networks = options.weights_networks or (GOOGLE_APIS,)
        peers: list[JsonValue] = [_block(one) for one in networks]
        identity = [_rule([_block(cidr)], port) for cidr, port in METADATA_SERVER]
        return [_rule(peers, HTTPS_PORT), *identity]
    return [] if is_mounted(service) else [source(service)]


def source(service: Service) -> Object:
    """The mirror's addresses; without a mirror the public internet, where the hub's may change."""
    mirror = service.options.weights_mirror
    if mirror is None:
        hub: Object = {"cidr": "0.0.0.0/0", "except": list(PRIVATE_NETWORKS)}
        return _rule([{"ipBlock": hub}], HTTPS_PORT)
    url = urlsplit(mirror)
    usual = HTTPS_PORT if url.scheme == "https" else HTTP_PORT
    return _rule([_block(one) for one in service.options.weights_networks], url.port or usual)


def objects(service: Service) -> dict[str, Object]:
    """The disk and the Job that fills it; none where weights come another way."""
    chosen = service.options.weights_volume
    if chosen is None:
        return {}
    mode = "ReadWriteMany" if chosen.shared else "ReadWriteOnce"
    claim: Object = {
        "accessModes": [mode],
        "storageClassName": chosen.storage_class,
        "resources": {"requests": {"storage": f"{disk_gib(service)}Gi"}},
    }
    return {
        "weights-volume": named(
            service,
            "v1",
            "PersistentVolumeClaim",
            name=service.weights,
            # Many classes make the disk only when a pod asks for it: waiting here would wait for ever.
            annotations={"pulumi.com/skipAwait": "true"},
            spec=claim,
        ),
        "weights-loader": _loader(service),
    }


def loader_labels(service: Service) -> Object:
    """The labels that tell the loader's pod from the service's own."""
    return {
        "app.kubernetes.io/name": LOADER,
        "app.kubernetes.io/component": "weights",
        "app.kubernetes.io/instance": service.names.physical(),
    }


def _loader(service: Service) -> Object:
    """A Job for each revision: its pod never changes, so that another revision has another name."""
    model, own = service.model, loader_labels(service)
    name = service.names.physical(f"weights-{str(model.revision)[:8]}")
    deadline = 3 * int(download_seconds(model)) + 900
    return named(
        service,
        "batch/v1",
        "Job",
        name=name,
        spec={
            "backoffLimit": 3,
            "activeDeadlineSeconds": deadline,
            "template": {
                "metadata": {"labels": {**labels(service), **own}},
                "spec": _loader_pod(service),
            },
        },
    )


def _loader_pod(service: Service) -> Object:
    return {
        "restartPolicy": "Never",
        "serviceAccountName": service.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "affinity": {"nodeAffinity": beside_gpus(service.region, service.node)},
        "containers": [_loader_container(service)],
        "volumes": [
            {"name": "weights", "persistentVolumeClaim": {"claimName": service.weights}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
        ],
    }


def _loader_container(service: Service) -> Object:
    mirror, model = service.options.weights_mirror, service.model
    home = {
        "HOME": "/tmp", "HF_HOME": "/tmp/huggingface",  # noqa: S108 - a volume of the pod's own
        "HF_HUB_DISABLE_TELEMETRY": "1", **({} if mirror is None else {"HF_ENDPOINT": mirror}),
    }  # fmt: skip
    return {
        "name": "loader",
        "image": image("vllm").reference(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["hf"],
        "args": [
            *("download", model.weights, "--revision", str(model.revision)),
            *("--local-dir", f"{WEIGHTS_MOUNT}/{folder(model)}"),
        ],
        "env": env_list(home),
        "resources": {
            "requests": {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "2Gi"},
            "limits": {"memory": "4Gi", "ephemeral-storage": "4Gi"},
        },
        "securityContext": RESTRICTED,
        "volumeMounts": [
            {"name": "weights", "mountPath": WEIGHTS_MOUNT},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
    }


def notes(service: Service) -> Iterator[str]:
    """What the plan says of the way weights come."""
    options, model = service.options, service.model
    place = folder(model)
    if options.weights_image is not None:
        yield f"weights are read from {options.weights_image}, which must hold {place}"
    elif options.weights_bucket is not None:
        private = (
            ""
            if options.weights_networks
            else ("; *.googleapis.com must lead to private.googleapis.com for the cluster's pods")
        )
        yield f"weights are read from {options.weights_bucket}, which must hold {place}{private}"
    elif options.weights_mirror is None and service.spec.residency:
        who = "the Job that loads weights" if options.weights_volume else "pods"
        yield (
            f"weights come from the Hugging Face hub, so {who} may reach every public address on port "
            "443, and the residency pack advises against that; name a mirror (options.weights_mirror and "
            "options.weights_networks)"
        )
    if is_mounted(service) and is_harmony(model):
        yield (
            f"{model.id} reads o200k_base.tiktoken and cl100k_base.tiktoken from the folder of its weights: "
            "put them there too, or vLLM does not start"
        )


def _block(cidr: str) -> Object:
    return {"ipBlock": {"cidr": cidr}}


def _rule(peers: list[JsonValue] | list[Object], port: int) -> Object:
    return {"to": list(peers), "ports": [{"protocol": "TCP", "port": port}]}
