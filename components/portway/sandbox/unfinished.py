"""What is wrong between the states and the embedded clouds: operations that did not end, and strays."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from portway.engine.evidence import Found, Orphan, new_ids
from portway.engine.recover import import_command, read_locks, unfinished
from portway.sandbox.layout import Layout
from portway.sandbox.store import Row, Store

Deployment = Mapping[str, Any]
_PENDING = "pending_operations"


@dataclass(frozen=True)
class StackFile:
    """The state of one stack, as the file backend keeps it.

    Attributes:
        deployment: what ``pulumi stack export`` calls so; empty before the first operation.
    """

    project: str
    stack: str
    deployment: Deployment


def stack_files(state: Path) -> list[StackFile]:
    """Every stack in the file backend at ``state``; a file that is no state is left out."""
    found: list[StackFile] = []
    for path in sorted((state / ".pulumi" / "stacks").glob("*/*.json")):
        try:
            document = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
            latest = cast("Deployment", document["checkpoint"].get("latest") or {})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        found.append(StackFile(path.parent.name, path.stem, latest))
    return found


def strays(rows: Iterable[Row], stacks: Iterable[StackFile]) -> list[Row]:
    """What the clouds have and no state knows, although some stack's operation made it.

    A plugin that ends in the middle of a create leaves such resources: the engine takes the create for
    failed. What is being created now has its operation in the state and is no stray.
    """
    states = list(stacks)
    busy = {str(op["resource"]["urn"]) for each in states for op in _pending(each.deployment)}
    known = Counter(
        (str(resource["urn"]), str(resource["id"]))
        for each in states
        for resource in _resources(each.deployment)
        if resource.get("id")
    )
    unmatched: list[Row] = []
    for row in rows:
        if known[row.urn, row.key.id]:
            known[row.urn, row.key.id] -= 1
        elif row.urn and row.urn not in busy:
            unmatched.append(row)
    # what was imported has another URN than the one that it was made under
    adopted = Counter((urn.split("::")[2].rpartition("$")[2], id_) for urn, id_ in known.elements())
    left: list[Row] = []
    for row in unmatched:
        if adopted[row.key.type, row.key.id]:
            adopted[row.key.type, row.key.id] -= 1
        else:
            left.append(row)
    return left


def unsettled(layout: Layout, store: Store) -> dict[str, list[str]]:
    """For each stack that is not at rest: what happened and what to do, a sentence or two each."""
    stacks = stack_files(layout.state)
    rows = store.all()
    ids = {row.urn: row.key.id for row in rows}
    lost = strays(rows, stacks)
    said: dict[str, list[str]] = {}
    for each in stacks:
        locks = read_locks(layout.state, each.project, each.stack)
        left = unfinished(each.stack, each.deployment, locks)
        texts = [f"{item}{_cloud_says(item.urn, ids)}" for item in left]
        if any(lock.alive for lock in locks):
            texts = [item.what for item in left if item.urn is None]
        texts += [_stray(row, each) for row in lost if stack_of(row) == each.stack]
        if texts:
            said[each.stack] = texts
    return said


def in_the_clouds(layout: Layout, stack: str, deployment: Deployment) -> tuple[Found, list[Orphan]]:
    """What the clouds have of ``stack`` without its state knowing: ids by URN, and strays.

    Args:
        layout: the sandbox.
        stack: its name.
        deployment: its state.
    """
    rows = Store(layout.store).all()
    found = new_ids(((row.urn, row.key.id) for row in rows), deployment)
    orphans: list[Orphan] = []
    for row in strays(rows, stack_files(layout.state)):
        if stack_of(row) == stack:
            command = import_command(stack, _place(row, deployment), shlex.quote(row.key.id))
            words = tuple(shlex.split(command)[1:])
            orphans.append(Orphan(row.urn, row.key.type, row.key.id, words))
    return found, orphans


def stack_of(row: Row) -> str:
    """The name of the stack whose operation made ``row``; "" when none did."""
    return row.urn.split("::")[0].removeprefix("urn:pulumi:")


def _cloud_says(urn: str | None, ids: Mapping[str, str]) -> str:
    if urn is None:
        return ""
    found = ids.get(urn)
    return f" (The cloud has it: its ID is {found}.)" if found else " (The cloud does not have it.)"


def _stray(row: Row, stack: StackFile) -> str:
    command = import_command(stack.stack, _place(row, stack.deployment), row.key.id)
    return (
        f"{row.key.type} {row.key.id} is in the cloud, but in no state: what made it ended in the "
        f"middle. A plain `pulumi up` would try to make it again. Adopt it: `{command}`."
    )


def _place(row: Row, deployment: Deployment) -> dict[str, Any]:
    """URN and type of ``row``, with its parent and provider where the state leaves no doubt."""
    place: dict[str, Any] = {"urn": row.urn, "type": row.key.type}
    kinds = row.urn.split("::")[2].rpartition("$")[0]
    resources = _resources(deployment)
    parents = [each for each in resources if str(each["urn"]).split("::")[2] == kinds]
    package = f"pulumi:providers:{row.key.cloud}"
    providers = [each for each in resources if each.get("type") == package]
    if len(parents) == 1:
        place["parent"] = parents[0]["urn"]
    if len(providers) == 1:
        place["provider"] = f"{providers[0]['urn']}::{providers[0]['id']}"
    return place


def _resources(deployment: Deployment) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", deployment.get("resources") or [])


def _pending(deployment: Deployment) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", deployment.get(_PENDING) or [])
