"""What one stored cluster holds: its kinds, its namespaces, and what keeps pods from starting."""

from collections.abc import Mapping
from dataclasses import dataclass

from portway.sandbox.controlplane import schema
from portway.sandbox.controlplane.admission import missing_references, over_quota, pod_security
from portway.sandbox.controlplane.errors import no_match
from portway.sandbox.controlplane.objects import (
    CLUSTER_SCOPED,
    Object,
    Ref,
    Value,
    dig,
    object_at,
    objects_at,
    pod_template,
    token_of,
)
from portway.sandbox.store import Key, Row, Store

BUILT_IN_NAMESPACES = frozenset(
    {"default", "kube-system", "kube-public", "kube-node-lease", "keda"}
)
VERSION_KEY = "kubernetes.version"


@dataclass(frozen=True)
class Cluster:
    """One cluster of the store, read only.

    Attributes:
        store: what the sandbox remembers.
        context: the kubeconfig context that names the cluster: any name is a cluster of its own.
    """

    store: Store
    context: str

    @property
    def version(self) -> str:
        """The Kubernetes release whose schemas objects are judged by."""
        return self.store.meta(VERSION_KEY) or schema.OLDEST_VERSION

    def is_built_in(self, api_version: str, kind: str) -> bool:
        """Whether the kind needs no CRD."""
        return schema.is_built_in(api_version, kind, self.version)

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Whether objects of that kind live in a namespace.

        Raises:
            ApiError: nobody knows the kind.
        """
        if self.is_built_in(api_version, kind):
            return kind not in CLUSTER_SCOPED
        return bool(self.custom(api_version, kind)["namespaced"])

    def custom(self, api_version: str, kind: str) -> Mapping[str, Value]:
        """Scope and schema of a custom kind, from the shipped CRDs or one that was applied.

        Raises:
            ApiError: no such CRD.
        """
        shipped = schema.shipped_crds().get(f"{api_version}/{kind}")
        if shipped is not None:
            return shipped
        group, _, version = api_version.rpartition("/")
        for row in self.rows(token_of("apiextensions.k8s.io/v1", "CustomResourceDefinition")):
            spec = object_at(row.outputs, "spec")
            if spec.get("group") != group or dig(spec, "names", "kind") != kind:
                continue
            for served in objects_at(spec, "versions"):
                if served.get("name") == version and served.get("served"):
                    judged = object_at(served, "schema", "openAPIV3Schema")
                    return {"namespaced": spec.get("scope") == "Namespaced", "schema": judged}
        raise no_match(api_version, kind)

    def namespace(self, name: str) -> Object | None:
        """The namespace called ``name``; None when there is none."""
        row = self.store.get(self.key(Ref("v1", "Namespace", name)))
        if row is not None:
            return row.outputs
        return {"metadata": {"name": name}} if name in BUILT_IN_NAMESPACES else None

    def rows(self, token: str | None = None) -> list[Row]:
        """Every object of the cluster, of one kind where given."""
        rows = self.store.all(cloud="kubernetes", type=token)
        return [row for row in rows if row.key.scope == self.context]

    def key(self, ref: Ref) -> Key:
        """Where the store keeps the object; without a namespace it is in ``default``."""
        if self.is_namespaced(ref.api_version, ref.kind) and not ref.namespace:
            ref = Ref(ref.api_version, ref.kind, ref.name, "default")
        return Key("kubernetes", self.context, ref.token, ref.id)

    def obstacles(self, workload: Object, replicas: int) -> tuple[list[str], list[str]]:
        """Why pods of ``workload`` cannot be created, and why created ones cannot start."""
        ref = Ref.of(workload)
        spec = object_at(pod_template(workload) or {}, "spec")
        namespace = str(ref.namespace)
        refused: list[str] = []
        waiting: list[str] = []
        violation = pod_security(self.namespace(namespace) or {}, spec)
        if violation:
            refused.append(violation)
        for blocks, text in missing_references(
            spec, lambda version, kind, name: self._exists(version, kind, name, namespace)
        ):
            (refused if blocks else waiting).append(text)
        quotas = self._in_namespace("v1", "ResourceQuota", namespace)
        excess = over_quota(quotas, spec, replicas, self._others(ref)) if quotas else None
        if excess:
            refused.append(excess)
        if ref.kind != "Pod":
            refused = [f'pods "{ref.name}-" is forbidden: {text}' for text in refused]
        return refused, waiting

    def _exists(self, api_version: str, kind: str, name: str, namespace: str) -> bool:
        inside = namespace if self.is_namespaced(api_version, kind) else None
        if kind == "PriorityClass" and name.startswith("system-"):
            return True
        return self.store.get(self.key(Ref(api_version, kind, name, inside))) is not None

    def _others(self, ref: Ref) -> list[Object]:
        """The pod spec of every other pod of the namespace, once per replica."""
        return [
            object_at(pod_template(row.outputs) or {}, "spec")
            for row in self.rows(token_of("apps/v1", "Deployment"))
            if dig(row.outputs, "metadata", "namespace") == ref.namespace
            and dig(row.outputs, "metadata", "name") != ref.name
            for _ in range(int(dig(row.outputs, "spec", "replicas") or 0))
        ]

    def _in_namespace(self, api_version: str, kind: str, namespace: str) -> list[Object]:
        return [
            row.outputs
            for row in self.rows(token_of(api_version, kind))
            if dig(row.outputs, "metadata", "namespace") == namespace
        ]
