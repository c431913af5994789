"""The inventory: taken from the SDKs, counted, and written as files that diff well."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from located.classes import CLASSES, JUDGED, Classes, Pattern
from located.judged import is_judged, places, read_paths, rows
from located.pairs import PACKAGES, pairs
from located.sdk import Sdk

GATE = "components/portway/gate/data"
HERE = "tools/located"
_PLACES = {"aws": ("region",), "gcp": ("location", "region", "zone", "locationId")}


@dataclass(frozen=True)
class Inventory:
    """What was found.

    Attributes:
        classes: by type and path, what becomes of it; None where nobody has said.
        reads: by type, the paths that a pattern says how to read, each with it.
        judged: every (type, path) that a rule reads, the places of the resources themselves not
            among them.
        unused: patterns that are about nothing.
    """

    sdks: Mapping[str, Sdk]
    classes: Mapping[str, Mapping[str, str | None]]
    reads: Mapping[str, Mapping[str, Pattern]]
    judged: frozenset[tuple[str, str]]
    unused: tuple[Pattern, ...] = field(default=())

    def summary(self) -> Iterator[str]:
        """Counts by SDK and class, for people."""
        yield f"{'pairs':<12}" + "".join(f"{name:>10}" for name in CLASSES)
        for package in PACKAGES:
            counted: Counter[str | None] = Counter()
            for token, found in self.classes.items():
                if token.startswith(f"{package}:"):
                    counted.update(found.values())
            yield f"{package:<12}" + "".join(f"{counted[name]:>10}" for name in CLASSES)
        located = sum(len(places(token)) for sdk in self.sdks.values() for token in sdk.types)
        yield (
            f"{len(self.judged)} distinct (type, property) pairs are judged, "
            f"and {located} that say where a resource itself is"
        )


def take(classes: Classes, sdks: Mapping[str, Sdk] | None = None) -> Inventory:
    """Read the SDKs (by default those installed) and say of every pair what becomes of it.

    Raises:
        UnreadableSdk: one is absent, or written in a new way.
    """
    found: dict[str, dict[str, str | None]] = {}
    reads: dict[str, dict[str, Pattern]] = defaultdict(dict)
    judged: set[tuple[str, str]] = set()
    used: set[int] = set()
    read_sdks = sdks or {package: Sdk(package) for package in PACKAGES}
    for sdk in read_sdks.values():
        for token in sdk.types:
            read = {one.path for one in read_paths(token)} - set(places(token))
            judged.update((token, path) for path in read if sdk.has(token, path))
        for token, paths in pairs(sdk):
            own = places(token)
            rest = {path: is_text for path, is_text in paths.items() if path not in own}
            found.update({token: {}} if rest else {})
            for path, is_text in rest.items():
                pattern = classes.matching(token, path, is_text=is_text)
                used.add(id(pattern))
                name = JUDGED if is_judged(token, path) else pattern and pattern.is_
                if pattern is not None and pattern.reads:
                    reads[token][path] = pattern
                found[token][path] = name
                judged.update([(token, path)] if name == JUDGED else [])
    unused = tuple(one for one in classes.patterns if id(one) not in used)
    return Inventory(read_sdks, found, dict(reads), frozenset(judged), unused)


def problems(inventory: Inventory) -> list[str]:
    """Pairs without a class, patterns about nothing, rows about what does not exist."""
    wrong = [
        f"{token} has {path}, which may say where data is, and {HERE}/classes.json does not say "
        "what it is: have a row of the tables judge it, or class it there with the reason"
        for token, found in inventory.classes.items()
        for path, name in found.items()
        if name is None
    ]
    for pattern in inventory.unused:
        about = f"{', '.join(pattern.types)}: {', '.join(pattern.paths)}"
        wrong.append(f"{HERE}/classes.json has a line that is about nothing: {about}; remove it")
    for glob, path in sorted(set(rows())):
        if not _exists(inventory.sdks, glob, path):
            wrong.append(f"a table beside the gate names {glob} {path}, which does not exist")
    return wrong


def texts(inventory: Inventory) -> dict[str, str]:
    """The files that must be, by path from the project's root."""
    made = {f"{GATE}/judged/inventory.json": _rows(inventory)}
    for package in PACKAGES:
        made[f"{HERE}/{package}.json"] = _pairs(inventory, package)
        if package in _PLACES:
            made[f"{GATE}/{package}.json"] = _located(inventory.sdks[package])
    return made


def says_the_same(old: str, new: str) -> bool:
    """Whether two texts of one file differ in nothing, or only in the classes of the same pairs.

    The tables beside the gate may judge a pair today that they left to a pattern yesterday.
    """
    try:
        return old == new or _without_classes(old) == _without_classes(new)
    except (ValueError, TypeError, LookupError, AttributeError):
        return False


def _without_classes(text: str) -> tuple[str, set[tuple[str, str]]]:
    said = json.loads(text)
    by_type = ((key.rpartition(" ")[0], paths) for key, paths in said["pairs"].items())
    return said["sdk"], {(token, path) for token, paths in by_type for path in paths}


def _exists(sdks: Mapping[str, Sdk], glob: str, path: str) -> bool:
    """Whether some type has the property; kinds that operators add to a cluster are in no SDK."""
    package = glob.partition(":")[0]
    if package not in sdks:
        return True
    sdk = sdks[package]
    tokens = [glob] if glob in sdk.types else [one for one in sdk.types if fnmatchcase(one, glob)]
    if not tokens:
        return package == "kubernetes"
    return any(sdk.has(token, path) for token in tokens)


def _pairs(inventory: Inventory, package: str) -> str:
    lines: list[str] = []
    for token, found in inventory.classes.items():
        if token.startswith(f"{package}:"):
            by_class: dict[str, list[str]] = defaultdict(list)
            for path, name in found.items():
                by_class[name or ""].append(path)
            said = {name: sorted(by_class[name]) for name in CLASSES if by_class[name]}
            lines += [
                f"  {json.dumps(f'{token} {name}')}: {json.dumps(paths)}"
                for name, paths in said.items()
            ]
    sdk = inventory.sdks[package].name
    return f'{{\n "sdk": {json.dumps(sdk)},\n "pairs": {{\n' + ",\n".join(lines) + "\n }\n}\n"


def _rows(inventory: Inventory) -> str:
    """One group for each way of reading; one line for each type."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for token, found in sorted(inventory.reads.items()):
        for path, pattern in found.items():
            groups[pattern.reads, pattern.says][token].append(path)
    parts: list[str] = []
    for (reads, says), types in sorted(groups.items()):
        inner = ",\n".join(
            f"   {json.dumps(token)}: {json.dumps(sorted(paths))}" for token, paths in types.items()
        )
        head = f'"reads": {json.dumps(reads)}, "says": {json.dumps(says)}'
        parts.append(f'  {{{head}, "types": {{\n{inner}\n  }}}}')
    note = (
        "Written by tools/inventory.py: what no row made by hand reads, and a pattern says to read."
    )
    return f'{{\n "note": {json.dumps(note)},\n "movement": [\n' + ",\n".join(parts) + "\n ]\n}\n"


def _located(sdk: Sdk) -> str:
    """The located types of one SDK: property → module → class names."""
    located: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    unlocated: dict[str, list[str]] = defaultdict(list)
    for token in sdk.types:
        _, module, name = token.split(":")
        module = module.split("/")[0]
        inputs = {one.step for one in sdk.properties(token)}
        found = [place for place in _PLACES[sdk.package] if place in inputs]
        if found:
            located["|".join(found)][module].append(name)
        else:
            unlocated[module].append(name)
    lists = {place: _sorted(modules) for place, modules in sorted(located.items())}
    whole = {"sdk": sdk.name, "located": lists, "unlocated": _sorted(unlocated)}
    return json.dumps(whole, indent=1) + "\n"


def _sorted(modules: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {module: sorted(set(names)) for module, names in sorted(modules.items())}
