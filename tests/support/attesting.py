"""Stacks as the engine writes them, and attestations made of them, without an engine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from portway.gate.attest.events import State, stack_of
from portway.gate.attest.gated import attest
from portway.gate.attest.hop import Hop
from portway.gate.attest.hops import hops
from portway.gate.config import ResidencyConfig
from portway.gate.context import ResidencyContext
from portway.gate.record import Record, Reported
from portway.gate.report import GateReport
from portway.gate.run import StackReport
from portway.residency.boundary import boundary
from support.packs import pack_named

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
ASSET = {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "hash": "00", "text": "prompt"}
_CLOUDS = {
    "aws": {"region": "eu-west-1"},
    "gcp": {"project": "acme"},
    "kubernetes": {"context": "prod-eu"},
}


def secret(text: str) -> dict[str, str]:
    """A secret as an event holds it, were the engine ever not to blank it."""
    return {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": text}


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:dev::proj::{token}::{name}"


def state(token: str, name: str = "it", inputs: Mapping[str, Any] | None = None) -> State:
    """One resource, managed by its package's default provider."""
    package = token.split(":", maxsplit=1)[0]
    provider = f"{urn(f'pulumi:providers:{package}', 'default')}::{LATER}"
    return {
        "urn": urn(token, name),
        "type": token,
        "custom": True,
        "inputs": dict(inputs or {}),
        "provider": "" if package == "portway" else provider,
    }


def states(*resources: State, providers: Mapping[str, Mapping[str, Any]] = _CLOUDS) -> list[State]:
    """``resources`` with the providers that manage them."""
    made = [
        {"urn": urn(f"pulumi:providers:{package}", "default"), "type": f"pulumi:providers:{package}",
         "custom": True, "inputs": dict(inputs)}
        for package, inputs in providers.items()
    ]  # fmt: skip
    return [*made, *resources]


def context(*names: str, **more: Any) -> ResidencyContext:
    inside = boundary(names or ("eu",))
    return ResidencyContext(inside, inside, clusters={"prod-eu": "europe-west4"}, **more)


def hops_of(*resources: State, lacking: Sequence[str] = (), **more: Any) -> tuple[Hop, ...]:
    """The hops of a stack that holds ``resources``, inside ``eu``."""
    return hops(stack_of(states(*resources)), context(**more), lacking)


LAMBDA = state(
    "aws:lambda/function:Function",
    "chat",
    {"region": "eu-west-1", "environment": {"variables": {"MODEL": "eu.amazon.nova-lite-v1:0"}}},
)


def gate_report(*stacks: StackReport, config: Mapping[str, Any] | None = None) -> GateReport:
    given = {"boundary": "eu", "clusters": {"prod-eu": "europe-west4"}} | dict(config or {})
    configs = {"residency": ResidencyConfig.model_validate(given)}
    return GateReport(stacks, (pack_named("residency"),), configs, date(2026, 11, 22))


def stack_report(
    *resources: State, name: str = "dev", said: Sequence[Reported] = (), faults: Sequence[str] = ()
) -> StackReport:
    """The gate's report on a stack that holds ``resources``."""
    seen = tuple(states(*resources))
    urns = tuple(str(one["urn"]) for one in resources)
    asked = {"residency": frozenset(urns), "cost": frozenset(urns)}
    record = Record(frozenset(asked), urns, asked, frozenset(asked), tuple(said))
    return StackReport(name, record, tuple(faults), resources=seen, engine="3.259.0")


def reported(rule: str, level: str = "advisory") -> Reported:
    return Reported("residency", "residency", rule, level, "", "said")


@cache
def attested() -> dict[str, Any]:
    """An attestation that holds. Never change it in place."""
    return attest(gate_report(stack_report(LAMBDA)))
