"""What a real API server refuses while a deployment is only planned; nothing of it is ever made."""

from collections.abc import Generator
from typing import Any

import pytest

from portway.sandbox.controlplane.objects import Object, Ref
from portway.sandbox.providers.cloud import CloudError
from support import kube_objects as kube
from support.live_cluster import Cluster, provider
from support.plugin import Plugin
from support.wrong_objects import DEVICE, WRONG, claim_template, token

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def plugin(cluster: Cluster) -> Generator[Plugin]:
    """The provider that `up` runs, and a namespace that is there."""
    cluster.namespace("wrong")
    with provider(cluster.real.layout.root) as made:
        yield made


def placed(obj: Object, namespace: str) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def refused(plugin: Plugin, obj: Object) -> str:
    """What a preview of ``obj`` ends with, by its check or by the server's dry run."""
    _, failures = plugin.check(token(obj), "it", obj)
    if failures:
        return " ".join(reason for _, reason in failures)
    with pytest.raises(CloudError) as error:
        plugin.preview(token(obj), "it", obj)
    return str(error.value)


@pytest.mark.parametrize("namespace", ["wrong", "not-there-yet"])
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_object_is_refused_at_preview(
    name: str, namespace: str, plugin: Plugin, cluster: Cluster
) -> None:
    obj, words = WRONG[name]
    said = refused(plugin, placed(obj, namespace))
    assert words in said, said
    assert cluster.api.get(Ref.of(placed(obj, namespace))) is None


def test_there_are_more_than_twenty_and_every_right_one_passes(plugin: Plugin) -> None:
    assert len(WRONG) > 20
    for obj in (kube.deployment(), kube.service(), claim_template(exactly=DEVICE)):
        for namespace in ("wrong", "not-there-yet"):
            assert plugin.preview(token(obj), "it", placed(obj, namespace))["kind"] == obj["kind"]


def test_what_may_never_change_is_refused_before_the_change(plugin: Plugin) -> None:
    before: Any = placed(claim_template(exactly=DEVICE), "wrong")
    made = plugin.create(token(before), "template", before)
    after: Any = placed(claim_template(exactly={**DEVICE, "count": 2}), "wrong")
    with pytest.raises(CloudError, match="field is immutable"):
        plugin.update(made, after, preview=True)
    plugin.delete(made)
