"""The embedded Kubernetes: every object through one API, stored or served, with the API's own refusals.

A kubeconfig context is a cluster; no kubeconfig file is ever read but the sandbox's own.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from portway.errors import PortwayError
from portway.sandbox.controlplane import schema
from portway.sandbox.controlplane.api import KubeApi
from portway.sandbox.controlplane.cluster import KUBECONFIG, RealCluster
from portway.sandbox.controlplane.connect import connect
from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.objects import Object, Ref, object_at
from portway.sandbox.faults import FaultKind
from portway.sandbox.layout import Layout
from portway.sandbox.providers import checking, differences, kubernetes_yaml, readiness
from portway.sandbox.providers import kubernetes_texts as texts
from portway.sandbox.providers.cloud import (
    Cloud,
    CloudError,
    Code,
    Failure,
    InitFailed,
    Outage,
    Request,
    State,
)
from portway.sandbox.providers.kubernetes_await import NotLive, wait_until_live
from portway.sandbox.providers.kubernetes_fields import (
    AUTONAMED,
    is_autonamed,
    program_side,
    replaces,
    takes_over,
)
from portway.sandbox.providers.kubernetes_names import autoname, kind_of, manager, place
from portway.sandbox.providers.kubernetes_patience import PatientApi
from portway.sandbox.providers.kubernetes_preview import NOT_FOUND, dry_run, lives_in_namespace
from portway.sandbox.providers.schema import Sdk
from portway.sandbox.providers.wire import UNKNOWN, Json, has_unknown
from portway.sandbox.store import Key, Row, Store

_EXTRAS = frozenset({"version", "pluginDownloadURL", "pluginChecksums", "__internal"})
_GONE_SECONDS = 600.0


class KubernetesCloud(Cloud):
    """One Kubernetes provider: one context of the sandbox's clusters."""

    package = "kubernetes"

    def __init__(self, store: Store, root: Path) -> None:
        """``root`` is the sandbox's folder, where a running control plane leaves its kubeconfig."""
        super().__init__(store)
        self.layout = Layout(root)
        self._server: PatientApi | None = None

    # the provider

    def check_config(self, config: Json) -> list[Failure]:
        """Settings that the provider does not have, and what a sandbox cannot do."""
        given = {name: value for name, value in config.items() if name not in _EXTRAS}
        failures = checking.check(Sdk(self.package).provider(), given)
        if config.get("renderYamlToDirectory"):
            failures.append(
                Failure("renderYamlToDirectory", "the sandbox applies objects; it renders none")
            )
        return failures

    def config_replaces(self) -> frozenset[str]:
        """What names the cluster."""
        return frozenset({"context", "cluster", "clusterIdentifier"})

    @property
    def context(self) -> str:
        """The cluster: the context that was given, else the kubeconfig's cluster, else ``default``."""
        return str(self.config.get("context") or self.config.get("cluster") or "default")

    # resources

    def check(self, request: Request) -> tuple[Json, list[Failure]]:
        """Kind, name and namespace filled in; unknown and wrongly typed fields refused."""
        found = kind_of(request.type)
        if found is None:
            why = f"the sandbox does not serve {request.type}: it applies single objects"
            return request.inputs, [Failure("", why)]
        api_version, kind = found
        inputs = {"apiVersion": api_version, "kind": kind, **request.inputs}
        if (inputs["apiVersion"], inputs["kind"]) != found:
            given = f"{inputs['apiVersion']} {inputs['kind']}"
            return inputs, [Failure("kind", f"is {given}, and the type says {request.type}")]
        api = self._api(request)
        inputs["metadata"] = self._metadata(api, request, inputs)
        try:
            api.decode(inputs, unknown=UNKNOWN)
        except ApiError as error:
            # a kind nobody knows yet may be defined by the same program
            if error.code != NOT_FOUND:
                return inputs, [Failure("", error.message)]
        return inputs, []

    def diff(self, request: Request) -> differences.Difference:
        """Compare, and say what the API cannot change in place."""
        kind = str(request.inputs.get("kind"))
        found = differences.compare(
            request.old_inputs,
            request.inputs,
            replaces=replaces(kind, self.config, request.old_inputs),
            ignore=request.ignore_changes,
        )
        same = place(request.old_inputs) == place(request.inputs)
        collides = bool(found.replacing) and same and not is_autonamed(request.inputs)
        return replace(found, delete_first=collides)

    def preview(self, request: Request) -> Json:
        """A dry run where everything is known; status is known only afterwards."""
        inputs = request.inputs
        api = self._api(request)
        if not has_unknown(inputs):
            try:
                dry_run(api, request, force=takes_over(self.config, inputs))
            except ApiError as error:
                raise texts.refused("created", request, error) from error
        outputs: Json = {**inputs}
        if schema.reports_status(str(inputs["apiVersion"]), str(inputs["kind"])):
            outputs["status"] = UNKNOWN
        return outputs

    def create(self, request: Request) -> State:
        """Create the object and wait until it is live."""
        self._require_data_plane(request)
        api = self._api(request)
        upsert = self.config.get("upsertExistingObjects") is True
        act = api.apply if upsert else api.create
        return self._applied("created", request, api, act)

    def update(self, request: Request) -> State:
        """Apply the change and wait until it is live."""
        self._require_data_plane(request)
        api = self._api(request)
        force = takes_over(self.config, request.inputs)
        return self._applied("updated", request, api, partial(api.apply, force=force))

    def read(self, request: Request) -> State | None:
        """The live object and what of it the program wrote."""
        try:
            live = self._api(request).get(self._ref(request))
        except ApiError as error:
            if error.code == NOT_FOUND:
                return None
            raise texts.as_cloud_error(error, error.message) from error
        if live is None:
            return None
        return State(Ref.of(live).id, program_side(live, request.inputs), live)

    def delete(self, request: Request) -> None:
        """Delete the object and wait until it is gone."""
        api, ref = self._api(request), self._ref(request)
        try:
            there = api.delete(ref)
            waits = int((request.timeout_seconds or _GONE_SECONDS) * 10)
            for _ in range(waits if there else 1):
                if not there or api.get(ref) is None:
                    self._forget(ref)
                    return
                if self.cancelled.wait(0.1):
                    return
        except ApiError as error:
            if error.code == NOT_FOUND:
                self._forget(ref)
                return
            raise texts.as_cloud_error(error, error.message) from error
        raise CloudError(
            Code.DEADLINE_EXCEEDED,
            f"timed out waiting for {ref.id} to be deleted by the API server",
        )

    def invoke(self, token: str, args: Json) -> Json:
        """Manifests that are text, as objects."""
        if token == kubernetes_yaml.TOKEN:
            return {"result": kubernetes_yaml.decoded(str(args.get("text") or ""))}
        return super().invoke(token, args)

    def secret_outputs(self, type_token: str) -> frozenset[str]:
        """A Secret's content."""
        is_secret = type_token == "kubernetes:core/v1:Secret"  # noqa: S105 - a type token
        return frozenset({"data", "stringData"}) if is_secret else frozenset()

    def denied(self, operation: str, request: Request) -> CloudError:
        """What RBAC says."""
        return texts.denied(operation, request)

    def over_quota(self, operation: str, request: Request) -> CloudError:
        """What a ResourceQuota on objects says."""
        del operation
        return texts.over_quota(request)

    def expired(self, operation: str, request: Request) -> CloudError:
        """What a login that has ended is told."""
        return texts.expired(operation, request)

    def outage(self, kind: FaultKind, operation: str, request: Request) -> Outage:
        """What is told of an API server that is away."""
        return texts.outage(kind, operation, request)

    def close(self) -> None:
        """Close every connection to a real cluster."""
        if self._server is not None:
            self._server.close()

    # the rest is nobody else's business

    @property
    def _is_stored(self) -> bool:
        return not (self.layout.root / KUBECONFIG).exists()

    @property
    def _has_data_plane(self) -> bool:
        return self._is_stored or RealCluster(self.layout).is_chosen

    def _note(self, request: Request, live: Object) -> None:
        """Remember who made an object of a real cluster, as the store does for its own."""
        if self._is_stored:
            return
        key = self._key(Ref.of(live))
        if not self.store.update(key, request.inputs, live):
            self.store.create(Row(key, request.urn, request.inputs, live))

    def _forget(self, ref: Ref) -> None:
        if not self._is_stored:
            self.store.delete(self._key(ref))

    def _key(self, ref: Ref) -> Key:
        return Key(self.package, self.context, ref.token, ref.id)

    def _api(self, request: Request) -> KubeApi:
        try:
            if self._is_stored:
                return connect(self.layout, self.store, self.context, request.urn)
            if self._server is None:
                reach = partial(connect, self.layout, self.store, self.context)
                server = PatientApi(reach, self._pause)
                server.reach()
                self._server = server
        except (PortwayError, ApiError) as error:
            raise CloudError(Code.UNAVAILABLE, str(error)) from error
        return self._server

    def _metadata(self, api: KubeApi, request: Request, inputs: Json) -> Json | str:
        given = inputs.get("metadata")
        if given == UNKNOWN:
            return UNKNOWN
        metadata: Json = {**object_at(inputs, "metadata")}
        if metadata.get("name") is None and metadata.get("generateName") is None:
            metadata["name"] = autoname(request)
            annotations = object_at(metadata, "annotations")
            metadata["annotations"] = {**annotations, AUTONAMED: "true"}
        if metadata.get("namespace") is None and lives_in_namespace(api, inputs):
            metadata["namespace"] = str(self.config.get("namespace") or "default")
        return metadata

    def _require_data_plane(self, request: Request) -> None:
        if self._has_data_plane and request.type == "kubernetes:apps/v1:Deployment":
            readiness.require_data_plane(self)

    def _applied(
        self, verb: str, request: Request, api: KubeApi, act: Callable[..., Object]
    ) -> State:
        try:
            live = act(request.inputs, field_manager=manager(request.urn))
        except ApiError as error:
            raise texts.refused(verb, request, error) from error
        ref = Ref.of(live)
        self._note(request, live)
        try:
            live = wait_until_live(api, live, request.timeout_seconds, self._pause)
        except (NotLive, ApiError, CloudError) as error:
            # it exists: an error without its state would make the engine forget it
            reasons = error.reasons if isinstance(error, NotLive) else (str(error),)
            first = texts.not_live(verb, ref, reasons[0])
            if not isinstance(error, ApiError):
                live = self._seen(api, live)
            raise InitFailed(State(ref.id, request.inputs, live), first, *reasons[1:]) from error
        return State(ref.id, request.inputs, live)

    def _seen(self, api: KubeApi, live: Object) -> Object:
        # else what was answered to the write is the best there is
        with suppress(ApiError, CloudError):
            return api.get(Ref.of(live)) or live
        return live

    def _pause(self, seconds: float) -> bool:
        if self.cancelled.wait(seconds):
            return True
        if self._has_data_plane:
            readiness.require_data_plane(self)
        return False

    def _ref(self, request: Request) -> Ref:
        api_version, kind = kind_of(request.type) or ("", "")
        namespace, _, name = request.id.rpartition("/")
        return Ref(api_version, kind, name, namespace or None)


def embedded(store: Store, root: Path) -> Cloud:
    """The cloud that a plugin process of this package serves."""
    return KubernetesCloud(store, root)
