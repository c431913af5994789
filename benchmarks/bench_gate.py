"""How long a preview takes with and without the packs, for 3, 30 and 300 resources.

Run: ``python benchmarks/bench_gate.py``. The real engine against stand-in plugins, in a folder that is
thrown away; the quickest of three runs counts. The slope is what one more resource costs.
"""

import sys
import time
from pathlib import Path

from portway.engine.environment import engine_environment
from portway.engine.stack import Pack, Stack
from portway.gate.workshop import workshop

POLICIES = Path(__file__).parents[1] / "policies"
SIZES = (3, 30, 300)
RUNS = 3
PROGRAM = """
import pulumi_gcp as gcp
for number in range({size}):
    gcp.storage.Bucket(
        f"data-{{number}}", location="europe-west4", uniform_bucket_level_access=True,
        labels={{"service": "chat", "environment": "prod", "number": str(number)}})
"""


def main() -> None:
    """Print one line a size, then the slopes."""
    packs = [Pack(POLICIES / name, POLICIES / f"{name}.json") for name in ("residency", "cost")]
    seconds: dict[tuple[int, bool], float] = {}
    print(f"{'resources':>9} {'without':>9} {'with packs':>10} {'ratio':>6}")
    for size in SIZES:
        for has_packs in (False, True):
            seconds[size, has_packs] = quickest(size, packs if has_packs else [])
        without, with_packs = seconds[size, False], seconds[size, True]
        print(f"{size:>9} {without:>8.2f}s {with_packs:>9.2f}s {with_packs / without:>6.2f}")
    span = SIZES[-1] - SIZES[0]
    for has_packs, name in ((False, "without packs"), (True, "with both packs")):
        slope = (seconds[SIZES[-1], has_packs] - seconds[SIZES[0], has_packs]) / span * 1000
        print(f"one more resource, {name}: {slope:.1f} ms")


def quickest(size: int, packs: list[Pack]) -> float:
    """Seconds of the quickest preview of ``size`` resources."""
    with workshop() as place:
        project = place.places.root / "project"
        project.mkdir()
        runtime = f"{{name: python, options: {{virtualenv: {sys.prefix}}}}}"
        (project / "Pulumi.yaml").write_text(f"name: bench\nruntime: {runtime}\n")
        (project / "__main__.py").write_text(PROGRAM.format(size=size))
        environment = engine_environment(place.places, place.engine, project=project)
        stack = Stack(project, "bench", place.engine, environment)
        return min(preview(stack, size, packs) for _ in range(RUNS))


def preview(stack: Stack, size: int, packs: list[Pack]) -> float:
    """Seconds of one preview; it must really have previewed everything."""
    started = time.perf_counter()
    outcome = stack.preview(packs)
    elapsed = time.perf_counter() - started
    if not outcome.succeeded or sum(outcome.changes.values()) <= size:
        raise SystemExit(f"the preview went wrong: {outcome.errors or outcome.changes}")
    return elapsed


if __name__ == "__main__":
    main()
