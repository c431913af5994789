"""Every Google resource of the golden files, held against Google's own published request types."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.google_protos import read_back
from support.google_schemas import TYPES, body, faults

GOLDEN = Path(__file__).parents[1] / "golden"
SERVICE = "gcp:cloudrunv2/service:Service"

NEWER_THAN_THE_PROTOS = ("functionalType", "sandboxes", "workloadIdentityConfig", "sshEnabled")
"""Fields that the discovery document has and the pinned protobuf client does not know yet."""


def _created() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(GOLDEN.glob("*.resources.json")):
        for created in json.loads(file.read_text(encoding="utf-8")):
            if created["type"].startswith("gcp:"):
                yield f"{file.name.removesuffix('.resources.json')}: {created['name']}", created


CREATED = dict(_created())


def _of(type_: str) -> dict[str, Any]:
    return copy.deepcopy(next(one for one in CREATED.values() if one["type"] == type_)["inputs"])


def test_every_google_type_that_a_plan_creates_has_a_published_request() -> None:
    assert {created["type"] for created in CREATED.values()} - set(TYPES) == set()


@pytest.mark.parametrize("name", CREATED)
def test_every_field_of_a_google_resource_has_a_home_in_the_published_request(name: str) -> None:
    assert faults(CREATED[name]["type"], CREATED[name]["inputs"]) == []


def _sent(inputs: dict[str, Any]) -> dict[str, Any]:
    sent = body(SERVICE, inputs)
    return {name: sent[name] for name in sent if name not in NEWER_THAN_THE_PROTOS}


def test_googles_protobufs_read_every_service_back_as_it_was_written() -> None:
    inputs = [one["inputs"] for one in CREATED.values() if one["type"] == SERVICE]
    assert [
        (len(read["template"]["containers"]), read["scaling"]["maxInstanceCount"])
        for read in read_back([_sent(one) for one in inputs])
    ] == [
        (len(one["template"]["containers"]), one["scaling"]["maxInstanceCount"]) for one in inputs
    ]


def _set(inputs: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    inner: Any = inputs
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return inputs


MISTAKES: dict[str, tuple[tuple[str | int, ...], object]] = {
    "template.containers[1].resources.limits.nvidia.com/gpu": (
        ("template", "containers", 1, "resources", "limits", "nvidia.com/gpu"),
        1,
    ),
    "template.timeout": (("template", "timeout"), "5m"),
    "ingress": (("ingress",), "INGRESS_ALL"),
    "uri": (("uri",), "https://chat.example"),
    "template.containers[0].readinesProbe": (
        ("template", "containers", 0, "readinesProbe"),
        {"httpGet": {"path": "/"}},
    ),
    "template.maxInstanceRequestConcurrency": (
        ("template", "maxInstanceRequestConcurrency"),
        "eight",
    ),
    "scaling.minInstanceCount": (("scaling", "minInstanceCount"), 2**31),
    "template.nodeSelector.accelerator": (("template", "nodeSelector"), {}),
}


@pytest.mark.parametrize("where", MISTAKES)
def test_the_published_request_type_refuses_what_cloud_run_would_refuse(where: str) -> None:
    path, value = MISTAKES[where]
    found = faults(SERVICE, _set(_of(SERVICE), path, value))
    assert [fault.partition(":")[0] for fault in found] == [where]


def test_the_protobufs_refuse_a_volume_with_two_sources() -> None:
    inputs = _of(SERVICE)
    inputs["template"]["volumes"][0] |= {"secret": {"secret": "s"}, "gcs": {"bucket": "b"}}
    [read] = read_back([_sent(inputs)])
    assert "oneof" in read["refused"]
