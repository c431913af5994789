"""The component provider as an engine starts it: a process, asked over gRPC, with a mock monitor behind it."""

import subprocess
import sys
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import (
    engine_pb2_grpc,
    errors_pb2,
    provider_pb2,
    provider_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
    status_pb2,
)

from support.mock_engine import Created, mock_monitor

COMPONENTS = Path(__file__).parents[2] / "components"
STACK, PROJECT = "chat.prod.shop", "shop"
"""The stack of a program that is none of ours."""


class _Monitor(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """The engine's end: every resource that is registered is answered as a cloud would."""

    def __init__(self) -> None:
        self.inner = mock_monitor(STACK, PROJECT)

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "older engines are asked feature by feature")

    def SupportsFeature(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        has = request.id in {"secrets", "resourceReferences", "outputValues"}
        return resource_pb2.SupportsFeatureResponse(hasSupport=has)

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return self.inner.RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return self.inner.RegisterResourceOutputs(request)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return self.inner.Invoke(request)

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return empty_pb2.Empty()


@dataclass(frozen=True)
class Constructed:
    """What one ``Construct`` answered. ``created``: what it registered, in any order."""

    urn: str
    state: Mapping[str, Any]
    created: tuple[Created, ...]


class Refusal(Exception):
    """What the engine is told of inputs that cannot be used: a reason for each path."""

    def __init__(self, message: str, reasons: Mapping[str, str]) -> None:
        super().__init__(message)
        self.reasons = reasons


class Host:
    """A provider that runs, and the engine that asks it."""

    def __init__(self, provider: Any, engine: str) -> None:
        self.provider = provider
        self._engine = engine
        self.monitor = _Monitor()

    def schema(self) -> str:
        return str(self.provider.GetSchema(provider_pb2.GetSchemaRequest(version=0)).schema)

    def construct(
        self, kind: str, name: str, inputs: Mapping[str, Any], **config: str
    ) -> Constructed:
        """As ``new portway.<kind>(name, inputs)`` of any language does, through the engine."""
        request: Any = provider_pb2.ConstructRequest(
            project=PROJECT,
            stack=STACK,
            type=f"portway:index:{kind}",
            name=name,
            monitorEndpoint=self._engine,
            parallel=4,
            config={key.replace("__", ":"): value for key, value in config.items()},
        )
        request.inputs.update(inputs)
        before = len(self.monitor.inner.created)
        try:
            answer = self.provider.Construct(request)
        except grpc.RpcError as error:
            raise _refusal(error) from None
        state = rpc.deserialize_properties(answer.state)
        return Constructed(answer.urn, state, tuple(self.monitor.inner.created[before:]))


def _refusal(error: Any) -> Exception:
    trailing: dict[str, Any] = dict(error.trailing_metadata() or ())
    if "grpc-status-details-bin" not in trailing:
        return error
    status: Any = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    found: Any = errors_pb2.InputPropertiesError()
    for detail in status.details:
        detail.Unpack(found)
    return Refusal(error.details(), {one.property_path: one.reason for one in found.errors})


@contextmanager
def hosted() -> Generator[Host]:
    """The provider's process, from the folder that ``PulumiPlugin.yaml`` is in."""
    server = grpc.server(ThreadPoolExecutor(8))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    command = [sys.executable, str(COMPONENTS), address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            host = Host(provider_pb2_grpc.ResourceProviderStub(channel), address)
            resource_pb2_grpc.add_ResourceMonitorServicer_to_server(host.monitor, server)
            engine_pb2_grpc.add_EngineServicer_to_server(host.monitor, server)
            server.start()
            yield host
    finally:
        process.terminate()
        process.communicate(timeout=30)
        server.stop(0).wait()


__all__ = ["Constructed", "Host", "Refusal", "hosted"]
