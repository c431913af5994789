"""What an interrupted ``pulumi up`` leaves, in words: locks and operations nobody finished.

Pulumi itself only warns: after a crash a plain ``pulumi up`` creates an interrupted resource a second
time and reports success.
"""

import json
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

from portway.errors import PortwayError

_CREATING = "creating"


class Unresolved(PortwayError):
    """An earlier operation did not end, and going on would be wrong or cannot work."""

    exit_code = 1


@dataclass(frozen=True)
class Lock:
    """A lock file of the file backend.

    Attributes:
        pid: the process that took it.
        host: the machine that process was on.
        since: when it was taken, RFC 3339.
        alive: whether that process still runs; None when that cannot be known from here.
    """

    pid: int
    host: str
    since: str
    alive: bool | None


@dataclass(frozen=True)
class Unfinished:
    """One thing an earlier operation left.

    Attributes:
        operation: ``lock``, or Pulumi's word for what was going on, such as ``creating``.
        urn: the resource, or None for a lock.
        what: what happened, in words.
        risk: what a plain ``pulumi up`` would do.
        remedy: what to do.
    """

    operation: str
    urn: str | None
    what: str
    risk: str
    remedy: str

    def __str__(self) -> str:
        """What happened, what is at stake, what to do."""
        return f"{self.what} {self.risk} {self.remedy}"


def unfinished(
    stack: str, deployment: Mapping[str, Any], locks: Sequence[Lock]
) -> list[Unfinished]:
    """What is left of earlier operations on ``stack``; empty when all of them ended.

    Args:
        stack: the stack's name, for the commands in the text.
        deployment: the ``deployment`` of ``pulumi stack export``.
        locks: the stack's lock files.
    """
    found = [_of_lock(stack, lock) for lock in locks]
    found.extend(_of_operation(stack, operation) for operation in _pending(deployment))
    return found


def explain(stack: str, left: Iterable[Unfinished]) -> str:
    """The whole text for a stack that cannot go on."""
    items = "\n".join(f"- {item}" for item in left)
    return f"stack {stack}: an earlier operation did not end; nothing was started now.\n{items}"


def read_locks(state: Path, project: str, stack: str) -> list[Lock]:
    """The lock files of ``stack`` in the file backend at ``state``."""
    folder = state / ".pulumi" / "locks" / "organization" / project / stack
    return [lock for path in sorted(folder.glob("*.json")) if (lock := _lock(path)) is not None]


def _lock(path: Path) -> Lock | None:
    try:
        content = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except ValueError:
        return Lock(0, "an unknown machine", "an unknown time", alive=False)
    pid, host = int(content.get("pid", 0)), str(content.get("hostname", ""))
    alive = _runs_pulumi(pid) if host == socket.gethostname() else None
    return Lock(pid, host, str(content.get("timestamp", "")), alive)


def _runs_pulumi(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "pulumi" in process.name()
    except psutil.NoSuchProcess:
        return False


def _of_lock(stack: str, lock: Lock) -> Unfinished:
    if lock.alive:
        return Unfinished(
            "lock",
            None,
            f"Process {lock.pid} is working on the stack since {lock.since}.",
            "Two operations at once would overwrite each other's state.",
            "Wait until it ends; `pulumi cancel` would remove its lock but not stop it.",
        )
    left = f"A lock of process {lock.pid} on {lock.host} from {lock.since} is still there"
    known = "that process is gone." if lock.alive is False else "whether it still runs is unknown."
    return Unfinished(
        "lock",
        None,
        f"{left}; {known}",
        "Every operation stops at it.",
        f"When nothing works on the stack any more: `pulumi cancel --stack {stack} --yes`.",
    )


def _of_operation(stack: str, operation: Mapping[str, Any]) -> Unfinished:
    resource = cast("Mapping[str, Any]", operation["resource"])
    urn, kind = str(resource["urn"]), _kind(operation)
    what = f"It was interrupted while {kind} {resource.get('type', 'a resource')} ({urn})."
    if kind == _CREATING:
        return Unfinished(
            kind,
            urn,
            what,
            "It may exist in the cloud or not: a plain `pulumi up` would create it a second time "
            "and report success, and the first would go on costing money unseen.",
            "Look for it in the cloud. In any case forget the attempt: "
            f"`pulumi refresh --stack {stack} --clear-pending-creates --yes`. If it exists, then "
            "adopt it under its ID before the next `pulumi up`: "
            f"`{import_command(stack, resource)}`.",
        )
    return Unfinished(
        kind,
        urn,
        what,
        "The state may no longer say what is in the cloud, and a plain `pulumi up` forgets that.",
        f"Compare and correct it: `pulumi refresh --stack {stack} --yes`.",
    )


def import_command(stack: str, resource: Mapping[str, Any], identity: str = "ID") -> str:
    """The command that adopts ``resource`` (urn, type, and its parent and provider when known)."""
    urn = str(resource["urn"])
    words = ["pulumi import", f"--stack {stack}", "--yes --protect=false --generate-code=false"]
    if resource.get("parent"):
        words.append(f"--parent 'parent={resource['parent']}'")
    if resource.get("provider"):
        provider = str(resource["provider"]).rpartition("::")[0]
        words.append(f"--provider 'provider={provider}'")
    return " ".join((*words, str(resource.get("type")), f"'{urn.split('::', 3)[-1]}'", identity))


def _kind(operation: Mapping[str, Any]) -> str:
    return str(operation.get("type", "changing"))


FindId = Callable[[str], str | None]
"""Given a URN, the id of the resource in its cloud, or None when it was never made."""


def adopted(deployment: Mapping[str, Any], find_id: FindId) -> dict[str, Any]:
    """The deployment with every interrupted create that the cloud has; refresh it, then ``settled``.

    Such a create becomes a resource with its id, its inputs and its place in the tree; adopting a
    second time changes nothing. ``pulumi stack import`` of engine 3.259 drops every pending operation:
    who may be killed before the refresh keeps a journal, as ``engine.state`` does. (``pulumi refresh --import-pending-creates`` of engine 3.259 drops
    the operations, and the next ``pulumi up`` makes a second copy.)
    """
    resources = list(cast("list[dict[str, Any]]", deployment.get("resources") or []))
    for operation in _pending(deployment):
        if _kind(operation) == _CREATING:
            resource = cast("dict[str, Any]", operation["resource"])
            found = find_id(str(resource["urn"]))
            if found is not None:
                resources = _with(resources, resource, found)
    return {**deployment, "resources": resources}


def settled(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The deployment without its interrupted creates: what the cloud has was adopted."""
    others = [each for each in _pending(deployment) if _kind(each) != _CREATING]
    return {**deployment, "pending_operations": others}


def _with(
    resources: list[dict[str, Any]], resource: dict[str, Any], found: str
) -> list[dict[str, Any]]:
    """``resources`` and the one that was made; what it was to replace is still to be deleted."""
    alike = [each for each in resources if each["urn"] == resource["urn"]]
    if any(each.get("id") == found for each in alike):
        return resources
    made = {**resource, "id": found, "outputs": resource.get("inputs", {})}
    replaced = next((each for each in alike if not each.get("delete")), None)
    if replaced is None:
        return [*resources, made]
    at = resources.index(replaced)
    return [*resources[:at], made, {**replaced, "delete": True}, *resources[at + 1 :]]


def _pending(deployment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return cast("list[Mapping[str, Any]]", deployment.get("pending_operations") or [])
