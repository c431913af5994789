"""A cluster that lives in the store: it decides as an API server does, and starts nothing itself.

Pods are the data plane's: it reads the stored objects and writes back how the Deployment is.
Row ``inputs`` are the object as it was applied, ``outputs`` the object as the cluster stores it.
"""

import hashlib
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from portway.sandbox.controlplane import schema
from portway.sandbox.controlplane.defaults import SERVICE_NETWORK, with_defaults
from portway.sandbox.controlplane.errors import (
    ApiError,
    already_exists,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from portway.sandbox.controlplane.fields import conflicting, managed_fields
from portway.sandbox.controlplane.objects import (
    Object,
    Ref,
    dig,
    object_at,
    token_of,
    without_nulls,
)
from portway.sandbox.controlplane.rules import check_change, check_object
from portway.sandbox.controlplane.status import (
    Progress,
    custom_status,
    deployment_status,
    endpoints,
    group_status,
    is_available,
    service_status,
)
from portway.sandbox.controlplane.stored_cluster import Cluster
from portway.sandbox.store import AlreadyExists, Key, Row, Store

BUILT_IN_NAMESPACES = frozenset(
    {"default", "kube-system", "kube-public", "kube-node-lease", "keda"}
)
VERSION_KEY = "kubernetes.version"
DATAPLANE_KEY = "dataplane"


@dataclass(frozen=True)
class StoredApi:
    """One cluster of the store.

    Attributes:
        store: what the sandbox remembers.
        context: the kubeconfig context that names the cluster: any name is a cluster of its own.
        urn: recorded with what this instance creates, for the audit trail.
    """

    store: Store
    context: str
    urn: str = ""

    @property
    def _cluster(self) -> Cluster:
        return Cluster(self.store, self.context)

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """See ``KubeApi``."""
        return self._cluster.is_namespaced(api_version, kind)

    def decode(self, obj: Object, *, unknown: str) -> None:
        """See ``KubeApi``."""
        ref = Ref.of(obj)
        wanted: Object = without_nulls(obj)
        if self._cluster.is_built_in(ref.api_version, ref.kind):
            schema.check_built_in(wanted, self._cluster.version, unknown=unknown)
        else:
            custom = self._cluster.custom(ref.api_version, ref.kind)["schema"]
            schema.check_custom(wanted, custom, unknown=unknown)

    def create(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        """See ``KubeApi``."""
        applied, live = self._admitted(obj)
        ref = Ref.of(live)
        if self.store.get(self._cluster.key(ref)):
            raise already_exists(ref)
        live["metadata"] |= {
            "uid": str(uuid4()),
            "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "managedFields": managed_fields(field_manager, applied),
        }
        self._assign_address(live)
        if dry_run:
            return self._with_status(live, 1, dry_run=True)
        try:
            self.store.create(Row(self._cluster.key(ref), self.urn, applied, live))
        except AlreadyExists as error:
            raise already_exists(ref) from error
        return self._with_status(live, 1)

    def apply(
        self, obj: Object, *, field_manager: str, dry_run: bool = False, force: bool = False
    ) -> Object:
        """See ``KubeApi``. An object belongs to one manager here: another one agrees, or takes it."""
        ref = Ref.of(obj)
        row = self.store.get(self._cluster.key(ref))
        if row is None:
            return self.create(obj, field_manager=field_manager, dry_run=dry_run)
        owner = str(row.outputs["metadata"]["managedFields"][0]["manager"])
        clashes = conflicting(row.inputs, without_nulls(obj)) if owner != field_manager else []
        if clashes and not force:
            raise conflict(_clash(owner, clashes))
        applied, live = self._admitted(obj)
        self._keep(row.outputs, live)
        if clashes:
            live["metadata"]["managedFields"] = managed_fields(field_manager, applied)
        check_change(row.outputs, live)
        if applied == row.inputs:
            return self._with_status(row.outputs, row.generation)
        if dry_run:
            return self._with_status(live, row.generation + 1, dry_run=True)
        if not self.store.update(row.key, applied, live):
            raise not_found(ref.resource, ref.name)
        return self._with_status(live, row.generation + 1)

    def get(self, ref: Ref) -> Object | None:
        """See ``KubeApi``."""
        if (ref.api_version, ref.kind) == ("v1", "Endpoints"):
            return self._endpoints(ref)
        row = self.store.get(self._cluster.key(ref))
        return None if row is None else self._with_status(row.outputs, row.generation)

    def _endpoints(self, ref: Ref) -> Object | None:
        service = self.get(Ref("v1", "Service", ref.name, ref.namespace))
        if service is None:
            return None
        workloads = self.list("apps/v1", "Deployment", dig(service, "metadata", "namespace"))
        return endpoints(service, [(one, is_available(one)) for one in workloads])

    def delete(self, ref: Ref) -> bool:
        """See ``KubeApi``. A namespace takes everything in it along."""
        if (ref.api_version, ref.kind) == ("v1", "Namespace"):
            for row in self._cluster.rows():
                if dig(row.outputs, "metadata", "namespace") == ref.name:
                    self.store.delete(row.key)
        return self.store.delete(self._cluster.key(ref))

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> "list[Object]":
        """See ``KubeApi``."""
        self.is_namespaced(api_version, kind)
        return [
            self._with_status(row.outputs, row.generation)
            for row in self._cluster.rows(token_of(api_version, kind))
            if namespace is None or dig(row.outputs, "metadata", "namespace") == namespace
        ]

    def _admitted(self, obj: Object) -> tuple[Object, Object]:
        """What was applied and what would be stored, once every check has passed."""
        applied: Object = without_nulls(obj)
        applied.pop("status", None)
        ref = Ref.of(applied)
        namespaced = self.is_namespaced(ref.api_version, ref.kind)
        if namespaced and not ref.namespace:
            applied["metadata"] = {**object_at(applied, "metadata"), "namespace": "default"}
            ref = Ref.of(applied)
        self.decode(applied, unknown="")
        live = with_defaults(applied)
        check_object(live)
        if not namespaced and ref.namespace:
            raise invalid(ref, ["metadata.namespace: Forbidden: not allowed on this type"])
        if namespaced and self._cluster.namespace(str(ref.namespace)) is None:
            raise not_found("namespaces", str(ref.namespace))
        self._check_scaled_once(live)
        if ref.kind == "Pod":
            self._check_pod(live)
        return applied, live

    def _check_pod(self, pod: Object) -> None:
        refused, _ = self._cluster.obstacles(pod, 1)
        if refused:
            raise forbidden("pods", str(dig(pod, "metadata", "name")), refused[0])

    def _check_scaled_once(self, obj: Object) -> None:
        """KEDA's webhook: a workload that an HPA manages already cannot have a ScaledObject."""
        if obj.get("kind") != "ScaledObject":
            return
        target = dig(obj, "spec", "scaleTargetRef", "name")
        namespace = str(dig(obj, "metadata", "namespace"))
        for scaler in self.list("autoscaling/v2", "HorizontalPodAutoscaler", namespace):
            if dig(scaler, "spec", "scaleTargetRef", "name") == target:
                name = dig(scaler, "metadata", "name")
                raise ApiError(
                    403,
                    "Forbidden",
                    f"admission webhook \"vscaledobject.kb.io\" denied the request: the workload '{target}' "
                    f"of type 'apps/v1.Deployment' is already managed by the hpa '{name}'",
                )

    def _keep(self, old: Object, live: Object) -> None:
        """What the cluster assigned stays, and so does what an autoscaler set."""
        for field in ("uid", "creationTimestamp", "managedFields"):
            live["metadata"][field] = old["metadata"][field]
        if live.get("kind") == "Service":
            assigned = ("clusterIP", "clusterIPs")
            for field in assigned:
                if field not in live["spec"] and field in old["spec"]:
                    live["spec"][field] = old["spec"][field]

    def _assign_address(self, live: Object) -> None:
        spec = object_at(live, "spec")
        if live.get("kind") != "Service" or spec.get("type") == "ExternalName":
            return
        digest = hashlib.sha256(live["metadata"]["uid"].encode()).digest()
        spec.setdefault("clusterIP", f"{SERVICE_NETWORK}.{digest[0]}.{1 + digest[1] % 254}")
        spec.setdefault("clusterIPs", [spec["clusterIP"]])

    def _with_status(self, stored: Object, generation: int, *, dry_run: bool = False) -> Object:
        live = deepcopy(stored)
        live["metadata"] |= {"generation": generation, "resourceVersion": str(generation)}
        if dry_run:
            return live
        key = self._cluster.key(Ref.of(live))
        kind = live.get("kind")
        if kind == "Deployment":
            live["status"] = deployment_status(live, self._progress(live, key, generation))
        elif kind == "LeaderWorkerSet":
            live["status"] = group_status(live, self._progress(live, key, generation))
        elif kind == "Service":
            balanced = dig(live, "spec", "type") == "LoadBalancer"
            live["status"] = service_status(live, self.store.port(str(key)) if balanced else None)
        elif kind == "Namespace":
            live["status"] = {"phase": "Active"}
        elif not self._cluster.is_built_in(live["apiVersion"], str(kind)):
            live["status"] = custom_status(live)
        return live

    def _progress(self, live: Object, key: Key, generation: int) -> Progress:
        refused, waiting = self._cluster.obstacles(live, int(dig(live, "spec", "replicas") or 0))
        seen = self.store.status(str(key))
        current = seen is not None and seen.generation >= generation
        ready = self.store.meta(DATAPLANE_KEY) == "off" or (current and bool(seen and seen.ready))
        return Progress(
            generation=generation,
            ready=ready,
            failed=current and not ready,
            message=seen.message if seen and current else "",
            refused=refused,
            waiting=waiting,
        )


def _clash(owner: str, paths: "list[str]") -> str:
    if len(paths) == 1:
        return f'Apply failed with 1 conflict: conflict with "{owner}": {paths[0]}'
    listed = "".join(f"\n- {path}" for path in paths)
    return f'Apply failed with {len(paths)} conflicts: conflicts with "{owner}":{listed}'
