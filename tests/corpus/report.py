"""How much of the corpus the residency pack gets right: recall and false alarms.

.venv/bin/python tests/corpus/report.py [FOLDER_OF_A_PACK]
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from portway.gate.testing import Judgement, from_document, judge

HERE = Path(__file__).resolve().parent / "residency"
PACK = Path(__file__).resolve().parents[2] / "policies" / "residency"
MOST_FALSE_ALARMS = 0.01


@dataclass(frozen=True, eq=False)
class Case:
    """One set of resources, and what is true of it."""

    id: str
    leaks: bool
    file: str
    threat: str
    families: tuple[str, ...]
    description: str
    config: Mapping[str, Any]
    providers: Mapping[str, Mapping[str, Any]]
    resources: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """What a pack made of one set."""

    case: Case
    judgement: Judgement

    @property
    def is_right(self) -> bool:
        """Refused if it leaks, and only then."""
        return self.judgement.passed is not self.case.leaks

    @property
    def is_for_the_reason(self) -> bool:
        """Whether one of the rules that are about this leak is among those that refuse."""
        about = {rule for family in self.case.families for rule in families()[family]}
        return not self.case.leaks or bool(about & self.judgement.rules)


@cache
def families() -> Mapping[str, tuple[str, ...]]:
    """The rules of each family of leaks."""
    return json.loads((HERE / "families.json").read_text(encoding="utf-8"))


@cache
def cases() -> tuple[Case, ...]:
    """Every set of the corpus, in the order of the files."""
    return tuple(case for file in sorted(HERE.glob("*/*.yaml")) for case in _cases(file))


def _cases(file: Path) -> Iterator[Case]:
    yaml: Any = YAML(typ="safe")
    theme = yaml.load(file)
    for row in theme["sets"]:
        yield Case(
            id=row["id"],
            leaks=theme["verdict"] == "leak",
            file=file.relative_to(HERE).as_posix(),
            threat=str(row.get("threat", "")),
            families=tuple(row.get("families", ())),
            description=row["description"],
            config=row.get("config", theme["config"]),
            providers=row.get("providers", theme["providers"]),
            resources=tuple(row["resources"]),
        )


def outcome(case: Case, pack: Path = PACK) -> Outcome:
    """Judge one set, with the default providers that it is written for."""
    given, defaults = from_document(case.resources), _marked(case.providers)
    return Outcome(case, judge(given, pack, case.config, defaults=defaults))


def _marked(providers: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    rows = [{"type": f"pulumi:providers:{name}", "props": said} for name, said in providers.items()]
    return {given.package: given.props for given in from_document(rows)}


def report(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Every mistake, then recall and the rate of false alarms."""
    leaking = [one for one in outcomes if one.case.leaks]
    clean = [one for one in outcomes if not one.case.leaks]
    for one in leaking:
        where = f"{one.case.id} ({one.case.file}, {one.case.threat})"
        rules = ", ".join(sorted(one.judgement.rules))
        if not one.is_right:
            yield f"MISSED  {where}: {one.case.description}"
        elif not one.is_for_the_reason:
            yield f"OTHER   {where}: refused by {rules}, not for {', '.join(one.case.families)}"
    for one in clean:
        if not one.is_right:
            yield f"ALARM   {one.case.id} ({one.case.file}):"
            yield from (f"          {said.message}" for said in one.judgement.refusals)
    refused = sum(one.is_right for one in leaking)
    alarms = sum(not one.is_right for one in clean)
    yield f"recall {refused / len(leaking):.1%} ({refused} of {len(leaking)} leaking sets refused)"
    yield f"false alarms {alarms / len(clean):.1%} ({alarms} of {len(clean)} clean sets refused)"


def main() -> int:
    """Print the report; 1 when a leak passed, or more than one clean set in a hundred is refused."""
    pack = Path(sys.argv[1]) if len(sys.argv) > 1 else PACK
    outcomes = [outcome(case, pack) for case in cases()]
    sys.stdout.writelines(f"{line}\n" for line in report(outcomes))
    missed = [one for one in outcomes if one.case.leaks and not one.is_right]
    alarms = [one for one in outcomes if not one.case.leaks and not one.is_right]
    clean = sum(not one.case.leaks for one in outcomes)
    return int(bool(missed) or len(alarms) > MOST_FALSE_ALARMS * clean)


if __name__ == "__main__":
    sys.exit(main())
