"""A copy of a project whose stack files the sandbox may write: the tracked ones stay as they are.

On a file backend the engine writes an ``encryptionsalt`` line into every stack file, and a stack file
made for a real account can name a secrets provider and hold secrets that only that account opens. So
the sandbox works in a folder where everything is a link to the project, except the stack files, which
are copies without the real secrets.
"""

import io
import os
import shutil
from pathlib import Path
from typing import cast

from filelock import FileLock
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from portway.errors import BadInput, Problem

_SALT = "encryptionsalt"
_ENCRYPTION = (_SALT, "encryptedkey", "secretsprovider")
_NEVER_LINKED = frozenset({".git", ".portway"})
_PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml")

PLACEHOLDER = "sandbox-placeholder"
"""What stands for a secret that only the real account can open."""


def mirror(project: Path, into: Path) -> Path:
    """Make ``into`` show ``project`` as it is now; returns ``into``.

    Call it again after the stack files changed. Links to what is gone are removed. Copies keep the
    salt the sandbox gave them; whatever else the engine wrote into them is made anew.

    Raises:
        BadInput: ``project`` holds no Pulumi.yaml, or one that is not YAML.
    """
    config = stack_config_dir(project)
    parts = tuple(part for part in config.parts if part != ".")
    into.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(into.with_name(f"{into.name}.lock")):
        _seen(into).touch()
        _show(project, into, parts)
    return into


def catch_up(shown: Path, stack_name: str) -> Path | None:
    """Make ``shown`` anew where a stack's own file changed since; that file, or None.

    Only the mirror of the sandbox in use is touched: any other folder is its own truth.

    Raises:
        BadInput: as ``mirror``.
    """
    if shown != Path(os.environ.get("PORTWAY_SANDBOX", "/")) / "mirror":
        return None
    project = (shown / "Pulumi.yaml").readlink().parent
    file = project / stack_config_dir(project) / f"Pulumi.{stack_name}.yaml"
    seen = _seen(shown)
    if not (file.is_file() and seen.is_file() and file.stat().st_mtime > seen.stat().st_mtime):
        return None
    mirror(project, shown)
    return file


def _seen(shown: Path) -> Path:
    """A file as old as the mirror."""
    return shown.with_name(f"{shown.name}.seen")


def stack_config_dir(project: Path) -> Path:
    """Where the project keeps its stack files, relative to it.

    Raises:
        BadInput: there is no Pulumi.yaml, or it is not YAML.
    """
    found = next((project / name for name in _PROJECT_FILES if (project / name).is_file()), None)
    if found is None:
        raise BadInput(
            [Problem("Pulumi.yaml", f"there is none in {project}; go to a Pulumi project's folder")]
        )
    try:
        settings = _load(YAML(typ="safe"), found.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise BadInput([Problem("Pulumi.yaml", f"is not YAML: {error}", str(found))]) from error
    named = (
        cast("dict[str, object]", settings).get("stackConfigDir")
        if isinstance(settings, dict)
        else None
    )
    return Path(str(named)) if named else Path()


def sandbox_text(text: str, salt: str | None) -> str:
    """A stack file as the sandbox may read it.

    Secrets providers, their keys and salts are dropped, ``salt`` (the sandbox's own) is added, and
    every ``secure:`` value becomes a placeholder. Text that is not a YAML mapping is left alone: the
    engine says what is wrong with it.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 2**16
    try:
        loaded = _load(yaml, text)
    except YAMLError:
        return text
    if loaded is None:
        loaded = {}
    if not isinstance(loaded, dict):
        return text
    document = cast("dict[str, object]", loaded)
    for name in _ENCRYPTION:
        document.pop(name, None)
    if "config" in document:
        document["config"] = _without_secrets(document["config"])
    if salt is not None:
        document[_SALT] = salt
    written = io.StringIO()
    yaml.dump(document, written)  # pyright: ignore[reportUnknownMemberType] - ruamel is untyped
    return written.getvalue()


def salt_of(text: str) -> str | None:
    """The salt the engine wrote into a stack file, if any."""
    for line in text.splitlines():
        if line.startswith(f"{_SALT}:"):
            return line.partition(":")[2].strip()
    return None


def _load(yaml: YAML, text: str) -> object:
    loaded: object = yaml.load(text)  # pyright: ignore[reportUnknownMemberType] - ruamel is untyped
    return loaded


def _without_secrets(value: object) -> object:
    if isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        if list(mapping) == ["secure"]:
            return PLACEHOLDER
        for name in mapping:
            mapping[name] = _without_secrets(mapping[name])
    elif isinstance(value, list):
        items = cast("list[object]", value)
        items[:] = [_without_secrets(item) for item in items]
    return cast("object", value)


def _show(source: Path, shown: Path, config: tuple[str, ...]) -> None:
    """Mirror one folder; ``config`` is the rest of the way to the stack files."""
    if shown.is_symlink():
        shown.unlink()
    shown.mkdir(parents=True, exist_ok=True, mode=0o700)
    here = not config
    names = {path.name for path in source.iterdir()} - _NEVER_LINKED
    for entry in shown.iterdir():
        if entry.name not in names:
            _remove(entry)
    for name in sorted(names):
        if config and name == config[0]:
            _show(source / name, shown / name, config[1:])
        elif here and _is_stack_file(name):
            _copy(source / name, shown / name)
        else:
            _link(source / name, shown / name)


def _is_stack_file(name: str) -> bool:
    return (
        name.startswith("Pulumi.")
        and name.endswith((".yaml", ".yml"))
        and name not in _PROJECT_FILES
    )


def _copy(source: Path, shown: Path) -> None:
    if shown.is_symlink():
        shown.unlink()
    before = shown.read_text(encoding="utf-8") if shown.is_file() else ""
    after = sandbox_text(source.read_text(encoding="utf-8"), salt_of(before))
    if after != before:
        part = shown.with_name(f"{shown.name}.part")
        part.write_text(after, encoding="utf-8")
        part.replace(shown)


def _link(source: Path, shown: Path) -> None:
    if shown.is_symlink() and shown.readlink() == source:
        return
    _remove(shown)
    shown.symlink_to(source)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
