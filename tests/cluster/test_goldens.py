"""Every object that the golden stacks apply is accepted by a real API server, strictly decoded."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from portway.sandbox.controlplane.objects import Object, dig
from support.cluster_doors import GATEWAY, SERVED, placement, plan
from support.live_cluster import Cluster

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(1800),
]
GOLDENS = sorted((Path(__file__).parents[1] / "golden").glob("*@kubernetes.resources.json"))
PLACES = {
    "<runtime archive, base64>": "UEsFBgAA",
    "<runtime sha12>": "0" * 12,
    "<runtime sha256>": "0" * 64,
}


def objects_of(golden: Path) -> list[Object]:
    """What is applied: placeholders filled in, secrets plain, namespaces first."""
    text = golden.read_text("utf-8")
    for place, value in PLACES.items():
        text = text.replace(place, value)
    resources: list[Any] = json.loads(text)
    found = [plain(each["inputs"]) for each in resources if each["type"].startswith("kubernetes:")]
    return sorted(found, key=lambda each: each["kind"] != "Namespace")


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if list(members) == ["(secret)"]:
            return plain(members["(secret)"])
        return {key: plain(each) for key, each in members.items()}
    if isinstance(value, list):
        return [plain(each) for each in cast("list[Any]", value)]
    return value


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda path: path.name.partition("@")[0])
def test_a_real_api_server_takes_everything(golden: Path, cluster: Cluster) -> None:
    objects = objects_of(golden)
    assert len(objects) > 5
    for obj in objects:
        # what lives in a namespace needs it even for a dry run
        live = cluster.apply(obj, dry_run=obj["kind"] != "Namespace", force=True)
        assert dig(live, "metadata", "name") == dig(obj, "metadata", "name")


def test_a_real_api_server_takes_a_front_door(cluster: Cluster) -> None:
    for obj in plan(placement(gateway=GATEWAY, crds=SERVED)).objects.values():
        live = cluster.apply(obj, dry_run=obj["kind"] != "Namespace", force=True)
        assert dig(live, "metadata", "name") == dig(obj, "metadata", "name")
