"""Drift runs: judging what was deployed, from the JSON that ``pulumi stack export`` writes."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from portway.engine.analyze import analyze
from portway.engine.environment import engine_environment
from portway.errors import BadInput, Problem
from portway.gate.record import is_managed, read_events, texts_of
from portway.gate.run import Policies, StackReport, Workshop, faults_of

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
_BLIND = "could not decrypt secrets"
_PASSPHRASE = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")

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
            states.append(_read(file))
        except BadInput as error:
            problems += [problem.at(str(file)) for problem in error.problems]
    if problems:
        raise BadInput(problems)
    names = [state.stack for state in states]
    return tuple(
        replace(one, stack=f"{one.stack} ({one.file})") if names.count(one.stack) > 1 else one
        for one in states
    )


def judge_states(
    states: Sequence[State],
    policies: Policies,
    workshop: Workshop,
    on_done: Callable[[StackReport], object] = lambda _: None,
    deadline_seconds: float | None = None,
) -> tuple[StackReport, ...]:
    """What the packs say of each state, by the engine's own ``policy analyze``."""
    given = {name: os.environ[name] for name in _PASSPHRASE if name in os.environ}

    def judge(state: State) -> StackReport:
        environment = {
            **engine_environment(workshop.places, workshop.engine),
            **given,
            **policies.environment,
        }
        packs = policies.for_engine
        outcome = analyze(state.file, packs, workshop.engine, environment, deadline_seconds)
        errors = () if outcome.succeeded or outcome.violations else (outcome.stderr.strip(),)
        seen = read_events(outcome.events, errors)
        kept = [row for row in state.rows if not row.get("delete")]
        urns = tuple(row["urn"] for row in kept if _is_judged(row))
        # The engine ends with an error unless it asked every pack about every resource kept.
        record = replace(
            seen,
            registered=urns,
            components=frozenset(row["urn"] for row in kept if not row.get("custom")),
            analysed=dict.fromkeys(seen.packs, frozenset(urns)),
            whole=seen.packs,
            texts=frozenset(text for row in kept for text in texts_of(row)),
        )
        if record.components.issuperset(urns) and not errors:
            faults = ("the state holds no resource, so nothing was judged",)
        else:
            faults = faults_of(outcome, record, policies)
        hints = tuple(_hints(state, is_blind=_BLIND in outcome.stderr))
        report = StackReport(
            state.stack,
            record,
            faults,
            state=state.file,
            hints=hints,
            resources=tuple(kept),
            engine=str(workshop.engine.version),
        )
        on_done(report)
        return report

    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(judge, states))


def _hints(state: State, *, is_blind: bool) -> Iterator[str]:
    """What of the state no rule could see."""
    if is_blind:
        yield (
            f"{state.file}: {_many(state.secrets, 'value')} encrypted; a rule that needs one refuses. "
            "Set PULUMI_CONFIG_PASSPHRASE, or export with --show-secrets"
        )
    if state.leaving:
        yield (
            f"{state.file}: {_many(len(state.leaving), 'resource')} waiting to be deleted and not "
            "judged, though still there; finish it with `pulumi up`"
        )


def _many(count: int, what: str) -> str:
    return f"{count} {what} is" if count == 1 else f"{count} {what}s are"


def _is_judged(row: Row) -> bool:
    return is_managed(row["type"]) and not row.get("external")


def _read(file: Path) -> State:
    content = _content(file)
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


def _content(file: Path) -> object:
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
