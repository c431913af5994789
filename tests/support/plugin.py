"""A stand-in plugin driven the way the engine drives it, in this process and without gRPC."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portway.sandbox.faults import Faults
from portway.sandbox.providers import wire
from portway.sandbox.providers.__main__ import load
from portway.sandbox.providers.proto import provider_pb2 as pb
from portway.sandbox.providers.server import Provider
from portway.sandbox.store import Store

Json = dict[str, Any]


@dataclass
class Made:
    """A resource as the engine's state would hold it."""

    type: str
    name: str
    id: str
    inputs: Json
    outputs: Json

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::p::{self.type}::{self.name}"


@dataclass
class Plugin:
    """One provider process of ``package``, configured with ``config``, with no data plane."""

    root: Path
    package: str
    config: Json = field(default_factory=dict[str, Any])
    seed: bytes = b"seed"

    def __post_init__(self) -> None:
        self.store = Store(self.root / "cloud.db")
        if self.store.meta("dataplane") is None:
            self.store.set_meta("dataplane", "off")
        faults = Faults.load(self.root / "faults.yaml", self.store)
        self.cloud = load(self.package, self.store, self.root)
        self.cloud.quotas = faults.quotas
        self.provider = Provider(self.cloud, "1.2.3", faults)
        self.provider.configure(pb.ConfigureRequest(args=wire.to_struct(self.config)))

    def check(
        self, kind: str, name: str, inputs: Json, old: Json | None = None
    ) -> tuple[Json, list[tuple[str, str]]]:
        """Inputs as checked, and failures as (path, reason)."""
        answer = self.provider.check(
            pb.CheckRequest(
                urn=self.urn(kind, name),
                type=self.token(kind),
                news=wire.to_struct(inputs),
                olds=wire.to_struct(old or {}),
                randomSeed=self.seed,
            )
        )
        failures = [(failure.property, failure.reason) for failure in answer.failures]
        return wire.from_struct(answer.inputs), failures

    def failures(self, kind: str, inputs: Json) -> dict[str, str]:
        """Path → reason."""
        return dict(self.check(kind, "it", inputs)[1])

    def preview(self, kind: str, name: str, inputs: Json) -> Json:
        """Outputs of a create that is only planned."""
        checked, failures = self.check(kind, name, inputs)
        assert failures == []
        request = pb.CreateRequest(
            urn=self.urn(kind, name),
            type=self.token(kind),
            properties=wire.to_struct(checked),
            preview=True,
        )
        return wire.from_struct(self.provider.create(request).properties)

    def create(self, kind: str, name: str, inputs: Json, timeout_seconds: float = 0) -> Made:
        """Check and create."""
        checked, failures = self.check(kind, name, inputs)
        assert failures == []
        request = pb.CreateRequest(
            urn=self.urn(kind, name),
            type=self.token(kind),
            properties=wire.to_struct(checked),
            timeout=timeout_seconds,
        )
        answer = self.provider.create(request)
        outputs = wire.from_struct(answer.properties)
        return Made(self.token(kind), name, answer.id, checked, outputs)

    def diff(self, made: Made, inputs: Json, *ignore: str) -> pb.DiffResponse:
        """What the engine would be told of a change to ``inputs``."""
        checked, failures = self.check(made.type, made.name, inputs, made.inputs)
        assert failures == []
        return self.provider.diff(
            pb.DiffRequest(
                id=made.id,
                urn=made.urn,
                type=made.type,
                olds=wire.to_struct(made.outputs),
                old_inputs=wire.to_struct(made.inputs),
                news=wire.to_struct(checked),
                ignoreChanges=ignore,
            )
        )

    def update(self, made: Made, inputs: Json, *, preview: bool = False) -> Made:
        """Check and update."""
        checked, failures = self.check(made.type, made.name, inputs, made.inputs)
        assert failures == []
        answer = self.provider.update(
            pb.UpdateRequest(
                id=made.id,
                urn=made.urn,
                type=made.type,
                olds=wire.to_struct(made.outputs),
                old_inputs=wire.to_struct(made.inputs),
                news=wire.to_struct(checked),
                preview=preview,
            )
        )
        outputs = wire.from_struct(answer.properties)
        return Made(made.type, made.name, made.id, checked, outputs)

    def read(self, kind: str, name: str, id_: str, known: Made | None = None) -> Made | None:
        """Refresh ``known``, or import by id alone."""
        answer = self.provider.read(
            pb.ReadRequest(
                id=id_,
                urn=self.urn(kind, name),
                type=self.token(kind),
                properties=wire.to_struct(known.outputs if known else {}),
                inputs=wire.to_struct(known.inputs if known else {}),
            )
        )
        if not answer.id:
            return None
        inputs, outputs = wire.from_struct(answer.inputs), wire.from_struct(answer.properties)
        return Made(self.token(kind), name, answer.id, inputs, outputs)

    def delete(self, made: Made) -> None:
        self.provider.delete(
            pb.DeleteRequest(
                id=made.id,
                urn=made.urn,
                type=made.type,
                properties=wire.to_struct(made.outputs),
                old_inputs=wire.to_struct(made.inputs),
            )
        )

    def invoke(self, token: str, args: Json | None = None) -> tuple[Json, list[str]]:
        """Answer and failures of a data source."""
        answer = self.provider.invoke(pb.InvokeRequest(tok=token, args=wire.to_struct(args or {})))
        found = wire.from_struct(getattr(answer, "return"))
        return found, [failure.reason for failure in answer.failures]

    def token(self, kind: str) -> str:
        return kind if kind.startswith(f"{self.package}:") else f"{self.package}:{kind}"

    def urn(self, kind: str, name: str) -> str:
        return f"urn:pulumi:dev::p::{self.token(kind)}::{name}"
