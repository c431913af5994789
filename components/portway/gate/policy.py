"""Packs for Pulumi. The only module that touches raw properties or imports ``pulumi_policy``.

The engine's SDK answers a rule that reads an unknown value with one *advisory* "can't run policy",
even when the policy is mandatory, and one such value in a stack policy leaves every later resource
unjudged. So no rule ever meets a raw property: they are settled here, and an unknown is data.
"""

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import cast

import grpc
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime import proto
from pulumi.runtime.proto import analyzer_pb2_grpc
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import (
    PolicyProviderResource,
    PolicyResource,
    _PolicyAnalyzerServicer,  # pyright: ignore[reportPrivateUsage] - see Analyzer
)
from pulumi_policy.proxy import UnknownValueError

from portway.errors import BadInput
from portway.gate.billing.rates import NEWER
from portway.gate.config import CostConfig, PackConfig
from portway.gate.costs import COSTS, costs_of, write
from portway.gate.pack import ADVICE, Pack, load_pack
from portway.gate.resource import Provider, Resource
from portway.gate.session import Finding, Level, Session, utc_today
from portway.gate.values import UNKNOWN, View
from portway.gate.wire import completed

_WORKERS = 4
_WHOLE = "the whole stack"
_LARGEST_MESSAGE_BYTES = 400 * 1024 * 1024


def settle(value: object) -> object:
    """``value`` as plain data, with ``UNKNOWN`` wherever the SDK's proxies would raise.

    Files and archives are unknown too: their contents are not read.
    """
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, object]", value)
        return {key: _settled(mapping, key) for key in mapping}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = cast("Sequence[object]", value)
        return [_settled(items, index) for index in range(len(items))]
    return value if value is None or isinstance(value, str | bool | int | float) else UNKNOWN


def _settled(container: Mapping[str, object] | Sequence[object], key: str | int) -> object:
    try:
        return settle(cast("Mapping[str | int, object]", container)[key])
    except UnknownValueError:
        return UNKNOWN


class PolicySet:
    """The policies of one pack, all dispatching to one session."""

    def __init__(self, pack: Pack, today: Callable[[], date] = utc_today) -> None:
        """No configuration yet: until it comes, the packs judge by what the stack declares.

        Exemptions count by ``today``; the engine's own run of a pack always takes the real one.
        """
        self.pack = pack
        self.today = today
        self._config = pack.configure({}, today)
        self._is_preview = False
        self._told: dict[str, tuple[Finding, ...]] = {}
        self._one_at_a_time = threading.Lock()
        self._session = self._start()

    def configure(self, config: PackConfig) -> None:
        """Start afresh with ``config``."""
        self._config = config
        self._session = self._start()

    def begin(self, *, is_preview: bool) -> None:
        """Start afresh with a stack that is only previewed, or about to be changed."""
        self._is_preview = is_preview
        self._session = self._start()

    @property
    def policies(self) -> list[Policy]:
        """In the order they run: those that refuse, then their twins that only report."""
        resource, stack = self.pack.refusing
        return [
            self._resource_policy(resource, "Refuses a resource.", Level.MANDATORY),
            self._stack_policy(stack, "Refuses a stack.", Level.MANDATORY),
            self._resource_policy(resource + ADVICE, "Lets a resource pass.", Level.ADVISORY),
            self._stack_policy(stack + ADVICE, "Lets a stack pass.", Level.ADVISORY),
        ]

    def _once(
        self, subject: str, level: Level, judge: Callable[[], tuple[Finding, ...]]
    ) -> list[Finding]:
        """The findings at ``level``: judged by the policy that refuses, handed on to its twin."""
        with self._one_at_a_time:
            if level is Level.MANDATORY:
                findings = self._told[subject] = judge()
            else:
                told = self._told.pop(subject, None)
                findings = judge() if told is None else told
        return [finding for finding in findings if finding.level is level]

    def _whole(self, args: StackValidationArgs) -> tuple[Finding, ...]:
        findings = self._session.stack(map(_stack_resource, args.resources))
        file, stack = os.environ.get(COSTS), self._session.whole
        if file and stack is not None and isinstance(self._config, CostConfig):
            write(costs_of(stack, self._config, self.today()), Path(file))
        return findings

    def _start(self) -> Session:
        return Session(self.pack.rules, self._config, is_preview=self._is_preview, today=self.today)

    def _resource_policy(self, name: str, description: str, level: Level) -> Policy:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            findings = self._once(args.urn, level, lambda: self._session.resource(_resource(args)))
            for finding in findings:
                report(finding.text, None)

        return ResourceValidationPolicy(
            name=name,
            description=description,
            validate=validate,
            enforcement_level=EnforcementLevel(level.value),
        )

    def _stack_policy(self, name: str, description: str, level: Level) -> Policy:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            findings = self._once(_WHOLE, level, lambda: self._whole(args))
            for finding in findings:
                report(finding.text, finding.violation.urn)

        return StackValidationPolicy(
            name=name,
            description=description,
            validate=validate,
            enforcement_level=EnforcementLevel(level.value),
        )


class Analyzer(_PolicyAnalyzerServicer):
    """The SDK's analyzer, with one configuration for all policies of a pack.

    The SDK shows a policy only its own configuration, and offers no public place to refuse a wrong
    one before the first resource; this class is the smallest change that gives both.
    """

    def __init__(self, policies: PolicySet) -> None:
        """Serve ``policies``."""
        self._set = policies
        super().__init__(
            f"portway-{policies.pack.name}",
            "0.0.1",  # the engine takes the version from PulumiPolicy.yaml
            policies.policies,
            EnforcementLevel.MANDATORY,
        )

    def ConfigureStack(  # noqa: N802 - gRPC's name
        self, request: proto.AnalyzerStackConfigureRequest, _context: grpc.ServicerContext
    ) -> proto.AnalyzerStackConfigureResponse:
        """Learn whether this is a preview; the engine says it here, before the configuration."""
        self._set.begin(is_preview=request.dry_run)
        return super().ConfigureStack(request, _context)  # pyright: ignore[reportUnknownMemberType] - untyped in the SDK

    def Configure(  # noqa: N802 - gRPC's name
        self, request: proto.ConfigureAnalyzerRequest, _context: grpc.ServicerContext
    ) -> Empty:
        """Take the configuration, or refuse it with everything wrong in it."""
        given = {
            name: json_format.MessageToDict(said.properties)
            for name, said in request.policyConfig.items()
        }
        try:
            config = self._set.pack.configure(given, self._set.today)
        except BadInput as error:
            wrong = f"the configuration of the {self._set.pack.name} pack is wrong:\n{error}"
            _context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
            raise
        self._set.configure(config)
        for twin in self._set.pack.policies[2:]:
            # Each policy costs a fresh reading of every resource; these would have nothing to say.
            if twin not in self._set.pack.twins(config):
                request.policyConfig[twin].enforcementLevel = proto.DISABLED
        super().Configure(request, _context)  # pyright: ignore[reportUnknownMemberType] - untyped in the SDK
        return Empty()

    def Analyze(  # noqa: N802 - gRPC's name
        self, request: proto.AnalyzeRequest, context: grpc.ServicerContext
    ) -> proto.AnalyzeResponse:
        """Judge one resource."""
        return super().Analyze(completed(request), context)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped in the SDK

    def AnalyzeStack(  # noqa: N802 - gRPC's name
        self, request: proto.AnalyzeStackRequest, context: grpc.ServicerContext
    ) -> proto.AnalyzeResponse:
        """Judge the whole stack."""
        return super().AnalyzeStack(completed(request), context)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped in the SDK

    def Remediate(  # noqa: N802 - gRPC's name
        self, request: proto.AnalyzeRequest, _context: grpc.ServicerContext
    ) -> proto.RemediateResponse:
        """Nothing: these packs never change a resource, and reading one costs as much as judging it."""
        del request
        return proto.RemediateResponse()


def serve(folder: Path) -> None:
    """Run the pack in ``folder`` for the engine that started this process. Never returns.

    Rates that are kept beside the pack count, unless a gate has named another folder of them.
    """
    os.environ.setdefault(NEWER, str(folder.resolve().parent / "rates"))
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_WORKERS),
        options=[("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES)],
    )
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(PolicySet(load_pack(folder))), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The engine reads the port from the first line; a pipe would hold it back unflushed.
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop(0)


def _resource(args: ResourceValidationArgs) -> Resource:
    return Resource(
        urn=args.urn,
        name=args.name,
        type=args.resource_type,
        properties=View(settle(args.props)),
        provider=_provider(args.provider),
        parent=args.opts.parent,
    )


def _stack_resource(resource: PolicyResource) -> Resource:
    return Resource(
        urn=resource.urn,
        name=resource.name,
        type=resource.resource_type,
        properties=View(settle(resource.props)),
        provider=_provider(resource.provider),
        parent=resource.parent.urn if resource.parent is not None else None,
        depends_on={
            name: tuple(source.urn for source in sources)
            for name, sources in resource.property_dependencies.items()
        },
    )


def _provider(provider: PolicyProviderResource | None) -> Provider | None:
    if provider is None:
        return None
    return Provider(provider.name, provider.urn, View(settle(provider.props)))
