"""What both packs cost a resource, a stack and a start, beside a naive pack of one policy per rule.

Run: ``python benchmarks/bench_packs.py [--resources N] [--profile]``. One process, no engine: the
messages the engine would send are made beforehand, then handed to the packs as it hands them. The
resources are those of our own three stacks and the good examples of every rule, repeated; the naive
pack runs the very same rules over them, each as a Pulumi policy of its own. The quickest of three
passes counts.
"""

import argparse
import cProfile
import json
import pstats
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from google.protobuf import struct_pb2
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel, Policy
from pulumi_policy.policy import (
    _PolicyAnalyzerServicer,  # pyright: ignore[reportPrivateUsage] - what a pack is served by
)
from ruamel.yaml import YAML

from portway.gate.config import PackConfig
from portway.gate.pack import Pack, load_pack
from portway.gate.policy import Analyzer, PolicySet, settle
from portway.gate.resource import Provider, Resource
from portway.gate.session import Finding, Session
from portway.gate.values import View

ROOT = Path(__file__).resolve().parents[1]
PACKS = ("residency", "cost")
CONFIG: dict[str, dict[str, Any]] = {
    "residency": {"boundary": "eu", "clusters": {"cluster": "europe-west4"}},
    "cost": {"max_gpus": 4},
}
REGIONS = {"aws": {"region": "eu-central-1"}, "gcp": {"region": "europe-west4", "project": "acme"}}
GOLDEN = ("chat@cloud-run", "chat@lambda-bedrock", "chat@kubernetes")
NO_PROVIDER = ("portway", "pulumi")
LIMITS = {"resource": 1.0, "stack": 1000.0, "start": 1500.0}
"""Milliseconds: all rules together on one resource, one pass over 1,000, one start of a pack."""
RUNS = 3


@dataclass(frozen=True)
class Given:
    """One resource to judge: what a program gives."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    provider: Mapping[str, Any]

    @property
    def urn(self) -> str:
        """As the engine writes it."""
        return f"urn:pulumi:dev::bench::{self.type}::{self.name}"


def resources(count: int) -> list[Given]:
    """``count`` resources: the mix, again and again under new names."""
    mix = [*_golden(), *_examples()]
    rounds = (f"{one.name}-{number}" for number in range(count) for one in mix)
    repeated = (one for _ in range(count) for one in mix)
    return [
        Given(one.type, name, one.inputs, one.provider)
        for one, name, _ in zip(repeated, rounds, range(count), strict=False)
    ]


def _golden() -> Iterator[Given]:
    for name in GOLDEN:
        rows = json.loads((ROOT / f"tests/golden/{name}.resources.json").read_text("utf-8"))
        for row in rows:
            yield Given(row["type"], row["name"], row.get("inputs", {}), _provider(row["type"]))


def _examples() -> Iterator[Given]:
    yaml: Any = YAML(typ="safe")
    for file in sorted(ROOT.glob("policies/*/rules/*.examples.yaml")):
        for example in yaml.load(file)["good"]:
            rows = cast("list[dict[str, Any]]", example.get("resources", [example]))
            for row in rows:
                token, props = row["type"], row.get("props", {})
                yield Given(token, row.get("name", "it"), props, _provider(token))


def _provider(token: str) -> Mapping[str, Any]:
    return REGIONS.get(token.partition(":")[0], {})


def fill(given: Given, one: proto.AnalyzeRequest | proto.AnalyzerResource) -> None:
    """Make ``one`` the engine's message about a resource."""
    one.type, one.urn, one.name = given.type, given.urn, given.name
    one.properties.CopyFrom(_struct(given.inputs))
    package = given.type.partition(":")[0]
    if package not in NO_PROVIDER:
        kind = f"pulumi:providers:{package}"
        one.provider.CopyFrom(
            proto.AnalyzerProviderResource(
                type=kind,
                urn=f"urn:pulumi:dev::bench::{kind}::cluster",
                name="cluster",
                properties=_struct(given.provider),
            )
        )


def _struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(value)
    return struct


class Served:
    """A pack as the engine has it: one analyzer, configured."""

    def __init__(
        self, analyzer: _PolicyAnalyzerServicer, policies: list[Policy], pack: Pack
    ) -> None:
        """Configure ``analyzer`` as the engine would."""
        self._analyzer = cast("Any", analyzer)
        request = proto.ConfigureAnalyzerRequest()
        for one in policies:
            request.policyConfig[one.name].properties.update(CONFIG[pack.name])
            request.policyConfig[one.name].enforcementLevel = proto.MANDATORY
        about = proto.AnalyzerStackConfigureRequest(stack="dev", project="bench", dry_run=True)
        self._analyzer.ConfigureStack(about, None)
        self._analyzer.Configure(request, None)

    def resource(self, request: proto.AnalyzeRequest) -> int:
        """How much is said about one resource."""
        return len(self._analyzer.Analyze(request, None).diagnostics)

    def stack(self, request: proto.AnalyzeStackRequest) -> int:
        """How much is said about the whole stack."""
        return len(self._analyzer.AnalyzeStack(request, None).diagnostics)


def ours(pack: Pack) -> Served:
    """The pack as it is served."""
    policies = PolicySet(pack)
    return Served(Analyzer(policies), policies.policies, pack)


def naive(pack: Pack) -> Served:
    """The same rules, each a resource policy and a stack policy of its own."""
    policies: list[Policy] = []
    for rule in pack.rules:
        alone = PolicySet(replace(pack, rules=(rule,)))
        alone.configure(_config(pack))
        alone.begin(is_preview=True)
        for number, policy in enumerate(alone.policies[:2]):
            policy.name = f"{rule.id}-{number}"
            policies.append(policy)
    level = EnforcementLevel.MANDATORY
    servicer = _PolicyAnalyzerServicer(f"naive-{pack.name}", "0.0.1", policies, level)
    return Served(servicer, policies, pack)


def _config(pack: Pack) -> PackConfig:
    return pack.configure(dict.fromkeys(pack.policies, CONFIG[pack.name]))


def milliseconds(act: Callable[[], object]) -> float:
    """Of the quickest of a few runs."""
    times: list[float] = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        act()
        times.append((time.perf_counter() - begun) * 1000)
    return min(times)


def one_by_one(packs: list[Served], requests: list[proto.AnalyzeRequest]) -> float:
    """Milliseconds that one resource costs, by way of the SDK."""
    taken = milliseconds(lambda: [one.resource(request) for one in packs for request in requests])
    return taken / len(requests)


def whole_stack(packs: list[Served], request: proto.AnalyzeStackRequest) -> float:
    """Milliseconds of one pass over the whole stack, by way of the SDK."""
    return milliseconds(lambda: [one.stack(request) for one in packs])


def by_rules_alone(packs: list[Pack], seen: list[Resource]) -> tuple[float, float]:
    """Milliseconds of all rules, without the SDK's reading: one resource, the whole stack."""
    one, whole = 0.0, 0.0
    for pack in packs:
        begin = partial(Session, pack.rules, _config(pack), is_preview=True)
        one += milliseconds(partial(_each, begin, seen)) / len(seen)
        whole += milliseconds(partial(_whole, begin, seen))
    return one, whole


def _each(begin: Callable[[], Session], seen: list[Resource]) -> list[tuple[Finding, ...]]:
    session = begin()
    return [session.resource(replace(resource)) for resource in seen]


def _whole(begin: Callable[[], Session], seen: list[Resource]) -> tuple[Finding, ...]:
    return begin().stack(map(replace, seen))


def start() -> float:
    """Milliseconds until the residency pack tells the engine its port."""

    def act() -> None:
        command = [sys.executable, "-u", str(ROOT / "policies/residency/__main__.py")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            process.kill()
        if not line.strip().isdigit():
            raise SystemExit("the pack did not start")

    return milliseconds(act)


def settled(given: Given) -> Resource:
    """The resource as rules see it."""
    package = given.type.partition(":")[0]
    provider = None
    if package not in NO_PROVIDER:
        urn = f"urn:pulumi:dev::bench::pulumi:providers:{package}::cluster"
        provider = Provider("cluster", urn, View(dict(given.provider)))
    properties = View(settle(given.inputs))
    return Resource(given.urn, given.name, given.type, properties, provider, depends_on={})


def main() -> None:
    """Print the figures beside their limits, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=1000)
    parser.add_argument("--profile", action="store_true", help="show where the rules spend it")
    options = parser.parse_args()
    given = resources(options.resources)
    packs = [load_pack(ROOT / "policies" / name) for name in PACKS]
    seen = [settled(one) for one in given]
    if options.profile:
        _profile(packs, seen)
        return
    count = sum(len(pack.rules) for pack in packs)
    print(f"{count} rules, {len(given)} resources of {len({one.type for one in given})} types")
    requests = [proto.AnalyzeRequest() for _ in given]
    stack = proto.AnalyzeStackRequest()
    for one, request in zip(given, requests, strict=True):
        fill(one, request)
        fill(one, stack.resources.add())
    rules_one, rules_whole = by_rules_alone(packs, seen)
    mine, theirs = [ours(pack) for pack in packs], [naive(pack) for pack in packs]
    rows = {
        "one resource": (one_by_one(mine, requests), one_by_one(theirs, requests), rules_one),
        "whole stack": (whole_stack(mine, stack), whole_stack(theirs, stack), rules_whole),
    }
    print(f"{'milliseconds':<14} {'packs':>9} {'naive':>9} {'ratio':>7} {'rules alone':>12}")
    for name, (packs_ms, naive_ms, rules_ms) in rows.items():
        ratio = naive_ms / packs_ms
        print(f"{name:<14} {packs_ms:>9.2f} {naive_ms:>9.2f} {ratio:>6.1f}x {rules_ms:>12.2f}")
    _verdict("rules on one resource", rules_one, LIMITS["resource"])
    _verdict("rules on the stack", rules_whole, LIMITS["stack"] * len(given) / 1000)
    _verdict("start of a pack", start(), LIMITS["start"])


def _verdict(what: str, taken: float, limit: float) -> None:
    word = "within" if taken <= limit else "ABOVE"
    print(f"{what}: {taken:.2f} ms, {word} {limit:.0f} ms")


def _profile(packs: list[Pack], seen: list[Resource]) -> None:
    with cProfile.Profile() as profile:
        by_rules_alone(packs, seen)
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
