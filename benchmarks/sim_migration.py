"""A regional outage, simulated: how long an evacuation takes, and which order saves most.

Run from the project: ``python benchmarks/sim_migration.py [--services N] [--seed N] [--plot FILE.png]``.
Deterministic: the same seed gives the same figures on every machine. Nothing is deployed.

Limits of APIs and starts are as said beside them. GPU quotas and the fleet are chosen, and are what to
change first: they decide most.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, cast

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tools"))

from evacuation import ORDERS, Destination, Evacuation, Limits, evacuate, fleet  # noqa: E402

# Calls: resources of the example's plans on 2026-11-22.
# Cloud Run: 3 writes a second and 400 L4 are chosen; 1,000 services are the most in a project and region
# (Cloud Run quotas and limits); 433 s is the start that estimates count for vLLM with an 8B model.
# Lambda: 15 calls a second of its control plane, together (Lambda quotas). A cluster of ours: 50 calls a
# second and 300 GPUs are chosen; nodes are there, so that a start is a load of the model.
DESTINATIONS = (
    Destination("cloud-run", 400, 1000, 17, 3.0, 433.0),
    Destination("lambda-bedrock", None, None, 21, 15.0, 3.0),
    Destination("kubernetes", 300, None, 14, 50.0, 180.0),
)
MANAGED_PART, CLUSTER_PART = 0.4, 0.5
ENGINES, OUTAGE_SECONDS = 64, 6 * 3600.0


def _minutes(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds / 60:,.0f} min"


def draw(found: dict[str, Evacuation], file: Path) -> None:
    """Traffic that is answered again, over time, one line for each order."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and only for a picture

    figure = Figure(figsize=(9.6, 5.6), dpi=150, layout="constrained")
    axes = cast("Any", figure.add_subplot())
    dashes = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)))
    for (name, evacuation), dash in zip(found.items(), dashes, strict=True):
        restored = evacuation.restored()
        points = [(0.0, 0.0), *restored, (OUTAGE_SECONDS, restored[-1][1] if restored else 0.0)]
        minutes, parts = zip(*((at / 60, part * 100) for at, part in points), strict=True)
        axes.step(minutes, parts, where="post", linestyle=dash, label=name)
    axes.set_xlabel("minutes after the region failed")
    axes.set_ylabel("% of the traffic answered again")
    axes.set_ylim(0, 100)
    last = max((move.ready_seconds for one in found.values() for move in one.moves), default=60.0)
    axes.set_xlim(0, 1.3 * last / 60)
    axes.legend(frameon=False, loc="lower right")
    cast("Any", figure).savefig(file, format="png", metadata={"Software": None})


def main() -> None:
    """Print what each order loses, and draw it where a file is named."""
    parser = argparse.ArgumentParser(description="simulate the evacuation of a region")
    parser.add_argument("--services", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    services = fleet(
        options.services, options.seed, managed_part=MANAGED_PART, cluster_part=CLUSTER_PART
    )
    limits = Limits(ENGINES, OUTAGE_SECONDS)
    found = {
        name: evacuate(services, DESTINATIONS, limits, order) for name, order in ORDERS.items()
    }
    worst = max(one.lost_requests for one in found.values())
    print(
        f"{len(services)} services, seed {options.seed}, an outage of {OUTAGE_SECONDS / 3600:g} h"
    )
    print(
        f"{'order':<22} {'lost':>12} {'of worst':>9} {'50 %':>9} {'90 %':>9} {'moved':>6} {'left':>6}"
    )
    for name, one in sorted(found.items(), key=lambda pair: pair[1].lost_requests):
        print(
            f"{name:<22} {one.lost_requests:>12,.0f} {one.lost_requests / worst:>8.0%} "
            f"{_minutes(one.seconds_until(0.5)):>9} {_minutes(one.seconds_until(0.9)):>9} "
            f"{len(one.moves):>6} {len(one.stranded):>6}"
        )
    if options.plot:
        draw(found, options.plot)
        print(f"drawn: {options.plot}")


if __name__ == "__main__":
    main()
