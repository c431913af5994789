"""How long the cost pack takes to price a program that uses none of our components.

Run: ``python benchmarks/bench_price.py [--resources N]``. The resources are those of the ordinary
programs under ``tests/corpus/cost``, repeated under other names. One process, no engine; the first
figure includes reading every table, as in a pack that has just started; the quickest of three others
is what it takes from then on.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from portway.gate.billing import stack_estimate  # noqa: E402 - the same
from portway.gate.resource import Resource, Stack  # noqa: E402 - the same
from support.priced_stacks import stack_of_rows  # noqa: E402 - the tests folder is not on the path

LIMIT_SECONDS = 1.0
RUNS = 3


def program(resources: int) -> Stack:
    """That many resources of ordinary programs, each copy of one with names of its own."""
    return Stack.of(one for one, _ in zip(_endless(), range(resources), strict=False))


def _endless() -> Iterator[Resource]:
    yaml: Any = YAML(typ="safe")
    given = [yaml.load(file) for file in sorted((ROOT / "tests/corpus/cost").glob("*.yaml"))]
    for copy in count():
        for one in given:
            for resource in stack_of_rows(one["resources"], **one["providers"]).resources:
                if not resource.is_provider:
                    yield _renamed(resource, copy)


def _renamed(one: Resource, copy: int) -> Resource:
    sources = {
        path: tuple(f"{urn}-{copy}" for urn in urns)
        for path, urns in (one.depends_on or {}).items()
    }
    return Resource(
        f"{one.urn}-{copy}",
        f"{one.name}-{copy}",
        one.type,
        one.properties,
        one.provider,
        None,
        sources,
    )


def main() -> None:
    """Print both figures beside their limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=200)
    wanted = parser.parse_args().resources
    taken = [_once(program(wanted)) for _ in range(1 + RUNS)]
    limit = LIMIT_SECONDS * wanted / 200
    for what, seconds in (("from a cold start", taken[0]), ("afterwards", min(taken[1:]))):
        word = "within" if seconds <= limit else "ABOVE"
        print(f"{wanted} resources priced {what}: {seconds:.3f} s, {word} {limit:.1f} s")


def _once(stack: Stack) -> float:
    begun = time.process_time()
    found = stack_estimate(stack)
    taken = time.process_time() - begun
    assert len(found.resources) == len(stack.resources)
    return taken


if __name__ == "__main__":
    main()
