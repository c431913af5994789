"""A program as a gate previews it: a copy that runs with our SDKs and stand-ins, and sees no cloud."""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from portway.engine.mirror import mirror
from portway.errors import BadInput, Problem
from portway.gate.lookups import ENTRY, SEEN, entry_text

_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line \d+.*\n(?:    .*\n)*', re.M)
_OURS = (ENTRY, "gate/lookups.py", "<frozen runpy>", "engine/program.py")
_MANY = 5
_PROVIDER = "portway"
_COMPONENTS = Path(__file__).resolve().parents[2]
"""The folder of our own component provider: the one plugin that a program may bring, as it is here."""


def stage(project: Path, into: Path) -> None:
    """Make ``into`` show ``project``, ready for a preview with stand-ins.

    Raises:
        BadInput: it is no Pulumi program in Python.
    """
    mirror(project, into)
    _close(into / "Pulumi.yaml")


def looked_up(staged: Path, stack: str) -> Iterator[str]:
    """What the program of ``staged`` looked up elsewhere, as a hint."""
    try:
        seen = (staged / SEEN).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return
    what = sorted(set(seen))  # they come in the order in which the engine happened to ask
    more = f" and {len(what) - _MANY} more" if len(what) > _MANY else ""
    yield (
        f"{stack}: looked up elsewhere, so not known here: {', '.join(what[:_MANY])}{more}; "
        "what a rule must know of it is refused"
    )


def in_its_own_terms(fault: str, project: Path, staged: Path) -> str:
    """``fault`` with the author's files where the copy's were, and without the frames of this tool."""
    own = _FRAME.sub(lambda frame: "" if frame["file"].endswith(_OURS) else frame[0], fault + "\n")
    return own.rstrip("\n").replace(str(staged), str(project))


def _close(file: Path) -> None:
    """Have the program run in our interpreter's environment, with the stand-ins as its only plugins.

    Raises:
        BadInput: it is not a Python program.
    """
    yaml: Any = YAML()
    try:
        loaded: object = yaml.load(file.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise BadInput([Problem("Pulumi.yaml", f"is not YAML: {error}", str(file))]) from None
    except FileNotFoundError:
        raise BadInput([Problem("Pulumi.yaml", "is not there; give the file this name")]) from None
    if not isinstance(loaded, dict) or not isinstance(
        cast("dict[str, Any]", loaded).get("name"), str
    ):
        message = "must be a mapping with the name and the runtime of the project"
        raise BadInput([Problem("Pulumi.yaml", message, str(file.resolve()))])
    settings = cast("dict[str, Any]", loaded)
    runtime = settings.get("runtime")
    name = cast("dict[str, Any]", runtime).get("name") if isinstance(runtime, dict) else runtime
    if name != "python":
        message = f"is {name!r}; the gate runs Python programs only"
        raise BadInput([Problem("runtime", message, str(file.resolve()))])
    settings["runtime"] = {"name": "python", "options": {"virtualenv": sys.prefix}}
    main = settings.get("main")
    settings["main"] = ENTRY
    file.with_name(ENTRY).write_text(entry_text(None if main is None else str(main)), "utf-8")
    named = settings.pop("plugins", None)
    if _names_ours(named, settings.get("packages")):
        settings["plugins"] = {"providers": [{"name": _PROVIDER, "path": str(_COMPONENTS)}]}
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8") as written:
        yaml.dump(settings, written)
    shutil.move(part, file)


def _names_ours(plugins: object, packages: object) -> bool:
    """Whether a program says that it uses our component provider, and there is one to use."""
    listed: object = plugins.get("providers") if isinstance(plugins, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - YAML
    rows = cast("list[object]", listed) if isinstance(listed, list) else []
    names = [cast("dict[str, object]", one).get("name") for one in rows if isinstance(one, dict)]
    asks = _PROVIDER in names or (isinstance(packages, dict) and _PROVIDER in packages)
    return asks and (_COMPONENTS / "PulumiPlugin.yaml").is_file()
