#!/usr/bin/env python3
"""Break the rules on purpose, one small change at a time, and see that a test fails each time.

mutmut makes the changes (``mutants.py``); each is tried in a fork of one process that has loaded
everything, with the tests that reach it, until one fails (``trials.py``).

    .venv/bin/python tools/mutation.py                       # everything: an hour of one core
    .venv/bin/python tools/mutation.py --only portway_rules_ # those whose name contains this
    .venv/bin/python tools/mutation.py --sample 300          # a sample, drawn evenly
    .venv/bin/python tools/mutation.py --survivors           # again what survived, and what is new
    .venv/bin/python tools/mutation.py --first 600           # stop after so many seconds
    .venv/bin/python tools/mutation.py --report              # only print what is known

What is known is kept in ``build/mutation/verdicts.json``. Ends with 1 when fewer than 95 % are killed
of those that change something. Survivors that change nothing are those of the type that a ``cast``
names, and those that ``tests/mutation/equivalent.json`` explains one by one.
"""

import argparse
import ast
import hashlib
import json
import pickle
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mutants import Mutant, mutants
from trials import SURVIVED, UNREACHED, Trials

ROOT = Path(__file__).resolve().parents[1]
KNOWN = ROOT / "build" / "mutation" / "verdicts.json"
EXPLAINED = ROOT / "tests" / "mutation" / "equivalent.json"
PACKS = ("residency", "cost")
TESTS = ("tests/mutation", "tests/components/gate")
"""The judgements of all examples and of the corpus, and the tests of the gate's own modules."""
SLOW = (
    "tests/components/gate/attest",
    "tests/components/gate/guardrails",
    "tests/components/gate/testing",
    *(
        f"tests/components/gate/test_{name}.py"
        for name in (
            "aws_rows",
            "reports",
            "reports_sarif",
            "reports_text",
            "run",
            "state",
            "record",
            "properties",
        )
    ),
)
"""Of them, those of what rules do not consist of, or that take a second or more each."""
NOT_RULES = frozenset({"config", "context", "exemption", "resource", "rule", "tables", "notes"})
"""Modules that rules import and that decide nothing."""
WANTED = 0.95


@dataclass(frozen=True)
class Score:
    """How many mutants there are of some files, and what became of them."""

    made: int
    tried: int
    killed: int
    explained: int
    left: int

    @classmethod
    def of(cls, verdicts: Sequence[str | None], explained: int) -> "Score":
        """The score of ``verdicts``, None for what was not tried; ``explained`` change nothing."""
        tried = [one for one in verdicts if one is not None]
        killed = sum(one not in (SURVIVED, UNREACHED) for one in tried)
        left = len(tried) - killed - explained
        return cls(len(verdicts), len(tried), killed, explained, left)

    @property
    def share(self) -> float:
        """Of those tried that change something, how many are killed."""
        return self.killed / max(1, self.killed + self.left)

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.made:,} mutants, {self.tried:,} tried: {self.killed:,} killed, {self.explained:,} "
            f"change nothing, {self.left:,} survive unexplained; {self.share:.1%} killed of the rest"
        )


def rule_files(packs: Sequence[str] = PACKS) -> Iterator[Path]:
    """Every rule of every pack."""
    for pack in packs:
        yield from sorted((ROOT / "policies" / pack / "rules").glob("[!_]*.py"))


def gate_modules() -> tuple[str, ...]:
    """The modules of the gate that rules consist of: what they import, directly or not."""
    waiting, found = list(rule_files()), set[str]()
    while waiting:
        for name in _imported(waiting.pop()):
            file = ROOT / "components" / "portway" / "gate" / f"{name}.py"
            if name not in found and name not in NOT_RULES and file.exists():
                found.add(name)
                waiting.append(file)
    return tuple(sorted(found))


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("portway.gate."):
            name = str(node.module).removeprefix("portway.gate.")
            if "." not in name:
                yield name


def modules() -> dict[str, Path]:
    """What is changed, rules first, by the name that it is loaded by."""
    gate = ROOT / "components" / "portway" / "gate"
    rules = {f"portway_rules_{one.parent.parent.name}_{one.stem}": one for one in rule_files()}
    return rules | {f"portway.gate.{name}": gate / f"{name}.py" for name in gate_modules()}


def made_of(name: str, file: Path) -> tuple[Mutant, ...]:
    """The mutants of one file; made once while it stays as it is, which takes seconds."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    kept = KNOWN.parent / "made" / f"{name}-{digest}.pickle"
    if kept.exists():
        return pickle.loads(kept.read_bytes())  # noqa: S301 - written below
    made = tuple(mutants(file, name))
    kept.parent.mkdir(parents=True, exist_ok=True)
    for old in kept.parent.glob(f"{name}-*.pickle"):
        old.unlink()
    kept.write_bytes(pickle.dumps(made))
    return made


def known() -> dict[str, str]:
    """The verdict of each mutant that was tried, by its key."""
    return json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.exists() else {}


def keep(verdicts: Mapping[str, str]) -> None:
    """Keep what is known so far."""
    KNOWN.parent.mkdir(parents=True, exist_ok=True)
    KNOWN.write_text(json.dumps(verdicts, indent=0), encoding="utf-8")


def run(
    chosen: Sequence[Mutant],
    verdicts: dict[str, str],
    tests: Sequence[str],
    seconds: float,
    patience: float,
    *,
    own_only: bool,
) -> None:
    """Try ``chosen`` with ``tests``, and write into ``verdicts`` what became of each."""
    began, done = time.monotonic(), 0

    def tell(mutant: Mutant, verdict: str) -> None:
        nonlocal done
        done += 1
        verdicts[mutant.key] = verdict
        if done % 100 == 0:
            keep(verdicts)
            spent = time.monotonic() - began
            sys.stderr.write(f"{done} of {len(chosen)} tried in {spent:.0f} s\n")

    def warm_up() -> None:
        judgements: Any = import_module("support.judgements")  # where pytest finds it
        for name in judgements.names():
            judgements.text(name)

    files = frozenset(map(str, modules().values()))
    kept = KNOWN.parent / f"reach-{_digest(tests)}.pickle"
    until = began + seconds
    trials = Trials(chosen, files, dict(verdicts), until, patience, kept, own_only, tell, warm_up)
    options = ["-q", "-s", "-p", "no:randomly", "-p", "no:xdist", "--assert=plain"]
    skipped = [f"--ignore={one}" for one in SLOW]
    code = pytest.main([f"--rootdir={ROOT}", *options, *skipped, *tests], plugins=[trials])
    keep(verdicts)
    if code:
        raise SystemExit("the tests must pass before anything is changed; pytest's words are above")


def _digest(tests: Sequence[str]) -> str:
    """Of all that the tests may run or read."""
    found = hashlib.sha256(" ".join(tests).encode())
    for folder in ("components/portway/gate", "components/portway/residency", "policies", "tests"):
        for file in sorted((ROOT / folder).rglob("*.*")):
            if file.is_file() and file.suffix != ".pyc":
                found.update(file.read_bytes())
    return found.hexdigest()[:16]


def report(made: Sequence[Mutant], verdicts: Mapping[str, str]) -> tuple[list[str], Score]:
    """Survivors with their change and why each changes nothing; then the score of each file and all."""
    why = {
        row["mutant"]: row["because"] for row in json.loads(EXPLAINED.read_text(encoding="utf-8"))
    }
    lines: list[str] = []
    groups: dict[str, list[tuple[str | None, bool]]] = {}
    for one in made:
        verdict = verdicts.get(one.key)
        alive = verdict in (SURVIVED, UNREACHED)
        explained = alive and (one.is_for_the_type_checker or one.key in why)
        groups.setdefault(one.name.rpartition(".x")[0], []).append((verdict, explained))
        if alive and not one.is_for_the_type_checker:
            lines += [f"{one.name}: {verdict}", one.change]
            lines += [f"  {why.get(one.key, 'NOT EXPLAINED')}", ""]
    for name, rows in groups.items():
        lines.append(f"{name}: {_score(rows)}")
    for title, start in (
        *((f"rules of {p}", f"portway_rules_{p}_") for p in PACKS),
        ("gate", "portway.gate."),
    ):
        rows = [row for name, each in groups.items() if name.startswith(start) for row in each]
        if rows:
            lines.append(f"\n{title}: {_score(rows)}")
    score = _score([row for each in groups.values() for row in each])
    return [*lines, f"\nall: {score}"], score


def _score(rows: Sequence[tuple[str | None, bool]]) -> Score:
    return Score.of([verdict for verdict, _ in rows], sum(explained for _, explained in rows))


def main() -> int:
    """Run, report, and judge."""
    parser = argparse.ArgumentParser(description="Mutation testing of the rules.")
    parser.add_argument("--sample", type=int, default=0, help="try so many mutants, drawn evenly")
    parser.add_argument("--only", default="", help="try those whose name contains this")
    parser.add_argument(
        "--first", type=float, default=float("inf"), help="stop after so many seconds"
    )
    parser.add_argument("--survivors", action="store_true", help="try what no test killed before")
    parser.add_argument(
        "--patience", type=float, default=30, help="seconds of tests for one mutant, at most"
    )
    parser.add_argument("--own", action="store_true", help="only tests named after the module")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="run only these tests")
    parser.add_argument("--report", action="store_true", help="only print what is known")
    asked = parser.parse_args()
    everything = (each for name, file in modules().items() for each in made_of(name, file))
    made = [one for one in everything if asked.only in one.name]
    verdicts = known()
    if asked.sample:
        made = made[:: max(1, len(made) // asked.sample)]
    if not asked.report:
        again = (None, SURVIVED, UNREACHED)
        wanted = [one for one in made if not asked.survivors or verdicts.get(one.key) in again]
        run(
            [one for one in wanted if not one.is_for_the_type_checker],
            verdicts,
            asked.tests,
            asked.first,
            asked.patience,
            own_only=asked.own,
        )
    verdicts |= {one.key: SURVIVED for one in made if one.is_for_the_type_checker}
    lines, score = report(made, verdicts)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return int(not score.tried or score.share < WANTED)


if __name__ == "__main__":
    sys.exit(main())
