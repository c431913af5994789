"""What both packs cost a resource, a stack and a start, beside a naive pack of one policy per rule.

Run: ``python benchmarks/bench_packs.py [--resources N] [--profile]``. One process, no engine: the
messages the engine would send are made beforehand, then handed to the packs as it hands them. The
resources are those of our own three stacks and of the clean sets of the corpus, repeated; the naive
pack runs the very same rules over them, each as a Pulumi policy of its own. The quickest of three
passes counts; all but the start is processor time, which does not depend on what else runs.
"""

import argparse
import cProfile
import gc
import os
import pstats
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import psutil
from packs_mix import fill, resources, settled
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel, Policy
from pulumi_policy.policy import (
    _PolicyAnalyzerServicer,  # pyright: ignore[reportPrivateUsage] - what a pack is served by
)

from portway.gate.config import PackConfig
from portway.gate.pack import Pack, load_pack
from portway.gate.policy import Analyzer, PolicySet
from portway.gate.resource import Resource
from portway.gate.session import Finding, Session
from portway.gate.values import View

ROOT = Path(__file__).resolve().parents[1]
PACKS = ("residency", "cost")
CONFIG: dict[str, dict[str, Any]] = {
    "residency": {
        "boundary": "eu",
        "clusters": {"prod": "europe-west4"},
        "hosts": ["*.example.eu", "registry.k8s.io", "quay.io"],
    },
    "cost": {"max_gpus": 4},
}
LIMITS = {"resource": 1.0, "stack": 1000.0, "start": 1500.0}
"""Milliseconds: all rules together on one resource, one pass over 1,000, one start of a pack."""
RUNS = 3


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
    return min(_once(act) for _ in range(RUNS))


def _once(act: Callable[[], object]) -> float:
    """Milliseconds of processor time: what else the machine does at the time is not in it."""
    gc.collect()
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000


def one_by_one(packs: list[Served], requests: list[proto.AnalyzeRequest]) -> float:
    """Milliseconds that one resource costs, by way of the SDK."""
    taken = milliseconds(lambda: [one.resource(request) for one in packs for request in requests])
    return taken / len(requests)


def whole_stack(packs: list[Served], request: proto.AnalyzeStackRequest) -> float:
    """Milliseconds of one pass over the whole stack, by way of the SDK."""
    return milliseconds(lambda: [one.stack(request) for one in packs])


def by_rules_alone(packs: list[Pack], seen: list[Resource]) -> tuple[float, float]:
    """Milliseconds of all rules, without the SDK's reading: one resource, then the whole stack."""
    one, whole = 0.0, 0.0
    for pack in packs:
        ones: list[float] = []
        wholes: list[float] = []
        for _ in range(RUNS):
            session = Session(pack.rules, _config(pack), is_preview=True)
            fresh = [replace(one, properties=View(one.properties.tree)) for one in seen]
            ones.append(_once(partial(_each, session, fresh)))
            wholes.append(_once(partial(session.stack, fresh)))
        one += min(ones) / len(seen)
        whole += min(wholes)
    return one, whole


def _each(session: Session, seen: list[Resource]) -> list[tuple[Finding, ...]]:
    return [session.resource(resource) for resource in seen]


def start() -> tuple[float, float]:
    """Milliseconds until the residency pack tells the engine its port: on the wall, of the processor.

    As from the second start on, when Python has its byte code; here that is kept in a folder apart.
    """
    command = [sys.executable, "-u", str(ROOT / "policies/residency/__main__.py")]
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with TemporaryDirectory() as folder:
        environment = {**kept, "PYTHONPYCACHEPREFIX": folder}
        return min(_started(command, environment) for _ in range(RUNS + 1))


def _started(command: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        wall = (time.perf_counter() - begun) * 1000
        used = psutil.Process(process.pid).cpu_times() if line else None
        process.kill()
    if used is None or not line.strip().isdigit():
        raise SystemExit("the pack did not start")
    return wall, (used.user + used.system) * 1000


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
    print(
        f"{count} rules, {len(given)} resources of {len({one.given.type for one in given})} types"
    )
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
    _verdict("packs on one resource", rows["one resource"][0], LIMITS["resource"])
    _verdict("packs on the stack", rows["whole stack"][0], LIMITS["stack"] * len(given) / 1000)
    _verdict("rules on one resource", rules_one, LIMITS["resource"])
    _verdict("rules on the stack", rules_whole, LIMITS["stack"] * len(given) / 1000)
    wall, processor = start()
    _verdict(f"start of a pack ({processor:.0f} ms of the processor)", wall, LIMITS["start"])


def _verdict(what: str, taken: float, limit: float) -> None:
    word = "within" if taken <= limit else "ABOVE"
    print(f"{what}: {taken:.2f} ms, {word} {limit:.0f} ms")


def _profile(packs: list[Pack], seen: list[Resource]) -> None:
    for pack in packs:
        for rule in pack.rules:
            one, whole = by_rules_alone([replace(pack, rules=(rule,))], seen)
            print(f"{rule.id:<45} {one * 1000:>8.1f} us a resource {whole:>8.1f} ms the stack")
    with cProfile.Profile() as profile:
        by_rules_alone(packs, seen)
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
