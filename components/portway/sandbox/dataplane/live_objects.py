"""What a real cluster holds now: some kinds, listed once and then watched; and writing back to it."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import httpx

from portway.errors import Missing
from portway.sandbox.controlplane.kubeconfig import read_access
from portway.sandbox.controlplane.objects import Object, Ref, dig, object_at, objects_at, token_of
from portway.sandbox.controlplane.parts import CONTEXT
from portway.sandbox.dataplane.world import World
from portway.sandbox.store import Key, Row

log = logging.getLogger(__name__)

AGAIN_SECONDS = 0.5
WATCH_SECONDS = 300
REQUEST_SECONDS = 30.0
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"

# Plural of what is watched, by apiVersion and kind.
WATCHED: Mapping[tuple[str, str], str] = {
    ("v1", "Namespace"): "namespaces",
    ("v1", "Node"): "nodes",
    ("v1", "Pod"): "pods",
    ("v1", "Service"): "services",
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Secret"): "secrets",
    ("v1", "PersistentVolumeClaim"): "persistentvolumeclaims",
    ("v1", "PersistentVolume"): "persistentvolumes",
    ("apps/v1", "Deployment"): "deployments",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): "httproutes",
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"): "referencegrants",
    ("inference.networking.k8s.io/v1", "InferencePool"): "inferencepools",
    ("keda.sh/v1alpha1", "ScaledObject"): "scaledobjects",
    ("http.keda.sh/v1beta1", "InterceptorRoute"): "interceptorroutes",
    ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"): "leaderworkersets",
}


_UNAVAILABLE, _TOO_MANY, _FAILED = 503, 429, 500


class Refused(Exception):
    """The API server did not take a write; its own sentence.

    Attributes:
        code: the HTTP status; 503 when it does not answer.
    """

    def __init__(self, code: int, message: str) -> None:
        """Keep what the server said."""
        super().__init__(message)
        self.code = code

    @property
    def answered(self) -> bool:
        """Whether the server itself said it, rather than nobody."""
        return self.code != _UNAVAILABLE

    @property
    def may_pass(self) -> bool:
        """Whether the same write may be taken later: nobody answered, or somebody who was not able to."""
        return self.code == _TOO_MANY or self.code >= _FAILED


class LiveObjects:
    """The watched objects of one cluster, by kind and id; ``changed`` is called after every change."""

    def __init__(self, kubeconfig: Path, changed: Callable[[], None]) -> None:
        self._kubeconfig = kubeconfig
        self._changed = changed
        self._objects: dict[tuple[str, str], dict[str, Object]] = {kind: {} for kind in WATCHED}
        self._listed: set[tuple[str, str]] = set()
        self._client: httpx.AsyncClient | None = None
        self._tasks = [asyncio.create_task(self._follow(kind)) for kind in WATCHED]

    @property
    def is_complete(self) -> bool:
        """Whether every kind has been listed: before that nothing is known to be absent."""
        return len(self._listed) == len(WATCHED)

    def of(self, api_version: str, kind: str) -> list[Object]:
        """The live objects of a watched kind."""
        return list(self._objects[api_version, kind].values())

    def world(self) -> World:
        """All of them as the data plane reads what is deployed."""
        rows = [
            row_of(each, token_of(*kind)) for kind, known in self._objects.items() for each in known.values()
        ]  # fmt: skip
        return World(rows, self._kubeconfig.parent)

    async def patch(self, path: str, body: Object, kind: str = MERGE) -> Object:
        """PATCH.

        Raises:
            Refused: the API server did not take it.
        """
        headers = {"Content-Type": kind}
        return await self.ask("PATCH", path, headers=headers, content=json.dumps(body))

    async def ask(self, method: str, path: str, **more: Any) -> Object:  # noqa: ANN401 - what httpx takes
        """Any request with a JSON answer.

        Raises:
            Refused: the API server refused it or does not answer.
        """
        try:
            answer = await self._http().request(method, path, **more)
        except (httpx.HTTPError, Missing) as error:
            raise Refused(_UNAVAILABLE, f"the API server does not answer: {error}") from error
        found: Any = answer.json() if answer.content else {}
        if answer.is_error:
            raise Refused(answer.status_code, str(dig(found, "message") or answer.reason_phrase))
        return cast("Object", found)

    async def close(self) -> None:
        """Stop watching."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            access = read_access(self._kubeconfig, CONTEXT)
            self._client = httpx.AsyncClient(
                base_url=access.server,
                timeout=httpx.Timeout(REQUEST_SECONDS, read=None),
                trust_env=False,
                verify=True if access.tls is None else access.tls,
                limits=httpx.Limits(max_connections=None),
            )
        return self._client

    async def _follow(self, kind: tuple[str, str]) -> None:
        path = f"{root_of(kind[0])}/{WATCHED[kind]}"
        while True:
            try:
                version = await self._list(kind, path)
                await self._watch(kind, path, version)
            except (Refused, httpx.HTTPError, Missing, ValueError) as error:
                log.debug("watching %s: %s", path, error)
                if not (isinstance(error, Refused) and error.answered):
                    await self._reconnect()
            except Exception:
                log.exception("watching %s", path)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _reconnect(self) -> None:
        """Read the kubeconfig anew: a cluster that was started again answers elsewhere."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _list(self, kind: tuple[str, str], path: str) -> str:
        found = await self.ask("GET", path)
        about = {"apiVersion": kind[0], "kind": kind[1]}
        every = [{**about, **each} for each in objects_at(found, "items")]
        self._objects[kind] = {Ref.of(each).id: each for each in every}
        self._listed.add(kind)
        self._changed()
        return str(dig(found, "metadata", "resourceVersion"))

    async def _watch(self, kind: tuple[str, str], path: str, version: str) -> None:
        asked = {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
            "allowWatchBookmarks": "true",
        }
        async with self._http().stream("GET", path, params=asked) as answer:
            if answer.is_error:
                raise Refused(answer.status_code, f"cannot watch {path}")
            async for line in answer.aiter_lines():
                self._take(kind, json.loads(line))

    def _take(self, kind: tuple[str, str], event: Any) -> None:  # noqa: ANN401 - JSON
        live = object_at(event, "object")
        happened = dig(event, "type")
        if happened == "ERROR":
            raise Refused(int(live.get("code") or 410), str(live.get("message")))
        if happened == "BOOKMARK":
            return
        known = self._objects[kind]
        if happened == "DELETED":
            known.pop(Ref.of(live).id, None)
        else:
            known[Ref.of(live).id] = live
        self._changed()


def root_of(api_version: str) -> str:
    """The path under which a group and version is served."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def path_of(obj: Object) -> str:
    """The path of a live object of a watched kind."""
    ref = Ref.of(obj)
    inside = f"/namespaces/{ref.namespace}" if ref.namespace else ""
    return f"{root_of(ref.api_version)}{inside}/{WATCHED[ref.api_version, ref.kind]}/{ref.name}"


def row_of(obj: Object, token: str) -> Row:
    """A live object as the data plane reads a deployed one."""
    metadata = object_at(obj, "metadata")
    key = Key("kubernetes", CONTEXT, token, Ref.of(obj).id)
    return Row(key, "", obj, obj, int(metadata.get("generation") or 1))


def event_of(obj: Object, reason: str, message: str, field_path: str = "") -> Object:
    """A warning about ``obj``, or a part of it, that ``kubectl describe`` would show."""
    ref, metadata = Ref.of(obj), object_at(obj, "metadata")
    namespace = ref.namespace or "default"
    about = {
        "apiVersion": ref.api_version, "kind": ref.kind, "name": ref.name, "namespace": namespace,
        "uid": metadata.get("uid"), **({"fieldPath": field_path} if field_path else {}),
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{ref.name}.", "namespace": namespace},
        "involvedObject": about,
        "type": "Warning",
        "reason": reason,
        "message": message[:1000],
        "source": {"component": "portway-sandbox"},
    }
