"""What ``pulumi stack export`` writes, read with a clear word on what cannot be used."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from portway.errors import BadInput, Problem

VERSIONS = (3, 4)
"""Of an exported deployment: what engines write today, and what they can read back unchanged."""

_AGAIN = "write it again with `pulumi stack export --file state.json`"
_URN = re.compile(r"urn:pulumi:[^:]+::[^:]+::\S.*::.+", re.S)
_ENCRYPTED = (
    b"age-encryption.org",
    b"-----BEGIN AGE",
    b"-----BEGIN PGP",
    b"$ANSIBLE_VAULT",
    b"Salted__",
)
_SIGNATURE = "4dabf18193072939515e22adb298388d"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """One exported state.

    Attributes:
        stack: the name in its URNs, with the file where several have the same.
        rows: its resources, as written.
        secrets: how many values are encrypted.
    """

    file: Path
    stack: str
    rows: tuple[Row, ...]
    secrets: int

    @property
    def leaving(self) -> tuple[str, ...]:
        """URNs of what is only waiting to be deleted; the engine asks no policy about it."""
        return tuple(row["urn"] for row in self.rows if row.get("delete"))


def read_states(files: Sequence[Path]) -> tuple[State, ...]:
    """Every exported state in ``files``.

    Raises:
        BadInput: all that is wrong: truncated, encrypted, of another version, no exported state.
    """
    states: list[State] = []
    problems: list[Problem] = []
    for file in dict.fromkeys(files):
        try:
            states.append(state_of(file, content_of(file)))
        except BadInput as error:
            problems += [problem.at(str(file)) for problem in error.problems]
    if problems:
        raise BadInput(problems)
    names = [state.stack for state in states]
    return tuple(
        replace(one, stack=f"{one.stack} ({one.file})") if names.count(one.stack) > 1 else one
        for one in states
    )


def state_of(file: Path, content: object) -> State:
    """The exported state that ``content``, read from ``file``, is.

    Raises:
        BadInput: it is none, of another version, or encrypted as a whole.
    """
    problem = _no_export(content)
    if problem is not None:
        raise BadInput([problem])
    deployment = cast("Row", cast("Row", content)["deployment"])
    rows = cast("list[Any]", deployment.get("resources") or [])
    for index, row in enumerate(rows):
        if not _is_row(row):
            at = f"deployment.resources[{index}]"
            raise BadInput([Problem(at, f"is no resource with a urn and a type; {_AGAIN}")])
    names = {row["urn"].split("::")[0].removeprefix("urn:pulumi:") for row in rows}
    name = names.pop() if len(names) == 1 else file.stem
    return State(file, name, tuple(rows), sum(1 for _ in _secrets(rows)))


def content_of(file: Path) -> object:
    """The JSON in ``file``.

    Raises:
        BadInput: it cannot be read, is empty, encrypted, truncated, or no JSON.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadInput([Problem("", f"cannot be read: {error.strerror}")]) from None
    if not data.strip():
        raise BadInput([Problem("", f"is empty; {_AGAIN}")])
    is_text = True
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text, is_text = "", False
    if data.lstrip().startswith(_ENCRYPTED) or not is_text:
        raise BadInput([Problem("", "is encrypted, or no text; decrypt the file first")])
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, json.JSONDecodeError) and _is_cut(text, error):
            what = f"is truncated: it ends in the middle, after {len(text)} characters"
        else:
            what = f"is not JSON ({error})"
        raise BadInput([Problem("", f"{what}; {_AGAIN}")]) from None


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the text is JSON as far as it goes."""
    return error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string")


def _no_export(content: object) -> Problem | None:
    """Why ``content`` is not a deployment that can be judged."""
    if not isinstance(content, dict):
        return Problem("", f"is no exported state; {_AGAIN}")
    state = cast("dict[str, Any]", content)
    if "sops" in state:
        return Problem("", "is encrypted by sops; decrypt the file first")
    if "terraform_version" in state:
        return Problem("", "is a state of Terraform; the packs judge Pulumi's")
    if "checkpoint" in state:
        return Problem("", f"is a backend's own file; {_AGAIN}")
    if "version" not in state and "deployment" not in state:
        return Problem("", f"is no exported state; {_AGAIN}")
    version = state.get("version")
    if type(version) is not int or version not in VERSIONS:
        is_older = type(version) is int and version < VERSIONS[0]
        known = " and ".join(map(str, VERSIONS))
        do = f"import the state with a current engine, then {_AGAIN}" if is_older else _AGAIN
        age = "an older version" if is_older else "no version that is known"
        return Problem("version", f"is {version!r}, {age}; {known} can be read: {do}")
    deployment = state.get("deployment")
    if isinstance(deployment, str):
        return Problem("deployment", "is encrypted as a whole; export it where it can be decrypted")
    resources = cast("Row", deployment).get("resources") if isinstance(deployment, dict) else None
    if deployment is not None and not isinstance(resources, list | None):
        return Problem("deployment.resources", f"must be a list; {_AGAIN}")
    if not isinstance(deployment, dict):
        return Problem("deployment", f"holds nothing: the stack was never deployed; {_AGAIN}")
    return None


def _is_row(row: object) -> bool:
    if not isinstance(row, dict):
        return False
    said = cast("dict[str, Any]", row)
    urn, token = said.get("urn"), said.get("type")
    return isinstance(urn, str) and _URN.fullmatch(urn) is not None and isinstance(token, str)


def _secrets(value: object) -> Iterator[None]:
    """One for every value that only its secrets provider can open."""
    if isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        if _SIGNATURE in mapping and "ciphertext" in mapping:
            yield None
            return
        for item in mapping.values():
            yield from _secrets(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _secrets(item)
