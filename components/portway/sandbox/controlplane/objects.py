"""Kubernetes objects as plain data: what names one, where it lives, how its kind is spelt."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

Object = dict[str, Any]
Value = Any  # any JSON value

CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "CustomResourceDefinition",
        "DeviceClass",
        "DeviceTaintRule",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "StorageVersion",
        "SelfSubjectReview",
        "TokenReview",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)
"""Built-in kinds that live outside namespaces; every other built-in kind lives in one."""


@dataclass(frozen=True)
class Ref:
    """What makes one object unique in a cluster."""

    api_version: str
    kind: str
    name: str
    namespace: str | None = None

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "Ref":
        """The reference to ``obj``, by what it says of itself."""
        metadata = object_at(obj, "metadata")
        return cls(
            str(obj.get("apiVersion", "")),
            str(obj.get("kind", "")),
            str(metadata.get("name", "")),
            metadata.get("namespace"),
        )

    @property
    def id(self) -> str:
        """``namespace/name``, or the name alone outside namespaces."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        return group_of(self.api_version)

    @property
    def token(self) -> str:
        """Pulumi's type token of the kind."""
        return token_of(self.api_version, self.kind)

    @property
    def resource(self) -> str:
        """The plural with its group, as error messages of the API name a kind."""
        return qualified(plural(self.kind), self.group)

    @property
    def qualified_kind(self) -> str:
        """The kind with its group, as validation errors of the API name it."""
        return qualified(self.kind, self.group)


def group_of(api_version: str) -> str:
    """``apps`` of ``apps/v1``; empty for ``v1``."""
    return api_version.rpartition("/")[0]


def qualified(word: str, group: str) -> str:
    """``deployments.apps``; a core resource stays as it is."""
    return f"{word}.{group}" if group else word


def plural(kind: str) -> str:
    """The resource name of a built-in ``kind``."""
    lower = kind.lower()
    if lower.endswith("endpoints"):
        return lower
    if lower.endswith("s"):
        return f"{lower}es"
    consonant_y = lower.endswith("y") and lower[-2:-1] not in "aeiou"
    return f"{lower[:-1]}ies" if consonant_y else f"{lower}s"


def token_of(api_version: str, kind: str) -> str:
    """``kubernetes:core/v1:Service`` of ``v1`` and ``Service``."""
    return f"kubernetes:{api_version if '/' in api_version else f'core/{api_version}'}:{kind}"


def without_nulls(value: Value) -> Value:
    """``value`` without the members that are null: to the API they were never written."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {key: without_nulls(item) for key, item in members.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in cast("list[Any]", value)]
    return value


def compact(value: Value) -> str:
    """``value`` as the API server prints it in a message."""
    return json.dumps(value, separators=(",", ":"))


def dig(obj: Value, *path: str) -> Value:
    """The value at ``path`` or None, whatever is missing on the way."""
    for step in path:
        if not isinstance(obj, dict):
            return None
        obj = cast("dict[str, Any]", obj).get(step)
    return obj


def object_at(obj: Value, *path: str) -> Object:
    """The object at ``path``; an empty one when it is missing or something else."""
    found = dig(obj, *path)
    return cast("Object", found) if isinstance(found, dict) else {}


def objects_at(obj: Value, *path: str) -> list[Object]:
    """The list of objects at ``path``; empty when it is missing or something else."""
    found = dig(obj, *path)
    if not isinstance(found, list):
        return []
    return [item for item in cast("list[Any]", found) if isinstance(item, dict)]


def pod_template(obj: Mapping[str, Any]) -> Object | None:
    """The pod template of a workload, or a Pod itself; None for anything else."""
    if obj.get("kind") == "Pod":
        return dict(obj)
    template = dig(obj, "spec", "template")
    if obj.get("kind") == "CronJob":
        template = dig(obj, "spec", "jobTemplate", "spec", "template")
    if obj.get("kind") == "LeaderWorkerSet":
        group = object_at(obj, "spec", "leaderWorkerTemplate")
        template = group.get("leaderTemplate") or group.get("workerTemplate")
    return cast("Object", template) if isinstance(template, dict) else None


def containers_of(pod_spec: Value) -> Iterator[tuple[str, Object]]:
    """Every container of a pod with its path inside the pod's spec."""
    for field in ("initContainers", "containers"):
        for index, container in enumerate(objects_at(pod_spec, field)):
            yield f"{field}[{index}]", container
