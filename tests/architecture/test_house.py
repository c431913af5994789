"""The house rules that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from portway.registry import registered

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "components" / "portway"
OWN_ROOM = {
    "cloud-run": "cloud_run",
    "lambda-bedrock": "lambda_bedrock",
    "kubernetes": "kubernetes",
}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_the_entry_program_is_short_and_decides_nothing() -> None:
    text = (ROOT / "__main__.py").read_text()
    decisions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.If | ast.IfExp)]
    assert decisions == []
    assert len(text.splitlines()) <= 25


@pytest.mark.parametrize("target", registered())
def test_a_target_is_named_only_in_its_own_room(target: str) -> None:
    word = re.compile(rf"portway\.targets\.{OWN_ROOM[target]}\b|[\"']{re.escape(target)}[\"']")
    # the Kubernetes stand-in cloud shares its name with the target: it means the API, not the target
    elsewhere = PACKAGE / "sandbox"
    naming = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if word.search(path.read_text())
        and (PACKAGE / "targets" / OWN_ROOM[target]) not in path.parents
        and elsewhere not in path.parents
    }
    assert naming <= {"registry.py"}, f"{target} is named outside its room"


def test_planning_and_checking_load_no_pulumi() -> None:
    program = (
        "import sys; from portway.registry import load_target, registered; "
        "[load_target(name) for name in registered()]; import portway.spec.load, portway.cli.check; "
        "bad = sorted(m for m in sys.modules if m.split('.')[0] in "
        "{'pulumi', 'pulumi_aws', 'pulumi_gcp', 'pulumi_kubernetes', 'boto3', 'grpc'}); print(bad)"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_every_test_function_in_the_tree_is_where_pytest_looks(pytestconfig: pytest.Config) -> None:
    names = pytestconfig.getini("python_files")
    unseen = pytestconfig.getini("norecursedirs")
    lost = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("*.py")
        if any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name.startswith("test_")
            for node in ast.walk(ast.parse(path.read_text()))
        )
        and (
            not any(path.match(name) for name in names)
            or any(
                folder.match(name) for folder in path.relative_to(ROOT).parents for name in unseen
            )
        )
    ]
    assert lost == [], "these files hold tests that nobody runs"


def test_files_stay_one_idea_long() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in sources("components", "policies", "tools")
        if (lines := len(path.read_text().splitlines())) > 320
    }
    assert long == {}, "a file of more than about 300 lines is two ideas"


def test_functions_stay_short() -> None:
    long: dict[str, int] = {}
    for path in sources("components", "policies", "tools"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 60:
                    long[f"{path.relative_to(ROOT).as_posix()}:{node.name}"] = length
    assert long == {}, "functions of about 40 lines read at one glance; 60 is the end"


def test_no_lint_exemption_without_a_rule() -> None:
    bare = [
        f"{path.relative_to(ROOT).as_posix()}:{number}"
        for path in sources("components", "policies", "tests", "tools", "benchmarks")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"#\s*(noqa(?!:)|type:\s*ignore(?!\[)|pyright:\s*ignore(?!\[))", line)
        and path != Path(__file__)
    ]
    assert bare == []


def test_nothing_generated_is_tracked() -> None:
    generated = [
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if path.suffix in {".pyc", ".pyz", ".db", ".log"} or ".portway/" in path.as_posix()
    ]
    assert generated == []


def test_no_registry_host_is_named() -> None:
    hosts = re.compile(
        r"pypi\.org|files\.pythonhosted|proxy\.golang|sum\.golang|registry\.npmjs|repo\.maven", re.I
    )
    naming = [
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if path != Path(__file__)
        and path.suffix not in {".png", ".svg"}
        and hosts.search(path.read_text(errors="replace"))
    ]
    assert naming == []
