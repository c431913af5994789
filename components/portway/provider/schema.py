"""The schema of the package, made from the models that read a spec and a placement.

Nothing here is written twice: a field that is added to the spec, or to the options of a target, is an
input of every component that takes it, documented in the words of its model.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from pydantic import BaseModel

from portway.provider.words import attributes_of, camel, camel_text, fields_of, summary_of
from portway.registry import load_target, registered
from portway.spec import InferenceServiceSpec
from portway.target import Target

PACKAGE: Final = "portway"
ANY_TARGET: Final = "InferenceService"
_SUFFIX: Final = "Service"
_STRING: Final = {"type": "string"}
_LANGUAGES: Final = ("nodejs", "python", "csharp", "java", "go")
_CLOUDS: Final = "pulumi.json#/Any"

PLACEMENT: Final[Mapping[str, Mapping[str, Any]]] = {
    "region": {**_STRING, "description": "Where the service runs, in the cloud's own words."},
    "environment": {
        **_STRING,
        "description": "The middle part of physical names, such as prod; the stack's own name without.",
    },
    "cluster": {
        **_STRING,
        "description": "The kubeconfig context, where the target is a cluster.",
    },
    "keys": {
        "type": "array",
        "items": _STRING,
        "description": "Names of API key generations, newest first; all of them are valid at once.",
    },
    "settings": {
        "type": "object",
        "additionalProperties": _STRING,
        "description": "Settings of the cloud by full key, such as gcp:project; the stack's configuration without.",
    },
}
"""The inputs of every component beside ``spec`` and ``options``."""

_OUTPUTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "endpoint": {**_STRING, "description": "What clients call; their base_url is this and /v1."},
    "region": {**_STRING, "description": "Where the service runs, read off what was created."},
    "apiKey": {
        **_STRING,
        "secret": True,
        "description": "The newest valid API key; absent with auth: iam.",
    },
}
_OF_A_SERVICE: Final[Mapping[str, Mapping[str, Any]]] = {
    "target": {**_STRING, "description": "What it runs on."},
    "model": {**_STRING, "description": "The row of the model catalogue."},
    "modelIdentity": {**_STRING, "description": "What makes two deployments the same model."},
    "service": {**_STRING, "description": "Its name."},
}
_IDENTITY: Final[Mapping[str, Mapping[str, Any]]] = {
    "identity": {**_STRING, "description": "Who the service runs as."},
}


def components() -> dict[str, str]:
    """The target of each component that is for one target only, by the component's name."""
    return {load_target(name).component.rpartition(":")[2]: name for name in registered()}


def package_version() -> str:
    """Of the installed package; 0.0.0 where it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "0.0.0"


@cache
def schema_text() -> str:
    """The schema as it is checked in and as the engine is given it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """The whole package: ``InferenceService``, and the component of each target."""
    types = dict(_types(InferenceServiceSpec, ""))
    resources = {token(ANY_TARGET): _any_target()}
    for name, of in components().items():
        target = load_target(of)
        prefix = name.removesuffix(_SUFFIX)
        types.update(_types(target.options, prefix))
        resources[token(name)] = _one_target(name, target, prefix)
    return {
        "name": PACKAGE,
        "version": package_version(),
        "description": "One spec for an LLM inference service, and three places to run it.",
        "license": "Apache-2.0",
        "types": {key: types[key] for key in sorted(types)},
        "resources": resources,
        "language": {one: {"respectSchemaVersion": True} for one in _LANGUAGES},
    }


def token(name: str) -> str:
    """``portway:index:Scaling``."""
    return f"{PACKAGE}:index:{name}"


def _any_target() -> dict[str, Any]:
    options = {
        "type": "object",
        "additionalProperties": {"$ref": _CLOUDS},
        "description": "What only the target lets one set: the inputs that the component of that target documents.",
    }
    target = {**_STRING, "description": f"One of {', '.join(registered())}."}
    inputs = {"spec": _spec(), "target": target, **PLACEMENT, "options": options}
    return _component(
        "An OpenAI-compatible inference service on the target that it names. It records what its spec "
        "declares, so that the policy packs can hold the stack to it.",
        inputs,
        ["spec", "target", "region"],
        {**_OUTPUTS, **_OF_A_SERVICE},
        ["endpoint", "region", "target", "model", "modelIdentity", "service"],
    )


def _one_target(name: str, target: Target, prefix: str) -> dict[str, Any]:
    options = {
        "$ref": f"#/types/{token(_named(target.options.__name__, prefix))}",
        "description": "What only this target lets one set.",
    }
    return _component(
        f"What {ANY_TARGET} creates on {target.name}, by itself. It records nothing for the policy "
        f"packs: {name} is for stacks whose limits an organisation configures.",
        {"spec": _spec(), **PLACEMENT, "options": options},
        ["spec", "region"],
        {**_OUTPUTS, **_IDENTITY},
        ["endpoint", "region", "identity"],
    )


def _spec() -> dict[str, Any]:
    return {
        "$ref": f"#/types/{token(_named(InferenceServiceSpec.__name__, ''))}",
        "description": "What the service must be, wherever it runs. Literals: it is decided before anything is created.",
    }


def _component(
    description: str,
    inputs: Mapping[str, Any],
    required: list[str],
    outputs: Mapping[str, Any],
    always: list[str],
) -> dict[str, Any]:
    plain = {name: _plain(of) for name, of in inputs.items()}
    return {
        "description": description,
        "isComponent": True,
        "inputProperties": plain,
        "requiredInputs": required,
        "properties": dict(outputs),
        "required": always,
    }


def _plain(of: Mapping[str, Any]) -> dict[str, Any]:
    """A type of which values are literals all the way down: languages then take no outputs for it."""
    inner = {key: _plain(of[key]) for key in ("items", "additionalProperties") if key in of}
    return {**of, **inner, "plain": True}


def _types(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """``model`` and all models in it, by token."""
    whole = model.model_json_schema()
    defs = whole.get("$defs", {})
    fields = fields_of(model)
    for name, one in ((model.__name__, whole), *defs.items()):
        told = attributes_of(one.get("description", ""))
        properties = one.get("properties", {})
        required = [camel(field) for field in one.get("required", []) if _is_asked(name, field)]
        yield (
            token(_named(name, prefix)),
            {
                "type": "object",
                "description": camel_text(summary_of(one.get("description", "")), fields),
                "properties": {
                    camel(field): {
                        **_kind(of, prefix),
                        "description": camel_text(_told(of, told.get(field, ""), defs), fields),
                    }
                    for field, of in properties.items()
                },
                **({"required": required} if required else {}),
            },
        )


def _is_asked(model: str, field: str) -> bool:
    """A service is called as its resource is, unless its spec says otherwise."""
    return (model, field) != (InferenceServiceSpec.__name__, "name")


def _named(model: str, prefix: str) -> str:
    name = model.removesuffix("Option")
    return name if name.startswith(prefix) else f"{prefix}{name}"


def _told(of: Mapping[str, Any], told: str, defs: Mapping[str, Any]) -> str:
    """What a field means, within which limits, and what counts without it."""
    meant = told or of.get("description", "") or _of_type(of, defs)
    said = [part for part in (meant, *_limits(of)) if part]
    default = of.get("default")
    if default is not None and not isinstance(default, dict | list):
        said.append(f"{str(default).lower() if isinstance(default, bool) else default} without")
    return "; ".join(said)


def _of_type(of: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """What the type of a field says of itself."""
    for one in (of, *of.get("anyOf", [])):
        if "$ref" in one:
            whole = summary_of(defs[str(one["$ref"]).rpartition("/")[2]]["description"])
            return whole.partition("\n\n")[0].rstrip(".")
    return ""


def _kind(of: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The type alone, as Pulumi's schemas write it."""
    if "$ref" in of:
        return {"$ref": f"#/types/{token(_named(str(of['$ref']).rpartition('/')[2], prefix))}"}
    if "anyOf" in of:
        kinds = [_kind(one, prefix) for one in of["anyOf"] if one.get("type") != "null"]
        unlike = [one for number, one in enumerate(kinds) if one not in kinds[:number]]
        if {"type": "number"} in unlike:  # decimal text beside a number
            return {"type": "number"}
        return unlike[0] if len(unlike) == 1 else {"oneOf": unlike}
    if of.get("type") == "array":
        return {"type": "array", "items": _kind(of.get("items", {}), prefix)}
    if of.get("type") == "object":
        other = of.get("additionalProperties")
        inner = _kind(other, prefix) if isinstance(other, dict) else {"$ref": _CLOUDS}  # pyright: ignore[reportUnknownArgumentType] - JSON
        return {"type": "object", "additionalProperties": inner}
    kinds = {int: "integer", str: "string", bool: "boolean", float: "number"}
    first = next(iter(of.get("enum", [of.get("const", "")])))
    return {"type": of.get("type", kinds[type(first)])}


def _limits(of: Mapping[str, Any]) -> Iterator[str]:
    """``1 to 3600``, ``one of a, b``: what the type alone does not say."""
    for one in (of, *of.get("anyOf", [])):
        if "enum" in one:
            yield f"one of {', '.join(map(str, one['enum']))}"
        low = one.get("minimum", one.get("exclusiveMinimum", one.get("gt")))
        high = one.get("maximum", one.get("le"))
        if low is not None and high is not None:
            yield f"{'above ' if 'minimum' not in one else ''}{low:,} to {high:,}"
        elif low is not None:
            yield f"at least {low:,}" if "minimum" in one else f"above {low:,}"
