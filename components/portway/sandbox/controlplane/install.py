"""What every real cluster of the sandbox has from the start: custom kinds, device and storage classes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from portway.errors import Missing
from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.nodes import DRIVER, table
from portway.sandbox.controlplane.objects import Object, dig, object_at
from portway.sandbox.controlplane.server import ServerApi

MANAGER = "portway-sandbox"
PROVISIONER = "sandbox.portway.dev/disks"
ESTABLISHED_SECONDS = 30.0
_CRDS = Path(__file__).with_name("crds.json")
_OBJECT_META = {"apiVersion", "kind", "metadata"}
_UNIQUE = {"rule": "self.all(a, self.exists_one(b, a == b))", "message": "must be unique"}
PREVIEWS = "sandbox-previews"
"""The namespace in which a preview has objects judged whose own namespace is not there yet."""

_NAMESPACES = ("keda", PREVIEWS)


def install(api: ServerApi) -> None:
    """Install everything; what is there already is left as it is.

    Raises:
        Missing: the API server refuses it, or does not take it in.
    """
    definitions = [definition(key, about) for key, about in _kinds().items()]
    try:
        for each in (*definitions, *_namespaces(), *_device_classes(), *_storage_classes()):
            api.apply(each, field_manager=MANAGER, force=True)
        _wait_for(api, definitions)
    except ApiError as error:
        raise Missing(f"the cluster cannot be set up: {error.message}") from error


def definition(key: str, about: Object) -> Object:
    """The CustomResourceDefinition of one entry of ``crds.json``; ``key`` is ``group/version/kind``."""
    group, version, kind = key.split("/")
    plural = str(about["plural"])
    served: Object = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _whole(about["schema"])},
        "subresources": {"status": {}},
    }
    spec: Object = {
        "group": group,
        "scope": "Namespaced" if about["namespaced"] else "Cluster",
        "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
        "versions": [served],
    }  # fmt: skip
    metadata: Object = {"name": f"{plural}.{group}"}
    if group.endswith(".k8s.io"):
        # groups of the project ask who approved them
        metadata["annotations"] = {"api-approved.kubernetes.io": "unapproved, a sandbox's stand-in"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": spec,
    }


def _structural(schema: Any) -> Any:  # noqa: ANN401 - a JSON schema
    """A schema as the API server takes it: closed objects are its own business, open ones are said to be."""
    if isinstance(schema, list):
        return [_structural(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    found: Object = {}
    for key, value in cast("Object", schema).items():
        found |= _keyword(key, value)
    if found.get("type") == "object" and _is_open(cast("Object", schema)):
        found["x-kubernetes-preserve-unknown-fields"] = True
    return found


def _is_open(schema: Object) -> bool:
    """Whether an object may have members that its schema does not name."""
    return schema.get("additionalProperties", True) is True


def _keyword(key: str, value: Any) -> Object:  # noqa: ANN401 - a JSON schema
    """One keyword of a schema in the API server's dialect."""
    if key == "properties":
        members = cast("Object", value)
        return {key: {name: _structural(each) for name, each in members.items()}}
    if key == "additionalProperties" and isinstance(value, bool):
        return {}
    if key == "type" and isinstance(value, list):
        return {"x-kubernetes-int-or-string": True}
    if key == "uniqueItems":
        return {"x-kubernetes-validations": [_UNIQUE]}
    return {key: value if key in ("required", "enum", "default") else _structural(value)}


def _whole(schema: Object) -> Object:
    """The schema of a kind: what every object has, the API server knows itself."""
    members = object_at(schema, "properties")
    own = {name: each for name, each in members.items() if name not in _OBJECT_META}
    required = [each for each in schema.get("required", []) if each not in _OBJECT_META]
    return cast("Object", _structural({**schema, "properties": own, "required": required}))


def _kinds() -> dict[str, Object]:
    found: dict[str, Any] = json.loads(_CRDS.read_text("utf-8"))
    return found["kinds"]


def _namespaces() -> Iterator[Object]:
    for name in _NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _device_classes() -> Iterator[Object]:
    for name, kind in ((DRIVER, "gpu"), ("mig.nvidia.com", "mig")):
        asked = f"device.driver == '{DRIVER}' && device.attributes['{DRIVER}'].type == '{kind}'"
        yield {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": name},
            "spec": {"selectors": [{"cel": {"expression": asked}}]},
        }


def _storage_classes() -> Iterator[Object]:
    for index, name in enumerate(table()["storage_classes"]):
        standard = {"storageclass.kubernetes.io/is-default-class": "true"} if index == 0 else {}
        yield {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name, "annotations": standard},
            "provisioner": PROVISIONER,
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": True,
        }


def _wait_for(api: ServerApi, definitions: list[Object]) -> None:
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    for each in definitions:
        version = f"{dig(each, 'spec', 'group')}/{each['spec']['versions'][0]['name']}"
        while not _is_served(api, version, str(dig(each, "spec", "names", "kind"))):
            if time.monotonic() > deadline:
                name = dig(each, "metadata", "name")
                raise Missing(f"the API server does not serve {name}; start the sandbox again")
            time.sleep(0.05)


def _is_served(api: ServerApi, api_version: str, kind: str) -> bool:
    try:
        api.list(api_version, kind)
    except ApiError as error:
        # not there yet, or its storage is being made
        if error.code in (404, 429, 503):
            return False
        raise
    return True
