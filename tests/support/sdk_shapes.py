"""What the pinned SDKs let a program write: whether a property exists, however deep."""

import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

MARKS = frozenset({"<secret>", "<output>", "<unknown>"})
_RENAMED = {"lambda": "lambda_"}
_ARGS = re.compile(r"'?([\w.]+Args)(?:Dict)?'?")


@cache
def resource_args(token: str) -> type | None:
    """The class of a type's inputs; None where the pinned SDKs have no such type."""
    package, module, name = token.split(":")
    if package == "kubernetes":
        group, version = module.split("/")
        if "." in group and not group.endswith((".k8s.io", "helm.sh")):
            return None
        path = f"pulumi_kubernetes.{group.split('.')[0]}.{version}"
    else:
        folder = module.split("/")[0]
        path = f"pulumi_{package}.{_RENAMED.get(folder, folder)}".removesuffix(".index")
    try:
        found = importlib.import_module(path)
    except ImportError:
        return None
    inputs = getattr(found, f"{name}InitArgs", None) or getattr(found, f"{name}Args", None)
    return cast("type | None", inputs)


@cache
def _shape(args: type) -> Mapping[str, str]:
    """By property, as programs on the wire call it, the text of its type."""
    shape: dict[str, str] = {}
    for owner in reversed(args.__mro__):
        for name, member in vars(owner).items():
            if isinstance(member, property) and member.fget is not None:
                getter: Any = member.fget
                said = str(getter.__annotations__.get("return", ""))
                shape[str(getattr(getter, "_pulumi_name", name))] = said
    return shape


def strange(args: type, value: object, path: str = "") -> Iterator[str]:
    """Every path in ``value`` that ``args`` does not have, or has in another form."""
    if not isinstance(value, dict):
        return
    shape = _shape(args)
    for key, child in cast("dict[str, Any]", value).items():
        where = f"{path}.{key}" if path else key
        if key not in shape:
            yield where
            continue
        yield from _inside(args, shape[key], child, where)


def _inside(args: type, said: str, child: object, where: str) -> Iterator[str]:
    if _is_mark(child):
        return
    is_list = "Sequence[" in said
    if isinstance(child, list):
        if not is_list:
            yield f"{where} (is no list)"
        items = cast("list[object]", child)
    elif is_list:
        yield f"{where} (is a list)"
        return
    else:
        items = [child]
    nested = next(iter(_nested(args, said)), None)
    for item in items:
        if _is_mark(item):
            continue
        if isinstance(item, dict) and nested is not None:
            yield from strange(nested, cast("object", item), where)
        elif isinstance(item, str | int | bool) and nested is not None and "[str" not in said:
            yield f"{where} (is an object)"
        elif isinstance(item, dict) and "Mapping[" not in said and "Any" not in said:
            yield f"{where} (is no object)"


def _is_mark(value: object) -> bool:
    is_wrapped = isinstance(value, dict) and MARKS & set(cast("dict[str, Any]", value))
    return value in MARKS if isinstance(value, str) else bool(is_wrapped)


def _nested(args: type, said: str) -> Iterator[type]:
    for match in _ARGS.finditer(said):
        found: Any = sys.modules[args.__module__]
        for part in match.group(1).split("."):
            found = getattr(found, part, None)
        if isinstance(found, type):
            yield found
