"""What a real cluster refuses or changes after an object was made: told at once, and put back."""

import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from portway.sandbox.controlplane.nodes import GPU
from portway.sandbox.controlplane.objects import Object, Ref, dig
from portway.sandbox.providers.cloud import CloudError
from portway.sayings import explain
from support.live_cluster import (
    Cluster,
    away,
    played,
    provider,
    refusal_of,
    workload_of,
)
from support.plugin import Plugin
from support.waiting import eventually

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(1800),
]
DEPLOYMENT, CONFIG_MAP = "apps/v1:Deployment", "core/v1:ConfigMap"
LONG_SECONDS = 300
STACK = "chat.prod.kubernetes"


@pytest.fixture(scope="module")
def plugin(cluster: Cluster) -> Generator[Plugin]:
    with provider(cluster.real.layout.root, enablePatchForce=True) as made:
        yield made


def config_map(namespace: str, **data: str) -> Object:
    metadata = {"name": "settings", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def quota(namespace: str, **hard: str) -> Object:
    metadata = {"name": "mine", "namespace": namespace}
    return {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard},
    }  # fmt: skip


def told(plugin: Plugin, workload: Object) -> tuple[str, float]:
    """Everything that `up` says of a Deployment, and after how many seconds of the minutes it had."""
    began = time.monotonic()
    failed = refusal_of(
        lambda: plugin.create(DEPLOYMENT, "app", workload, timeout_seconds=LONG_SECONDS)
    )
    assert failed.state.id == f"{dig(workload, 'metadata', 'namespace')}/app"
    return "\n".join(failed.reasons), time.monotonic() - began


def test_pods_that_break_the_level_of_their_namespace_end_an_up(
    cluster: Cluster, plugin: Plugin
) -> None:
    home = cluster.namespace("early-restricted", "restricted")
    said, seconds = told(plugin, workload_of(played(home, pool="none"), 1))
    assert seconds < LONG_SECONDS / 4
    assert f"resource {home}/app was successfully created, but" in said
    assert '[FailedCreate] pods "app-' in said
    assert 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in said
    (ours,) = explain([(f"{home}/app", said)], STACK)
    assert ours.means.startswith(
        "the namespace admits only pods of the level restricted:latest, and these break it: "
        "allowPrivilegeEscalation != false"
    )
    assert "set in the pod template the fields that are named" in ours.do


def test_pods_beyond_a_quota_end_an_up(cluster: Cluster, plugin: Plugin) -> None:
    home = cluster.namespace("early-quota")
    cluster.apply(quota(home, **{f"requests.{GPU}": "1"}))
    ref = Ref("v1", "ResourceQuota", "mine", home)
    assert eventually(lambda: dig(cluster.api.get(ref), "status", "hard") is not None)
    pod = played(home, pool="none", resources={"limits": {GPU: "1"}})
    said, seconds = told(plugin, workload_of(pod, 2))
    assert seconds < LONG_SECONDS / 4
    assert f"exceeded quota: mine, requested: requests.{GPU}=1" in said
    (ours,) = explain([(f"{home}/app", said)], STACK)
    assert ours.means == (
        f"the ResourceQuota mine of the namespace allows requests.{GPU}=1; requests.{GPU}=1 is used, and "
        f"another pod asks for requests.{GPU}=1; pods that served before serve on"
    )
    assert len(cluster.pods(home)) == 1


def test_a_priority_that_is_not_there_ends_an_up(cluster: Cluster, plugin: Plugin) -> None:
    home = cluster.namespace("early-priority")
    said, _ = told(plugin, workload_of(played(home, pool="none", priorityClassName="gold"), 1))
    assert "no PriorityClass with name gold was found" in said
    (ours,) = explain([(f"{home}/app", said)], STACK)
    assert ours.means == "the cluster has no PriorityClass gold"


def test_what_somebody_changed_is_seen_and_put_back(cluster: Cluster, plugin: Plugin) -> None:
    home = cluster.namespace("drift")
    made = plugin.create(CONFIG_MAP, "settings", config_map(home, colour="red"))
    cluster.apply(config_map(home, colour="blue"), "somebody", force=True)
    seen = plugin.read(CONFIG_MAP, "settings", made.id, made)
    assert seen is not None
    assert seen.inputs["data"] == {"colour": "blue"}
    assert plugin.diff(seen, made.inputs).diffs == ["data"]
    put_back = plugin.update(seen, made.inputs)
    assert put_back.outputs["data"] == {"colour": "red"}
    again = plugin.read(CONFIG_MAP, "settings", made.id, put_back)
    assert again is not None
    assert not plugin.diff(again, made.inputs).diffs


def test_what_somebody_deleted_is_made_again(cluster: Cluster, plugin: Plugin) -> None:
    home = cluster.namespace("deleted")
    made = plugin.create(CONFIG_MAP, "settings", config_map(home, colour="red"))
    cluster.api.delete(Ref("v1", "ConfigMap", "settings", home))
    assert eventually(lambda: plugin.read(CONFIG_MAP, "settings", made.id, made) is None)
    assert plugin.create(CONFIG_MAP, "settings", made.inputs).id == made.id


def test_nothing_is_taken_from_others_by_who_did_not_say_so(cluster: Cluster) -> None:
    home = cluster.namespace("owned")
    with provider(cluster.real.layout.root) as gentle:
        made = gentle.create(CONFIG_MAP, "settings", config_map(home, colour="red"))
        cluster.apply(config_map(home, colour="blue"), "somebody", force=True)
        with pytest.raises(CloudError, match=r'conflict with "somebody": \.data\.colour'):
            gentle.update(made, config_map(home, colour="red"))
        forced: Any = config_map(home, colour="red")
        forced["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
        assert gentle.update(made, forced).outputs["data"] == {"colour": "red"}


@pytest.mark.long
def test_a_server_that_is_away_for_ten_seconds_is_waited_for(
    cluster: Cluster, plugin: Plugin
) -> None:
    home = cluster.namespace("away")
    ended: dict[str, object] = {}

    def make(name: str) -> None:
        obj = config_map(home, name=name)
        obj["metadata"]["name"] = name
        ended[name] = plugin.create(CONFIG_MAP, name, obj).id

    names = [f"settings-{number}" for number in range(4)]
    threads = [threading.Thread(target=make, args=(name,)) for name in names]
    with away(cluster.real, 10):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ended == {name: f"{home}/{name}" for name in names}
    there = [dig(each, "metadata", "name") for each in cluster.api.list("v1", "ConfigMap", home)]
    assert sorted(str(name) for name in there) == ["kube-root-ca.crt", *names]
