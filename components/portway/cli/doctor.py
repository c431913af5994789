"""``portway doctor``: what is installed, what is missing, what to do."""

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from portway.engine.cache import cache_root
from portway.engine.engine import Engine
from portway.engine.find import find_engine
from portway.engine.go_tool import find_go
from portway.errors import Missing
from portway.sandbox.layout import Layout
from portway.sandbox.store import Store
from portway.sandbox.unfinished import unsettled
from portway.sandbox.which_kubernetes import used

_PYTHON = (3, 11)
_SDKS = (
    "pulumi",
    "pulumi-policy",
    "pulumi-aws",
    "pulumi-gcp",
    "pulumi-kubernetes",
    "pulumi-random",
)
_ALWAYS = frozenset({"pulumi", "pulumi-policy"})
_NEEDED_GIB = 6.0
_INSTALL = "run `make setup`, or `python -m pip install -r requirements.txt` in .venv"


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        state: ``missing`` makes the exit code 3; ``note`` does not.
        found: what is there.
        do: what to do about it, empty when nothing.
    """

    name: str
    state: State
    found: str
    do: str = ""


def check_python(version: tuple[int, int, int], executable: str) -> Check:
    """Python 3.11 or newer."""
    found = f"{'.'.join(map(str, version))} at {executable}"
    if version[:2] >= _PYTHON:
        return Check("python", State.OK, found)
    return Check(
        "python", State.MISSING, found, "install Python 3.11 or newer and make .venv with it"
    )


def check_engine(find: Callable[[], Engine]) -> list[Check]:
    """Which engine would be used, and whose Python language host."""
    try:
        engine = find()
    except Missing as error:
        return [Check("pulumi engine", State.MISSING, "none to use", str(error))]
    host = engine.bundled_language_host
    whose = f"the engine's own, {host}" if host else "Portway's, run by " + sys.executable
    return [
        Check("pulumi engine", State.OK, f"{engine.version} {engine.origin.words}, {engine.path}"),
        Check("python language host", State.OK, whose),
    ]


def check_go(go: Path | None, version: Callable[[Path], str], *, engine_found: bool) -> Check:
    """Go, which only building an engine (or the real Kubernetes control plane) needs."""
    if go is not None:
        return Check("go", State.OK, f"{version(go)} at {go}")
    do = "" if engine_found else "only needed where the official installer cannot be reached"
    return Check("go", State.NOTE, "not on PATH", do)


def check_packages(pins: Mapping[str, str], installed: Mapping[str, str | None]) -> list[Check]:
    """The engine's SDKs against the project's pins; a project without pins is only reported."""
    checks: list[Check] = []
    for name, version in installed.items():
        pin = pins.get(name)
        if version is None and pin is None and name not in _ALWAYS:
            checks.append(Check(name, State.NOTE, "not installed", "only its own target needs it"))
        elif version is None:
            checks.append(Check(name, State.MISSING, "not installed", _INSTALL))
        elif pin is None or pin == version:
            checks.append(Check(name, State.OK, version + (" (as pinned)" if pin else "")))
        else:
            checks.append(Check(name, State.NOTE, f"{version}, pinned is {pin}", _INSTALL))
    return checks


def check_disk(free_bytes: Mapping[Path, int], *, engine_found: bool) -> list[Check]:
    """Free space; only a first build of the engine needs much."""
    checks: list[Check] = []
    for folder, free in free_bytes.items():
        gib = free / 2**30
        enough = gib >= _NEEDED_GIB or engine_found
        do = "" if enough else f"a first build of the engine needs about {_NEEDED_GIB:.0f} GiB"
        state = State.OK if enough else State.NOTE
        checks.append(Check("free disk", state, f"{gib:.1f} GiB at {folder}", do))
    return checks


def check_project(project: Path | None) -> list[Check]:
    """The project the command stands in, and what its sandbox holds."""
    if project is None:
        do = "go to a folder with a Pulumi.yaml to use the other verbs"
        return [Check("project", State.NOTE, "none here", do)]
    layout = Layout.of_project(project)
    if not layout.root.is_dir():
        sandbox = Check("sandbox", State.OK, "not made yet", "`portway sandbox start` makes it")
    else:
        stacks = len(list((layout.state / ".pulumi" / "stacks").glob("*/*.json")))
        sandbox = Check("sandbox", State.OK, f"{layout.root}, {stacks} stacks")
    return [
        Check("project", State.OK, str(project)),
        sandbox,
        check_kubernetes(layout),
        *check_rest(layout),
    ]


def check_kubernetes(layout: Layout) -> Check:
    """Which Kubernetes the sandbox has, and why."""
    found = used(layout)
    return Check("sandbox's kubernetes", State.OK, f"{found.which}: {found.why}")


def check_rest(layout: Layout) -> list[Check]:
    """The sandbox's stacks whose last operation did not end; nothing when all of them are at rest."""
    if not layout.store.is_file():
        return []
    try:
        stacks = unsettled(layout, Store(layout.store))
    except Missing as error:
        return [Check("sandbox's store", State.NOTE, "cannot be used", str(error))]
    do = "`portway sandbox status` says what happened and what to do"
    return [Check("not at rest", State.NOTE, stack, do) for stack in stacks]


def pins_of(lines: Iterable[str]) -> dict[str, str]:
    """``name==version`` lines of a requirements file."""
    pairs = (line.split("#")[0].strip().partition("==") for line in lines)
    return {name.strip().lower(): version.strip() for name, _, version in pairs if version}


def find_project(start: Path) -> Path | None:
    """The nearest folder upward from ``start`` that holds a Pulumi.yaml."""
    return next(
        (folder for folder in (start, *start.parents) if (folder / "Pulumi.yaml").is_file()), None
    )


def examine(project: Path | None) -> list[Check]:
    """Look at this machine."""
    engine = check_engine(find_engine)
    found = engine[0].state is State.OK
    requirements = project / "requirements.txt" if project else None
    lines = (
        requirements.read_text(encoding="utf-8").splitlines()
        if requirements and requirements.is_file()
        else []
    )
    folders = (_existing(cache_root()), project or Path.cwd())
    disks = {folder.stat().st_dev: folder for folder in folders}.values()
    free = {folder: shutil.disk_usage(folder).free for folder in disks}
    version = sys.version_info
    return [
        check_python((version.major, version.minor, version.micro), sys.executable),
        *engine,
        check_go(find_go(), _go_version, engine_found=found),
        *check_packages(pins_of(lines), {name: _installed(name) for name in _SDKS}),
        *check_project(project),
        *check_disk(free, engine_found=found),
    ]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _go_version(go: Path) -> str:
    command = [str(go), "env", "GOVERSION"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip() or "does not run"


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def show(checks: Iterable[Check], console: Console) -> None:
    """The report as a table, what to do beneath it."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found"):
        table.add_column(heading, overflow="fold")
    marks = {
        State.OK: "[green]ok[/]",
        State.NOTE: "[yellow]note[/]",
        State.MISSING: "[red]missing[/]",
    }
    listed = list(checks)
    for check in listed:
        table.add_row(marks[check.state], check.name, Text(check.found))
    console.print(table)
    for check in listed:
        if check.do:
            console.print(
                f"{check.name}: {check.do}", markup=False, highlight=False, soft_wrap=True
            )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
def command(*, as_json: bool, no_color: bool) -> None:
    """Say what is installed, which engine would be used, what is missing and what to do.

    Exit code 0 when nothing is missing, else 3.
    """
    checks = examine(find_project(Path.cwd()))
    complete = all(check.state is not State.MISSING for check in checks)
    if as_json:
        report = {
            "ok": complete,
            "system": platform.platform(),
            "checks": [asdict(check) for check in checks],
        }
        click.echo(json.dumps(report, indent=2))
    else:
        show(checks, Console(no_color=no_color or None))
    if not complete:
        sys.exit(3)
