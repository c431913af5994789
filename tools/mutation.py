#!/usr/bin/env python3
"""Break the rules on purpose, one small change at a time, and see that a test fails each time.

mutmut makes the changes and runs the tests that reach each of them. It wants modules that are named
as their files are, so a copy is laid out for it below ``build/``: the package at its top, every rule
as a module of ``rules_of_<pack>``, and in the packs one line that takes the rule from there.

    .venv/bin/python tools/mutation.py                     # everything: an hour or more
    .venv/bin/python tools/mutation.py --sample 300        # a sample, drawn evenly
    .venv/bin/python tools/mutation.py --only 'judged'     # one module

Ends with 1 when fewer than 95 % are killed of those that change something. Survivors that change
nothing are those of the type that a ``cast`` names, and those that ``tests/mutation/equivalent.json``
explains one by one.
"""

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "mutation"
EXPLAINED = ROOT / "tests" / "mutation" / "equivalent.json"
PACKS = ("residency", "cost")
TESTS = (
    "tests/mutation/test_rules_hold.py",
    *(
        f"tests/components/gate/test_{name}.py"
        for name in (
            "absence",
            "denials",
            "hosted",
            "judged",
            "locate",
            "policy_pods",
            "routes",
            "settings",
        )
    ),
    *(
        f"tests/components/gate/test_{name}.py"
        for name in ("capacity_tables", "network_policies", "statements", "values", "workloads")
    ),
)
"""The judgements of all examples and of the corpus, and the tests of single modules that are quick."""
NOT_RULES = frozenset({"config", "context", "exemption", "resource", "rule", "tables", "notes"})
"""Modules that rules import and that decide nothing."""
WANTED = 0.95
NO_MUTANT = "none.such"
_CAST = re.compile(r"cast\((?:\"[^\"]*\"|None),")
_KILLED = frozenset({1, 3, 24, 36, 152, 255, -24})
_NO_TESTS = frozenset({5, 33})


def rule_files() -> Iterator[Path]:
    """Every rule of every pack."""
    for pack in PACKS:
        yield from sorted((ROOT / "policies" / pack / "rules").glob("[!_]*.py"))


def gate_modules() -> tuple[str, ...]:
    """The modules of the gate that rules consist of: what they import, directly or not."""
    waiting, found = list(rule_files()), set[str]()
    while waiting:
        for name in _imported(waiting.pop()):
            if name not in found and name not in NOT_RULES:
                found.add(name)
                waiting.append(ROOT / "components" / "portway" / "gate" / f"{name}.py")
    return tuple(sorted(found))


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("portway.gate."):
            name = str(node.module).removeprefix("portway.gate.")
            if "." not in name:
                yield name


def lay_out() -> None:
    """Make the copy that mutmut works in."""
    shutil.rmtree(WORK, ignore_errors=True)
    leave = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "components" / "portway", WORK / "portway", ignore=leave)
    shutil.copytree(ROOT / "tests", WORK / "tests", ignore=leave)
    shutil.copytree(ROOT / "policies", WORK / "policies", ignore=leave)
    for file in rule_files():
        pack = file.parent.parent.name
        home = WORK / f"rules_of_{pack}"
        home.mkdir(exist_ok=True)
        (home / "__init__.py").touch()
        shutil.copy(file, home / file.name)
        stub = f"from rules_of_{pack}.{file.stem} import RULE as RULE\n"
        (WORK / file.relative_to(ROOT)).write_text(stub, encoding="utf-8")
    (WORK / "pyproject.toml").write_text(_settings(), encoding="utf-8")


def _settings() -> str:
    rules = [f"rules_of_{pack}" for pack in PACKS]
    only = [f"portway/gate/{name}.py" for name in gate_modules()] + [f"{r}/*.py" for r in rules]
    options = ["--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:randomly", "-q"]
    return f"""\
[tool.mutmut]
source_paths = {json.dumps([*rules, "portway"])}
only_mutate = {json.dumps(only)}
also_copy = ["policies"]
pytest_add_cli_args = {json.dumps(options)}
pytest_add_cli_args_test_selection = {json.dumps(list(TESTS))}
process_isolation = "forkserver"
track_dependencies = false
use_git_change_detection = false

[tool.pytest.ini_options]
pythonpath = ["tests", "."]
addopts = "--allow-hosts=127.0.0.1 --allow-unix-socket"
"""


def results() -> dict[str, int | None]:
    """The exit code of the tests by mutant; None for one that has not been tried."""
    found: dict[str, int | None] = {}
    for file in sorted((WORK / "mutants").rglob("*.meta")):
        found.update(json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"])
    return found


def run(names: Sequence[str], children: int) -> None:
    """Try the mutants called ``names``; all when there are none."""
    argv = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", str(children)]
    done = subprocess.run([*argv, *names], cwd=WORK, check=False)
    if done.returncode:
        raise SystemExit(f"mutmut ended with {done.returncode}; its words are above")


def make(children: int) -> None:
    """Make the mutants, and find out which tests reach each of them, without trying any.

    mutmut has no command for that. Asked for a mutant that there is not, it does all this and then
    ends with an error.
    """
    argv = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", str(children)]
    done = subprocess.run([*argv, NO_MUTANT], cwd=WORK, check=False, capture_output=True, text=True)
    if NO_MUTANT not in done.stderr or not results():
        raise SystemExit(f"mutmut made no mutants:\n{done.stdout}\n{done.stderr}")


def shown(name: str) -> str:
    """The change that a mutant is, as a diff."""
    argv = [str(Path(sys.executable).parent / "mutmut"), "show", name]
    done = subprocess.run(argv, cwd=WORK, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def report(tried: dict[str, int | None]) -> Iterator[str]:
    """Survivors with their change and why each changes nothing; then the score."""
    explained = {row["mutant"]: row for row in json.loads(EXPLAINED.read_text(encoding="utf-8"))}
    equal = 0
    survivors = [name for name, code in tried.items() if code is not None and code not in _KILLED]
    for name in survivors:
        change = shown(name)
        if is_for_the_type_checker(change):
            equal += 1
            continue
        row = explained.get(change_key(name, change))
        equal += row is not None
        reach = "no test reaches it" if tried[name] in _NO_TESTS else "survived"
        yield f"{name}: {reach}\n{change}\n  {row['because'] if row else 'NOT EXPLAINED'}\n"
    run_ = [code for code in tried.values() if code is not None]
    killed = sum(code in _KILLED for code in run_)
    yield f"{equal} of the survivors change nothing: what a cast names, or as explained"
    real = len(run_) - equal
    yield f"{killed} of {real} others killed: {killed / max(1, real):.1%}"
    yield f"{len(tried)} mutants in all"


def is_for_the_type_checker(change: str) -> bool:
    """Whether only the type that a ``cast`` names is changed: a text that nothing reads as it runs."""
    before, after = ("".join(_sides(change, sign)) for sign in "-+")
    return before != after and _CAST.sub("cast(", before) == _CAST.sub("cast(", after)


def _sides(change: str, sign: str) -> Iterator[str]:
    return (line[1:] for line in change.splitlines() if line.startswith(sign))


def change_key(name: str, change: str) -> str:
    """What identifies a mutant when lines above it move: its function and its change."""
    return f"{name.rpartition('__mutmut_')[0]}: {' '.join(change.split())}"


def main() -> int:
    """Run, report, and judge."""
    parser = argparse.ArgumentParser(description="Mutation testing of the rules.")
    parser.add_argument("--sample", type=int, help="try so many mutants, drawn evenly")
    parser.add_argument("--only", default="", help="try those whose name contains this")
    parser.add_argument("--children", type=int, default=2, help="tests at once")
    parser.add_argument("--report", action="store_true", help="only print what is known")
    asked = parser.parse_args()
    if not asked.report:
        lay_out()
        names: list[str] = []
        if asked.sample or asked.only:
            make(asked.children)
            names = [name for name in sorted(results()) if asked.only in name]
            step = max(1, len(names) // asked.sample) if asked.sample else 1
            names = names[::step]
        run(names, asked.children)
    tried = {name: code for name, code in results().items() if asked.only in name}
    lines = list(report(tried))
    sys.stdout.writelines(f"{line}\n" for line in lines)
    killed, total = map(int, re.findall(r"\d+", lines[-2])[:2])
    return int(not total or killed < WANTED * total)


if __name__ == "__main__":
    sys.exit(main())
