"""The engine's generated protocol modules, loaded without the Pulumi SDK around them.

``import pulumi.runtime.proto`` runs ``pulumi/__init__.py`` first, which costs a plugin 0.3 s it never
uses. The generated files only import each other, so they are loaded as a package of their own. Protobuf
keeps one class per descriptor: in a process that has the SDK too, the message classes are the same.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from portway.errors import Missing

if TYPE_CHECKING:
    from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

_PACKAGE = "portway_pulumi_proto"


def _folder() -> Path:
    found = importlib.util.find_spec("pulumi")
    if found is None or found.origin is None:
        raise Missing(
            "the pulumi Python SDK is not installed; run `pip install -r requirements.txt`"
        )
    return Path(found.origin).parent / "runtime" / "proto"


def _load(name: str) -> ModuleType:
    if _PACKAGE not in sys.modules:
        spec = importlib.machinery.ModuleSpec(_PACKAGE, None, is_package=True)
        spec.submodule_search_locations = [str(_folder())]
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{_PACKAGE}.{name}")


if not TYPE_CHECKING:
    plugin_pb2 = _load("plugin_pb2")
    provider_pb2 = _load("provider_pb2")
    provider_pb2_grpc = _load("provider_pb2_grpc")
    status_pb2 = _load("status_pb2")

__all__ = ["plugin_pb2", "provider_pb2", "provider_pb2_grpc", "status_pb2"]
