"""Runs a Pulumi program under mocks and writes what it registers, in the form of an exported state.

python -m portway.gate.testing.recorder ASKED ANSWERED    (in the program's folder)
"""

import asyncio
import json
import logging
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2, json_format
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import mocks, rpc, stack
from pulumi.runtime.proto import resource_pb2

from portway.gate.resource import PROVIDER_PREFIX

_ROOT_TYPE = "pulumi:pulumi:Stack"
Json = dict[str, Any]


class _Calls(mocks.Mocks):
    def __init__(self, answers: Mapping[str, Json]) -> None:
        self._answers = answers

    def call(self, args: mocks.MockCallArgs) -> Any:  # noqa: ANN401 - untyped in the SDK
        if args.token not in self._answers:
            raise LookupError(f"no answer for {args.token}; give one in calls")
        return self._answers[args.token], []

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:  # noqa: ANN401 - untyped in the SDK
        raise NotImplementedError(args.typ)


class Recorder(mocks.MockMonitor):
    """Answers every registration with its inputs alone, and keeps it as a row of a state."""

    def __init__(self, calls: Mapping[str, Json], config: Mapping[str, Any]) -> None:
        """Args: ``config``: the stack's configuration, of which default providers are made."""
        super().__init__(_Calls(calls))
        self._config = config
        self._inputs: dict[str, Any] = {}
        self.rows: dict[str, Json] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine makes it: the stack, of which everything is a child, is left out."""
        return super().make_urn("" if _is_root(parent) else parent, type_, name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the engine's own name
        """Record it; what a cloud would compute is left out, so that it is unknown in a preview."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == _ROOT_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if urn in self.rows:
            raise ValueError(f"Duplicate resource URN '{urn}'; try giving it a unique name")
        self._keep(urn, request, json_format.MessageToDict(request.object))
        state = rpc.deserialize_properties(request.object, keep_unknowns=True)
        self.resources[urn] = mocks.MockMonitor.ResourceRegistration(urn, "", state)
        return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802 - the engine's own name
        """Components say at their end what they offer."""
        if request.urn in self.rows:
            self.rows[request.urn]["outputs"] = json_format.MessageToDict(request.outputs)
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the engine's own name
        """One that is looked up: only its id and the given properties are known."""
        urn = self.make_urn(request.parent, request.type, request.name)
        self._keep(urn, request, json_format.MessageToDict(request.properties))
        self.rows[urn] |= {"custom": True, "external": True}
        return resource_pb2.ReadResourceResponse(urn=urn, properties=request.properties)

    def _keep(self, urn: str, request: Any, inputs: Json) -> None:  # noqa: ANN401 - untyped in the SDK
        is_custom = bool(getattr(request, "custom", True))
        dependencies = getattr(request, "propertyDependencies", {})
        row: Json = {
            "urn": urn,
            "type": request.type,
            "custom": is_custom,
            "inputs": inputs,
            "parent": "" if _is_root(request.parent) else request.parent,
            "propertyDependencies": {
                name: list(found.urns) for name, found in dependencies.items() if found.urns
            },
        }
        if is_custom and not request.type.startswith(PROVIDER_PREFIX):
            row["provider"] = request.provider or self._default(request.type.split(":")[0])
        if request.type.startswith(PROVIDER_PREFIX):
            row["id"] = rpc.UNKNOWN
        self.rows[urn] = row

    def _default(self, package: str) -> str:
        kind = f"{PROVIDER_PREFIX}{package}"
        urn = self.make_urn("", kind, "default")
        if urn not in self.rows:
            prefix = f"{package}:"
            inputs = {
                key.removeprefix(prefix): value
                for key, value in self._config.items()
                if key.startswith(prefix)
            }
            self.rows[urn] = {
                "urn": urn,
                "type": kind,
                "custom": True,
                "id": rpc.UNKNOWN,
                "inputs": inputs,
            }
        return f"{urn}::{rpc.UNKNOWN}"


def _is_root(urn: str) -> bool:
    return _ROOT_TYPE in urn.split("::")[2:3]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def main(asked: Path, answered: Path) -> None:
    """Run the program in the working folder."""
    request: Json = json.loads(asked.read_text(encoding="utf-8"))
    config = {key: _text(value) for key, value in request["config"].items()}
    recorder = Recorder(request["calls"], config)
    folder = Path.cwd()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi_config.set_all_config(config)
    mocks.set_mocks(
        recorder.mocks,
        project=folder.name,
        stack=request["stack"],
        preview=True,
        monitor=recorder,
        logger=logging.getLogger("pulumi"),
    )

    async def program() -> None:
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    try:
        loop.run_until_complete(stack.run_pulumi_func(program))
    finally:
        loop.close()
    state = {"version": 3, "deployment": {"resources": list(recorder.rows.values())}}
    answered.write_text(json.dumps(state), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
