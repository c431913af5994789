"""Node pools of the sandbox's real cluster: they grow for pods that find no node."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from portway.sandbox.controlplane.objects import Object, dig, object_at
from portway.sandbox.dataplane import live_nodes
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.live_nodes import AGAIN_SECONDS, NodePools
from portway.sandbox.dataplane.live_objects import LiveObjects, Refused

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

    def due(self, *_asked: str) -> list[Any]:
        return []


@dataclass
class PaperCluster:
    """Keeps nodes, and what is said about pods; its one pod never finds a node.

    Attributes:
        fails: the write, counted from one, at which its server goes; the next ones find it there.
        is_done: whether that write had been carried out when the server went.
        is_slow: whether nodes are not ready as soon as they are made.
        is_free: whether no other pod takes a node once it is ready.
    """

    pod: Object = field(default_factory=lambda: WAITING)
    fails: int = 0
    is_done: bool = False
    is_slow: bool = False
    is_free: bool = False
    taken: list[str] = field(default_factory=list[str])
    writes: int = 0
    nodes: list[Object] = field(default_factory=list[Object])
    capacities: list[Object] = field(default_factory=list[Object])
    slices: list[Object] = field(default_factory=list[Object])
    said: list[str] = field(default_factory=list[str])

    def of(self, _api: str, kind: str) -> list[Object]:
        others: list[Object] = [
            {"metadata": {"uid": name}, "spec": {"nodeName": name}} for name in self.taken
        ]
        return {"Pod": [self.pod, *others], "Node": self.nodes}[kind]

    async def ask(self, method: str, path: str, json: Object | None = None) -> Object:
        if method == "GET":
            return next(each for each in self.nodes if path.endswith(str(name_of(each))))
        assert json is not None
        with self._write():
            if path.endswith("/events"):
                self.said.append(str(json["message"]))
                return json
            kept = self.slices if path.endswith("/resourceslices") else self.nodes
            if any(name_of(each) == name_of(json) for each in kept):
                raise Refused(409, "already exists")
            kept.append({**json, "metadata": {**json["metadata"], "uid": name_of(json)}})
            if kept is self.nodes and not self.is_slow:
                self.ready(kept[-1])
            return kept[-1]

    def ready(self, node: Object) -> None:
        node["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.taken += [] if self.is_free else [name_of(node)]

    async def patch(self, _path: str, body: Object) -> None:
        with self._write():
            self.capacities.append(object_at(body, "status", "capacity"))

    @contextmanager
    def _write(self) -> Generator[None]:
        self.writes += 1
        away = Refused(503, "the API server does not answer")
        if self.writes == self.fails and not self.is_done:
            raise away
        yield
        if self.writes == self.fails:
            raise away


def name_of(obj: Object) -> str:
    return str(dig(obj, "metadata", "name"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(live_nodes, "Troubles", NoTroubles)
    return now


def pools_of(cluster: PaperCluster) -> NodePools:
    context: Any = SimpleNamespace(settings=SimpleNamespace(most_nodes=2), layout=None, store=None)
    return NodePools(cast("Context", context), cast("LiveObjects", cluster))


CLAIMING: Object = {**WAITING, "spec": {**WAITING["spec"], "resourceClaims": [{"name": "gpu"}]}}


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", [1, 2, 3], ids=["node", "capacity", "devices"])
def test_a_node_is_made_whole_when_the_server_goes_at_any_write(
    write: int, *, is_done: bool, clock: list[float]
) -> None:
    cluster = PaperCluster(CLAIMING, fails=write, is_done=is_done)
    pools = pools_of(cluster)
    for later in (0.0, 0.1, 0.1, AGAIN_SECONDS / 2):
        clock[0] += later
        asyncio.run(pools.reconcile())
    assert [name_of(each) for each in cluster.slices] == [f"{name_of(cluster.nodes[0])}-gpus"]
    assert len(cluster.nodes) == 1
    assert cluster.capacities[-1]["cpu"]


def test_a_node_that_is_not_ready_yet_is_waited_for_and_no_other_one_is_made(
    clock: list[float],
) -> None:
    cluster = PaperCluster(is_slow=True)
    pools = pools_of(cluster)
    for _ in range(4):
        asyncio.run(pools.reconcile())
        clock[0] += AGAIN_SECONDS
    assert (len(cluster.nodes), cluster.said) == (1, [])
    cluster.ready(cluster.nodes[0])
    counts: list[int] = []
    for later in (-AGAIN_SECONDS / 2, AGAIN_SECONDS):
        clock[0] += later
        asyncio.run(pools.reconcile())
        counts.append(len(cluster.nodes))
    assert counts == [1, 2], "the scheduler has time to see it"


def test_a_free_node_that_the_scheduler_has_not_seen_is_waited_for(clock: list[float]) -> None:
    cluster = PaperCluster(is_free=True)
    pools = pools_of(cluster)
    for _ in range(6):
        asyncio.run(pools.reconcile())
        clock[0] += AGAIN_SECONDS / 2
    assert (len(cluster.nodes), cluster.said) == (1, [])


def test_that_there_are_no_more_nodes_is_said_once_the_server_is_back(clock: list[float]) -> None:
    cluster = PaperCluster(fails=5)
    pools = pools_of(cluster)
    for _ in range(5):
        asyncio.run(pools.reconcile())
        clock[0] += AGAIN_SECONDS
    assert cluster.said == ["the node pool has its most nodes, 2"]


def test_a_pod_that_lost_its_node_to_another_gets_one_more_and_hears_once_that_there_are_no_more(
    clock: list[float],
) -> None:
    cluster = PaperCluster()
    pools = pools_of(cluster)
    seen: list[tuple[int, int]] = []
    for later in (0.0, 0.1, AGAIN_SECONDS, AGAIN_SECONDS, AGAIN_SECONDS):
        clock[0] += later
        asyncio.run(pools.reconcile())
        seen.append((len(cluster.nodes), len(cluster.said)))
    assert seen == [(1, 0), (1, 0), (2, 0), (2, 1), (2, 1)]
    assert cluster.said == ["the node pool has its most nodes, 2"]
    assert len({name_of(node) for node in cluster.nodes}) == 2
