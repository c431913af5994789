"""Node pools of the sandbox's real cluster: they grow for pods that find no node."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from portway.sandbox.controlplane.objects import Object, dig
from portway.sandbox.dataplane import live_nodes
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.live_nodes import AGAIN_SECONDS, NodePools
from portway.sandbox.dataplane.live_objects import LiveObjects

WAITING: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "app", "namespace": "small", "uid": "u-1"},
    "spec": {"containers": [{"name": "app", "image": "app"}]},
    "status": {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    },
}


class NoTroubles:
    """Nothing goes wrong on purpose."""

    def __init__(self, layout: None, store: None) -> None:
        assert layout is store is None


class PaperCluster:
    """Keeps nodes, and what is said about pods; its one pod never finds a node."""

    def __init__(self) -> None:
        self.nodes: list[Object] = []
        self.said: list[str] = []

    def of(self, _api: str, kind: str) -> list[Object]:
        return {"Pod": [WAITING], "Node": self.nodes}[kind]

    async def ask(self, _method: str, path: str, json: Object) -> Object:
        if path.endswith("/events"):
            self.said.append(str(json["message"]))
        else:
            self.nodes.append(json)
        return json

    async def patch(self, _path: str, _body: Object) -> None:
        return


def test_a_pod_that_lost_its_node_to_another_gets_one_more_and_hears_once_that_there_are_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster, now = PaperCluster(), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    context: Any = SimpleNamespace(settings=SimpleNamespace(most_nodes=2), layout=None, store=None)
    monkeypatch.setattr(live_nodes, "Troubles", NoTroubles)
    pools = NodePools(cast("Context", context), cast("LiveObjects", cluster))
    seen: list[tuple[int, int]] = []
    for later in (0.0, 0.1, AGAIN_SECONDS, AGAIN_SECONDS, AGAIN_SECONDS):
        now[0] += later
        asyncio.run(pools.reconcile())
        seen.append((len(cluster.nodes), len(cluster.said)))
    assert seen == [(1, 0), (1, 0), (2, 0), (2, 1), (2, 1)]
    assert cluster.said == ["the node pool has its most nodes, 2"]
    assert len({str(dig(node, "metadata", "name")) for node in cluster.nodes}) == 2
