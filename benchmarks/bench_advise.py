"""How long advice takes beside a naive pass over the same places, in one run.

Run from the project: ``python benchmarks/bench_advise.py [--runs N]``. The naive pass plans and
estimates every scaling up to the declared one in every region, and forgets the model of running
instances after each. Printed are seconds, and each as a part of the naive pass: on a machine that
others use too, only the ratios mean something.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from portway.advice.advice import advise
from portway.errors import Refused
from portway.estimates import estimate_plan
from portway.models import find
from portway.pricing.running import running
from portway.registry import load_target, registered
from portway.residency.boundary import boundary
from portway.spec import InferenceServiceSpec
from portway.spec.load import load_spec
from portway.spec.scaling import Scaling

PROJECT = Path(__file__).resolve().parents[1]
PORTWAY = Path(sys.executable).with_name("portway")
SPEC = """\
name: chat
model: ministral-3-8b
scaling: {{min: 0, max: 3, concurrency: 8}}
{residency}traffic: {{requests_per_day: 2000, shape: {shape}}}
"""
WEEK = "[" + ", ".join(str(1 + hour % 24 + hour // 24) for hour in range(168)) + "]"
CASES = {
    "eu, spread": ("residency: eu\n", "spread"),
    "anywhere, spread": ("", "spread"),
    "eu, 168 hours": ("residency: eu\n", WEEK),
}


def naive(spec: InferenceServiceSpec) -> int:
    """Every scaling, everywhere inside, each on its own; how many had a price."""
    inside = None if spec.residency is None else boundary(spec.residency)
    priced = 0
    for target in map(load_target, registered()):
        for region in target.regions():
            if inside is not None and not inside.contains(region):
                continue
            for most in range(1, spec.scaling.max + 1):
                for least in range(most + 1):
                    scaling = Scaling(min=least, max=most, concurrency=spec.scaling.concurrency)
                    scaled = spec.model_copy(update={"scaling": scaling})
                    running.cache_clear()
                    try:
                        plan = target.plan(scaled, find(spec.model), target.place(scaled, region))
                    except Refused:
                        continue
                    found = estimate_plan(target, plan, scaled, find(spec.model)).estimate
                    priced += found.monthly is not None
    return priced


def seconds(function: Callable[[], object], runs: int) -> float:
    """The median of ``runs`` calls, each with nothing remembered of the one before."""
    times: list[float] = []
    for _ in range(runs):
        running.cache_clear()
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def command_seconds(spec: Path, runs: int) -> float:
    """The median wall time of the whole command, start-up included."""
    command = (str(PORTWAY), "advise", str(spec), "--json")
    return seconds(
        lambda: subprocess.run(command, cwd=PROJECT, capture_output=True, check=True), runs
    )


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description="How long advice takes beside a naive pass.")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    targets = [load_target(name) for name in registered()]
    for target in targets:
        target.rates()
    print(f"{'case':<18} {'what':<28} {'seconds':>8} {'of naive':>9}")
    with TemporaryDirectory() as folder:
        for name, (residency, shape) in CASES.items():
            path = Path(folder) / "chat.yaml"
            path.write_text(SPEC.format(residency=residency, shape=shape), encoding="utf-8")
            spec = load_spec(path).spec
            slow = seconds(lambda spec=spec: naive(spec), max(1, runs // 3))
            rows = {
                "naive pass": slow,
                "advise": seconds(lambda spec=spec: advise(spec, targets), runs),
                "portway advise, whole": command_seconds(path, runs),
            }
            for what, taken in rows.items():
                print(f"{name:<18} {what:<28} {taken:>8.3f} {taken / slow:>9.1%}")


if __name__ == "__main__":
    main()
