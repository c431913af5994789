#!/usr/bin/env python3
"""Write, or with ``--check`` compare, the list of located resource types of the pinned SDKs.

Reads the text of the installed provider SDKs (importing them all would take a minute).
"""

import argparse
import importlib.metadata
import json
import re
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

TARGET = Path(__file__).parents[1] / "components/portway/gate/data"
_TOKEN = re.compile(r"super\(\w+, __self__\)\.__init__\(\s*'([^']+)'")
_INPUT = re.compile(r'__props__\.__dict__\["(\w+)"\] = (?!None\b)\w+')
_PLACES = {
    "aws": {"region": "region"},
    "gcp": {
        "location": "location",
        "region": "region",
        "zone": "zone",
        "location_id": "locationId",
    },
}


def inventory(package: str) -> str:
    """The located types of one SDK as JSON text: property → module → class names."""
    located: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    unlocated: dict[str, set[str]] = defaultdict(set)
    for token, inputs in _types(package):
        _, module, name = token.split(":")
        module = module.split("/")[0]
        if token != f"{package}:{module}/{name[0].lower()}{name[1:]}:{name}":
            raise SystemExit(f"{token} is spelt in a new way; teach gate/inventory.py to read it")
        found = [camel for snake, camel in _PLACES[package].items() if snake in inputs]
        if found:
            located["|".join(found)][module].add(name)
        else:
            unlocated[module].add(name)
    version = importlib.metadata.version(f"pulumi-{package}")
    lists = {
        place: {module: sorted(names) for module, names in sorted(modules.items())}
        for place, modules in sorted(located.items())
    }
    others = {module: sorted(names) for module, names in sorted(unlocated.items())}
    sdk = f"pulumi-{package} {version}"
    return json.dumps({"sdk": sdk, "located": lists, "unlocated": others}, indent=1) + "\n"


def _types(package: str) -> list[tuple[str, set[str]]]:
    spec = find_spec(f"pulumi_{package}")
    if spec is None or spec.origin is None:
        raise SystemExit(f"pulumi-{package} is not installed")
    found: list[tuple[str, set[str]]] = []
    for file in sorted(Path(spec.origin).parent.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        match = _TOKEN.search(text)
        if match and ":" in match.group(1):
            found.append((match.group(1), set(_INPUT.findall(text))))
    return found


def main() -> int:
    """0 when the files are what the SDKs say (or were written), 1 when they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    stale: list[str] = []
    for package in _PLACES:
        file = TARGET / f"{package}.json"
        text = inventory(package)
        if is_check and (not file.exists() or file.read_text(encoding="utf-8") != text):
            stale.append(file.name)
        elif not is_check:
            file.write_text(text, encoding="utf-8")
    if stale:
        sys.stderr.write(f"{', '.join(stale)}: not what the SDKs say; run python {__file__}\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
