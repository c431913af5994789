"""What the Kubernetes provider knows about fields: which force a replacement, which are the program's."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, cast

from portway.sandbox.controlplane.objects import Object, object_at
from portway.sandbox.providers.wire import Json, Value

AUTONAMED = "pulumi.com/autonamed"
PATCH_FORCE = "pulumi.com/patchForce"

_ALWAYS = ("apiVersion", "kind", "metadata.name", "metadata.namespace")

# The forceNew table of the provider, by kind (pulumi-kubernetes, provider/pkg/provider/diff.go).
_REPLACES: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "StatefulSet": (
        "spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector", "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "Job": ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    "Service": ("spec.clusterIP",),
    "PersistentVolumeClaim": (
        "spec.accessModes", "spec.resources", "spec.selector", "spec.storageClassName",
        "spec.volumeName",
    ),
    "ResourceQuota": ("spec.scopes",),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "StorageClass": ("parameters", "provisioner"),
    "Pod": ("spec",),
    "Secret": ("type",),
}  # fmt: skip
_CONTENT: Mapping[str, tuple[str, ...]] = {
    "Secret": ("data", "stringData"),
    "ConfigMap": ("data", "binaryData"),
}
_MUTABLE = {"Secret": "enableSecretMutable", "ConfigMap": "enableConfigMapMutable"}
_ASSIGNED = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
)  # fmt: skip


def replaces(kind: str, config: Json, inputs: Json) -> tuple[str, ...]:
    """Property paths whose change means a new object.

    The content of a Secret or ConfigMap is among them unless the provider was configured to change it
    in place; content that is marked immutable always is.
    """
    paths = (*_ALWAYS, *_REPLACES.get(kind, ()))
    if kind not in _CONTENT:
        return paths
    in_place = config.get(_MUTABLE[kind]) is True and inputs.get("immutable") is not True
    return paths if in_place else (*paths, *_CONTENT[kind])


def takes_over(config: Json, inputs: Json) -> bool:
    """Whether fields that somebody else owns now are to be taken back: said of the provider or the object."""
    annotations = object_at(inputs, "metadata", "annotations")
    return config.get("enablePatchForce") is True or annotations.get(PATCH_FORCE) == "true"


def is_autonamed(inputs: Json) -> bool:
    """Whether the provider made the name."""
    return object_at(inputs, "metadata", "annotations").get(AUTONAMED) == "true"


def program_side(live: Object, inputs: Json) -> Json:
    """What of ``live`` the program wrote, as it is now: the inputs that a refresh reports.

    A field the program never set is not its business. Without inputs (an import) it is everything but
    what the cluster assigned.
    """
    if not inputs:
        return _imported(live)
    found = cast("Json", _projected(live, inputs))
    texts = object_at(inputs, "stringData")
    if texts:
        stored = object_at(live, "data")
        kept = {key: text for key, text in texts.items() if stored.get(key) == _encoded(text)}
        found["stringData"] = kept
    return found


def _imported(live: Object) -> Json:
    wanted = {key: value for key, value in live.items() if key != "status"}
    metadata = object_at(live, "metadata")
    wanted["metadata"] = {key: value for key, value in metadata.items() if key not in _ASSIGNED}
    return wanted


def _projected(live: Value, like: Value) -> Value:
    if isinstance(live, dict) and isinstance(like, dict):
        known = cast("dict[str, Any]", live)
        wanted = cast("dict[str, Any]", like)
        return {key: _projected(known[key], each) for key, each in wanted.items() if key in known}
    if isinstance(live, list) and isinstance(like, list):
        items, wanted_items = cast("list[Any]", live), cast("list[Any]", like)
        if len(items) == len(wanted_items):
            return [_projected(a, b) for a, b in zip(items, wanted_items, strict=True)]
    return cast("Value", live)


def _encoded(text: object) -> str:
    return b64encode(str(text).encode()).decode()
