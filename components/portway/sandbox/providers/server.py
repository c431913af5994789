"""What the engine asks of a provider, the same for every package: protobuf in, a ``Cloud`` asked, protobuf out.

Secrets are taken off before the cloud is asked and put back on what it answers, wherever the engine's
own values carried them. Faults are injected here, so that they strike every cloud alike.
"""

import json
import os
import time
from collections.abc import Callable, Mapping

from google.protobuf import empty_pb2, struct_pb2

from portway.sandbox.faults import CRASHED, OUTAGES, Fault, FaultKind, Faults
from portway.sandbox.providers import wire
from portway.sandbox.providers.cloud import (
    Cloud,
    CloudError,
    InitFailed,
    Request,
    State,
    provider_values,
)
from portway.sandbox.providers.differences import Difference, compare
from portway.sandbox.providers.proto import plugin_pb2, provider_pb2
from portway.sandbox.providers.wire import Json
from portway.sandbox.store import Key

_PATIENCE_SECONDS = 60.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 2.0


class Provider:
    """One provider process: every call of the protocol as a function of its message.

    Calls raise what the cloud raises (``CloudError``, ``InitFailed``); ``protocol`` turns that into gRPC.
    """

    def __init__(self, cloud: Cloud, version: str, faults: Faults) -> None:
        """Serve ``cloud`` as version ``version`` of its package's plugin."""
        self.cloud = cloud
        self.version = version
        self.faults = faults

    def handshake(
        self, request: provider_pb2.ProviderHandshakeRequest
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Secrets are understood; output values and resource references are not."""
        del request
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True,
            accept_resources=False,
            accept_outputs=False,
            supports_autonaming_configuration=True,
        )

    def plugin_info(self, request: empty_pb2.Empty) -> plugin_pb2.PluginInfo:
        """The version of the SDK this plugin stands in for."""
        del request
        return plugin_pb2.PluginInfo(version=self.version)

    def schema(self, request: provider_pb2.GetSchemaRequest) -> provider_pb2.GetSchemaResponse:
        """The least an import or ``package get-schema`` needs."""
        del request
        text = json.dumps({"name": self.cloud.package, "version": self.version})
        return provider_pb2.GetSchemaResponse(schema=text)

    def attach(self, request: provider_pb2.ProviderHandshakeRequest) -> empty_pb2.Empty:
        """Nothing is ever called back."""
        del request
        return empty_pb2.Empty()

    def cancel(self, request: empty_pb2.Empty) -> empty_pb2.Empty:
        """Let everything that waits give up."""
        del request
        self.cloud.cancelled.set()
        return empty_pb2.Empty()

    def check_config(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        """Validate the provider's own configuration."""
        config = provider_values(wire.bare(wire.from_struct(request.news)))
        failures = self.cloud.check_config(config)
        return provider_pb2.CheckResponse(
            inputs=request.news,
            failures=[
                provider_pb2.CheckFailure(property=f.path, reason=f.message) for f in failures
            ],
        )

    def diff_config(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        """Whether a changed configuration means that every resource is somewhere else."""
        old = wire.from_struct(request.old_inputs if request.old_inputs.fields else request.olds)
        new = wire.from_struct(request.news)
        return _difference(compare(old, new, replaces=self.cloud.config_replaces()))

    def configure(self, request: provider_pb2.ConfigureRequest) -> provider_pb2.ConfigureResponse:
        """Take the provider's configuration, plain, for the life of the process."""
        package = self.cloud.package
        asked = Request(urn=f"::{package}", type=f"pulumi:providers:{package}", inputs={})
        self._strike(self.faults.due("configure", asked.type, package), "configure", asked)
        self.cloud.configure(provider_values(wire.bare(wire.from_struct(request.args))))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            acceptResources=False,
            acceptOutputs=False,
            supports_autonaming_configuration=True,
        )

    def check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        """Validate a resource's inputs and fill in what the program left out."""
        news = wire.from_struct(request.news)
        proposed = request.autonaming.proposed_name if request.HasField("autonaming") else ""
        asked = Request(
            urn=request.urn,
            type=_type(request.urn, request.type),
            inputs=wire.bare(news),
            old_inputs=wire.bare(wire.from_struct(request.olds)),
            seed=request.randomSeed,
            proposed_name=proposed or None,
        )
        inputs, failures = self.cloud.check(asked)
        return provider_pb2.CheckResponse(
            inputs=wire.to_struct(wire.rewrap(inputs, news)),
            failures=[
                provider_pb2.CheckFailure(property=f.path, reason=f.message) for f in failures
            ],
        )

    def diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        """Compare saved inputs with wanted ones."""
        asked = Request(
            urn=request.urn,
            type=_type(request.urn, request.type),
            id=request.id,
            inputs=wire.bare(wire.from_struct(request.news)),
            old_inputs=wire.bare(wire.from_struct(request.old_inputs)),
            old_outputs=wire.bare(wire.from_struct(request.olds)),
            ignore_changes=tuple(request.ignoreChanges),
        )
        return _difference(self.cloud.diff(asked))

    def create(self, request: provider_pb2.CreateRequest) -> provider_pb2.CreateResponse:
        """Create, or say what would be."""
        given = wire.from_struct(request.properties)
        asked = Request(
            urn=request.urn,
            type=_type(request.urn, request.type),
            inputs=wire.bare(given),
            preview=request.preview,
            timeout_seconds=request.timeout or None,
        )
        if request.preview:
            outputs = self._wrapped(asked.type, self.cloud.preview(asked), given)
            return provider_pb2.CreateResponse(id="", properties=wire.to_struct(outputs))
        state = self._act("create", asked, self.cloud.create, given)
        outputs = self._wrapped(asked.type, state.outputs, given)
        return provider_pb2.CreateResponse(id=state.id, properties=wire.to_struct(outputs))

    def read(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse:
        """Refresh, import or look up."""
        properties, inputs = wire.from_struct(request.properties), wire.from_struct(request.inputs)
        asked = Request(
            urn=request.urn,
            type=_type(request.urn, request.type),
            id=request.id,
            inputs=wire.bare(inputs),
            old_outputs=wire.bare(properties),
        )
        self._strike(self.faults.due("read", asked.type, asked.name), "read", asked)
        state = self.cloud.read(asked)
        if state is None:
            return provider_pb2.ReadResponse(id="")
        return provider_pb2.ReadResponse(
            id=state.id,
            properties=wire.to_struct(self._wrapped(asked.type, state.outputs, properties)),
            inputs=wire.to_struct(self._wrapped(asked.type, state.inputs, inputs)),
        )

    def update(self, request: provider_pb2.UpdateRequest) -> provider_pb2.UpdateResponse:
        """Change in place, or say what would be."""
        given = wire.from_struct(request.news)
        asked = Request(
            urn=request.urn,
            type=_type(request.urn, request.type),
            id=request.id,
            inputs=wire.bare(given),
            old_inputs=wire.bare(wire.from_struct(request.old_inputs)),
            old_outputs=wire.bare(wire.from_struct(request.olds)),
            preview=request.preview,
            timeout_seconds=request.timeout or None,
            ignore_changes=tuple(request.ignoreChanges),
        )
        if request.preview:
            outputs = self.cloud.preview(asked)
        else:
            outputs = self._act("update", asked, self.cloud.update, given).outputs
        wrapped = self._wrapped(asked.type, outputs, given)
        return provider_pb2.UpdateResponse(properties=wire.to_struct(wrapped))

    def delete(self, request: provider_pb2.DeleteRequest) -> empty_pb2.Empty:
        """Delete; what is gone already is fine."""
        asked = Request(
            urn=request.urn,
            type=_type(request.urn, request.type),
            id=request.id,
            inputs={},
            old_inputs=wire.bare(wire.from_struct(request.old_inputs)),
            old_outputs=wire.bare(wire.from_struct(request.properties)),
            timeout_seconds=request.timeout or None,
        )
        self._strike(self.faults.due("delete", asked.type, asked.name), "delete", asked)
        self.cloud.delete(asked)
        return empty_pb2.Empty()

    def invoke(self, request: provider_pb2.InvokeRequest) -> provider_pb2.InvokeResponse:
        """Answer a data source, or say that there is no answer."""
        try:
            found = self.cloud.invoke(request.tok, wire.bare(wire.from_struct(request.args)))
        except CloudError as error:
            failure = provider_pb2.CheckFailure(property="", reason=str(error))
            return provider_pb2.InvokeResponse(failures=[failure])
        answer: Mapping[str, struct_pb2.Struct] = {"return": wire.to_struct(found)}
        return provider_pb2.InvokeResponse(**answer)  # pyright: ignore[reportArgumentType] - a keyword of Python

    def _act(
        self, operation: str, asked: Request, act: Callable[[Request], State], given: Json
    ) -> State:
        """Do ``operation`` with whatever faults are due; a half-made state leaves with its secrets marked."""
        due = self.faults.due(operation, asked.type, asked.name)
        self._strike(due, operation, asked)
        try:
            return _struck_after(due, act(asked))
        except InitFailed as failed:
            outputs = self._wrapped(asked.type, failed.state.outputs, given)
            marked = State(failed.state.id, given, outputs)
            raise InitFailed(marked, *failed.reasons) from failed

    def _strike(self, due: list[Fault], operation: str, asked: Request) -> None:
        key = Key(self.cloud.package, "", asked.type, asked.id)
        for fault in due:
            self.cloud.store.event("fault", key, asked.urn, kind=fault.kind, during=operation)
            match fault.kind:
                case FaultKind.LATENCY:
                    self.cloud.cancelled.wait(fault.latency_seconds)
                case FaultKind.DENIED:
                    raise self.cloud.denied(operation, asked)
                case FaultKind.QUOTA:
                    raise self.cloud.over_quota(operation, asked)
                case FaultKind.EXPIRED:
                    raise self.cloud.expired(operation, asked)
                case kind if kind in OUTAGES:
                    self._endure(fault, operation, asked)
                case _:
                    pass  # strikes once the resource exists

    def _endure(self, fault: Fault, operation: str, asked: Request) -> None:
        """Wait for an outage to pass, as long as the real provider would.

        Raises:
            CloudError: it does not try again, or has tried for long enough.
        """
        outage = self.cloud.outage(fault.kind, operation, asked)
        deadline, pause = time.monotonic() + _PATIENCE_SECONDS, _FIRST_PAUSE_SECONDS
        while outage.retried and time.monotonic() + pause < deadline:
            if self.cloud.cancelled.wait(pause):
                break
            if not self.faults.strikes(fault):
                return
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        raise outage.error

    def _wrapped(self, type_token: str, values: Json, like: Json) -> Json:
        """``values`` as the engine may see them: no internal keys, and every secret marked."""
        hidden = self.cloud.secret_outputs(type_token)
        marked: Json = wire.rewrap(wire.without_internal(values), like)
        return {
            key: wire.secret(value) if key in hidden and value is not None else value
            for key, value in marked.items()
        }


def _struck_after(due: list[Fault], state: State) -> State:
    kinds = {fault.kind for fault in due}
    if FaultKind.CRASH in kinds:
        os._exit(CRASHED)
    if FaultKind.HALF_CREATE in kinds:
        raise InitFailed(state, "the resource was created but never became ready (injected)")
    return state


def _type(urn: str, given: str) -> str:
    return given or urn.split("::")[2].rsplit("$", 1)[-1]


def _difference(found: Difference) -> provider_pb2.DiffResponse:
    kinds = provider_pb2.PropertyDiff.Kind
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=kinds.Value(f"{kind}_REPLACE" if path in found.replacing else kind), inputDiff=True
        )
        for path, kind in found.changed.items()
    }
    response = provider_pb2.DiffResponse
    return provider_pb2.DiffResponse(
        changes=response.DIFF_SOME if detailed else response.DIFF_NONE,
        diffs=sorted({_top(path) for path in found.changed}),
        replaces=sorted({_top(path) for path in found.replacing}),
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=found.delete_first,
    )


def _top(path: str) -> str:
    return path.split(".", 1)[0].split("[", 1)[0] or path
