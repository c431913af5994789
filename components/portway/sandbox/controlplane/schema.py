"""Strict decoding: is this object what its kind says, field by field.

Built-in kinds are judged by the OpenAPI schemas of the Kubernetes release (package kubernetes-validate),
custom ones by ``crds.json`` or by the CustomResourceDefinition that the program itself applied.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, cast

import kubernetes_validate.utils as published
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource

from portway.sandbox.controlplane.errors import invalid, undecodable
from portway.sandbox.controlplane.objects import Object, Ref, compact

OLDEST_VERSION = "1.34"
"""The oldest supported release: what it accepts, every later one does."""

_GO_TYPES = {"integer": "int32", "boolean": "bool", "array": "slice", "object": "struct"}
_JSON_TYPES = (("string", str), ("bool", bool), ("number", (int, float)), ("array", list))


def is_built_in(api_version: str, kind: str, version: str = OLDEST_VERSION) -> bool:
    """Whether the release ``version`` has that kind without any CRD."""
    return bool(kind) and _built_in(api_version, kind, version) is not None


def reports_status(api_version: str, kind: str, version: str = OLDEST_VERSION) -> bool:
    """Whether objects of that kind have a ``status`` that the cluster fills in; custom ones may."""
    validator = _built_in(api_version, kind, version)
    if validator is None:
        return True
    return "status" in cast("Mapping[str, Any]", validator.schema)["properties"]


def check_built_in(obj: Object, version: str = OLDEST_VERSION, *, unknown: str = "") -> None:
    """Judge an object of a built-in kind. A value that equals ``unknown`` is taken as right.

    Raises:
        ApiError: 400 for unknown fields and wrong types, 422 for required fields that are missing.
    """
    ref = Ref.of(obj)
    validator = _built_in(ref.api_version, ref.kind, version)
    assert validator is not None, f"{ref.kind} is not built in"
    _judge(obj, cast("Any", validator).iter_errors(obj), unknown)


def check_custom(obj: Object, schema: Mapping[str, Any], *, unknown: str = "") -> None:
    """Judge a custom object by its CRD's schema.

    Raises:
        ApiError: as ``check_built_in`` does.
    """
    _judge(obj, cast("Any", Draft202012Validator(dict(schema))).iter_errors(obj), unknown)


@cache
def shipped_crds() -> Mapping[str, Mapping[str, Any]]:
    """The CRDs every sandbox cluster has: ``apiVersion/Kind`` to plural, scope and schema."""
    text = (files("portway.sandbox.controlplane") / "crds.json").read_text("utf-8")
    return cast("Mapping[str, Mapping[str, Any]]", json.loads(text)["kinds"])


@cache
def _built_in(api_version: str, kind: str, version: str) -> Draft202012Validator | None:
    """The validator of one kind: what kubernetes-validate does, kept between calls."""
    short = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    try:
        schema = published.schema_contents(f"{folder}/{kind.lower()}-{short}.json", version)
    except (FileNotFoundError, published.VersionNotSupportedError):
        return None
    group, _, name = api_version.rpartition("/")
    gvk = {"group": group, "version": name, "kind": kind}
    if gvk not in schema.get("x-kubernetes-group-version-kind", ()):
        return None
    resource = Resource[Any].from_contents(schema)
    registry = _definitions(folder, version) @ (resource @ Registry[Any]())
    return Draft202012Validator(schema, registry=registry)


@cache
def _definitions(folder: str, version: str) -> Resource[Any]:
    return Resource[Any].from_contents(
        published.schema_contents(f"{folder}/_definitions.json", version)
    )


def _judge(obj: Object, errors: Iterable[ValidationError], unknown: str) -> None:
    ref = Ref.of(obj)
    extra: list[str] = []
    untyped: list[str] = []
    missing: list[str] = []
    for error in errors:
        if unknown and error.instance == unknown:
            continue
        path = field_path(error.absolute_path)
        if error.validator == "additionalProperties":
            extra += [f'unknown field "{_join(path, key)}"' for key in _extra(error)]
        elif error.validator == "required":
            missing.append(f"{_join(path, _missing(error))}: Required value")
        elif error.validator in ("type", "oneOf"):
            untyped.append(_mistyped(ref.kind, path, error))
        else:
            missing.append(f"{path}: Invalid value: {compact(error.instance)}: {error.message}")
    if extra:
        raise undecodable(ref, f"strict decoding error: {', '.join(sorted(extra))}")
    if untyped:
        raise undecodable(ref, sorted(untyped)[0])
    if missing:
        raise invalid(ref, sorted(missing))


def field_path(steps: Iterable[str | int]) -> str:
    """``spec.containers[0].image`` of its steps."""
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _extra(error: ValidationError) -> list[str]:
    known = cast("Mapping[str, Any]", cast("Mapping[str, Any]", error.schema).get("properties", {}))
    instance = cast("Mapping[str, Any]", error.instance)
    return sorted(key for key in instance if key not in known)


def _missing(error: ValidationError) -> str:
    instance = cast("Mapping[str, Any]", error.instance)
    required = cast("list[str]", error.validator_value)
    return next(
        name for name in required if name not in instance and error.message.startswith(f"'{name}'")
    )


def _mistyped(kind: str, path: str, error: ValidationError) -> str:
    wanted = cast("Mapping[str, Any]", error.schema)
    types = wanted.get("type", "string")
    first = types if isinstance(types, str) else cast("list[str]", types)[0]
    go_type = _GO_TYPES.get(first, first)
    if wanted.get("format") in ("int32", "int64"):
        go_type = str(wanted["format"])
    if error.validator == "oneOf":
        go_type = "intstr.IntOrString"
    given = _json_type(error.instance)
    return f"json: cannot unmarshal {given} into Go struct field {kind}.{path} of type {go_type}"


def _json_type(value: object) -> str:
    return next((name for name, types in _JSON_TYPES if isinstance(value, types)), "object")
