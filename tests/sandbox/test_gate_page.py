"""docs/gate.md is what happens: its commands run, in order, in a repository that is not ours."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.engine_projects import the_engine
from support.sandbox_project import LONGEST_SECONDS, PORTWAY, ROOT

pytestmark = pytest.mark.sandbox

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
GIVEN = (
    "git clone",
    "(cd ../portway",
    "../portway/.venv/bin/pip",
    "export PATH",
    "pulumi stack export",
)
"""What the test has done already, or what needs an account."""

URN = "urn:pulumi:prod::shop::"


def shown() -> list[tuple[str, str]]:
    """Every command of the page with the output shown for it."""
    page = (ROOT / "docs" / "gate.md").read_text()
    return [
        (command, output)
        for block in BLOCK.findall(page)
        for command, _, output in (
            chunk.partition("\n") for chunk in re.split(r"^\$ ", block, flags=re.M)[1:]
        )
    ]


def as_pattern(output: str) -> str:
    lines = (
        ".*" if line.strip() == "…" else re.escape(line.rstrip()) for line in output.splitlines()
    )
    return re.sub(r"\d+\\ rules", r"\\d+\\ rules", "\n".join(lines))


def drifted() -> str:
    """The state of the example, with a bucket that somebody moved by hand."""
    provider, unique = f"{URN}pulumi:providers:gcp::default", "aa2f2a8a-0000-0000-0000-000000000001"
    rows: list[dict[str, Any]] = [
        {"urn": f"{URN}pulumi:pulumi:Stack::shop-prod", "type": "pulumi:pulumi:Stack"},
        {"urn": provider, "type": "pulumi:providers:gcp", "custom": True, "id": unique},
    ]
    for name, location in (("prompts", "EU"), ("backups", "us-central1")):
        bucket = {
            "urn": f"{URN}gcp:storage/bucket:Bucket::{name}",
            "type": "gcp:storage/bucket:Bucket",
        }
        known = {"custom": True, "id": name, "provider": f"{provider}::{unique}"}
        said = {"inputs": {"location": location}, "outputs": {"location": location.upper()}}
        rows.append({**bucket, **known, **said})
    return json.dumps({"version": 3, "deployment": {"resources": rows}})


def test_every_command_of_the_page_does_what_it_shows(tmp_path: Path) -> None:
    the_engine()
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "existing", folder)
    (folder / "state.json").write_text(drifted())
    path = f"{PORTWAY.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "PATH": path}
    environment.pop("GITHUB_ACTIONS", None)
    code, ran = 0, 0
    for command, output in shown():
        if command.startswith(GIVEN):
            continue
        if command == "echo $?":
            assert output.strip() == str(code)
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True,
            check=False, timeout=LONGEST_SECONDS,
        )  # fmt: skip
        code, ran = done.returncode, ran + 1
        said = "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines())
        assert re.fullmatch(as_pattern(output), said, re.S), f"$ {command}\n{said}"
    assert ran >= 6
