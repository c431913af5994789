"""Every Google resource of the golden files, held against Google's own published request types."""

import copy
import json
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from support.google_schemas import TYPES, body, faults

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # Google's notice of the end of Python 3.11
    run_v2: Any = import_module("google.cloud.run_v2")  # its messages are not typed

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


def _parsed(inputs: dict[str, Any]) -> Any:
    sent = body(SERVICE, inputs)
    for newer in NEWER_THAN_THE_PROTOS:
        sent.pop(newer, None)
    return json_format.ParseDict(sent, run_v2.Service.pb()())


@pytest.mark.parametrize("name", [name for name in CREATED if CREATED[name]["type"] == SERVICE])
def test_googles_protobufs_read_the_service_back_as_it_was_written(name: str) -> None:
    inputs = CREATED[name]["inputs"]
    read = _parsed(inputs)
    assert len(read.template.containers) == len(inputs["template"]["containers"])
    assert read.scaling.max_instance_count == inputs["scaling"]["maxInstanceCount"]


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
    with pytest.raises(json_format.ParseError, match="oneof"):
        _parsed(inputs)
