"""A cluster that a real API server runs: the same questions, asked over HTTP."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx

from portway.errors import Missing
from portway.sandbox.controlplane.errors import ApiError, already_exists, no_match
from portway.sandbox.controlplane.kubeconfig import read_access
from portway.sandbox.controlplane.objects import Object, Ref, objects_at

APPLY = "application/apply-patch+yaml"
TIMEOUT_SECONDS = 30.0
_NOT_FOUND = 404


@dataclass(frozen=True)
class _Kind:
    plural: str
    namespaced: bool


@dataclass
class ServerApi:
    """One context of a running API server. Kinds are discovered once each and kept.

    Attributes:
        client: HTTP client whose base URL is the server.
    """

    client: httpx.Client
    _kinds: dict[tuple[str, str], _Kind] = field(default_factory=dict[tuple[str, str], _Kind])

    @classmethod
    def connect(cls, kubeconfig: Path, context: str) -> "ServerApi":
        """Reach ``context`` of ``kubeconfig``.

        Raises:
            Missing: the file is unusable, or no API server answers there.
        """
        access = read_access(kubeconfig, context)
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        client = httpx.Client(
            base_url=access.server,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            verify=True if access.tls is None else access.tls,
        )
        try:
            client.get("/version")
        except httpx.HTTPError as error:
            client.close()
            raise Missing(
                f"no Kubernetes API server answers at {access.server} ({error}); "
                "run `portway sandbox stop` and `portway sandbox start`"
            ) from error
        return cls(client)

    def __enter__(self) -> "ServerApi":
        """The same, closed when the block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self.client.close()

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """See ``KubeApi``."""
        return self._kind(api_version, kind).namespaced

    def decode(self, obj: Object, *, unknown: str) -> None:
        """See ``KubeApi``: a server judges whole objects only."""

    def create(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        """See ``KubeApi``. Applied after making sure that nothing has the name yet."""
        ref = Ref.of(obj)
        if self.get(ref) is not None:
            raise already_exists(ref)
        return self.apply(obj, field_manager=field_manager, dry_run=dry_run)

    def apply(
        self, obj: Object, *, field_manager: str, dry_run: bool = False, force: bool = False
    ) -> Object:
        """See ``KubeApi``; ``force`` takes fields from who owns them."""
        forced = "true" if force else "false"
        params = {"fieldManager": field_manager, "fieldValidation": "Strict", "force": forced}
        if dry_run:
            params["dryRun"] = "All"
        # every JSON document is a YAML document
        body = json.dumps(obj)
        headers = {"Content-Type": APPLY}
        return self._ask("PATCH", self._path(Ref.of(obj)), params, headers, body)

    def get(self, ref: Ref) -> Object | None:
        """See ``KubeApi``."""
        try:
            return self._ask("GET", self._path(ref))
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    def delete(self, ref: Ref) -> bool:
        """See ``KubeApi``."""
        try:
            self._ask("DELETE", self._path(ref), {"propagationPolicy": "Foreground"})
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return False
            raise
        return True

    def list(self, api_version: str, kind: str, namespace: str | None = None) -> "list[Object]":
        """See ``KubeApi``."""
        found = self._ask("GET", self._collection(api_version, kind, namespace))
        about = {"apiVersion": api_version, "kind": kind}
        return [{**about, **item} for item in objects_at(found, "items")]

    def _path(self, ref: Ref) -> str:
        return f"{self._collection(ref.api_version, ref.kind, ref.namespace)}/{ref.name}"

    def _collection(self, api_version: str, kind: str, namespace: str | None) -> str:
        known = self._kind(api_version, kind)
        inside = f"/namespaces/{namespace}" if known.namespaced and namespace else ""
        return f"{_root(api_version)}{inside}/{known.plural}"

    def _kind(self, api_version: str, kind: str) -> _Kind:
        key = (api_version, kind)
        if key not in self._kinds:
            try:
                served = objects_at(self._ask("GET", _root(api_version)), "resources")
            except ApiError as error:
                if error.code == _NOT_FOUND:
                    raise no_match(api_version, kind) from error
                raise
            for item in served:
                name = str(item.get("name", ""))
                if item.get("kind") == kind and "/" not in name:
                    self._kinds[key] = _Kind(name, bool(item.get("namespaced")))
        if key not in self._kinds:
            raise no_match(api_version, kind)
        return self._kinds[key]

    def _ask(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: str | None = None,
    ) -> Object:
        try:
            answer = self.client.request(method, path, params=params, headers=headers, content=body)
        except httpx.HTTPError as error:
            raise ApiError(
                503, "ServiceUnavailable", f"the API server went away: {error}"
            ) from error
        try:
            found: Any = answer.json()
        except ValueError:
            found = {}
        answered = cast("Object", found) if isinstance(found, dict) else {}
        if answer.is_error:
            message = str(answered.get("message") or answer.text or answer.reason_phrase)
            reason = str(answered.get("reason") or answer.reason_phrase)
            raise ApiError(answer.status_code, reason, message)
        return answered


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
