"""A file backend with one stack of the project on the desk, for a ``pulumi`` that knows only such."""

import json
from pathlib import Path
from typing import Any

STACK = "chat.prod.paper"
URN = f"urn:pulumi:{STACK}::desk::gcp:storage/bucket:Bucket::runtime"
OTHER = f"urn:pulumi:{STACK}::desk::gcp:storage/bucket:Bucket::logs"


def operation(kind: str = "creating", urn: str = URN) -> dict[str, Any]:
    inputs = {"name": "acme-runtime"}
    return {"type": kind, "resource": {"urn": urn, "type": urn.split("::")[2], "inputs": inputs}}


class Backend:
    """A file backend with one stack, and a ``pulumi`` that knows only such."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _file(self) -> Path:
        return self.folder / ".pulumi" / "stacks" / "desk" / f"{STACK}.json"

    def write(self, *pending: dict[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        latest = {"resources": [], "pending_operations": list(pending)}
        self._file.write_text(json.dumps({"checkpoint": {"latest": latest}}))

    def lock(self, pid: int, host: str) -> Path:
        folder = self.folder / ".pulumi" / "locks" / "organization" / "desk" / STACK
        folder.mkdir(parents=True)
        held = {"pid": pid, "hostname": host, "timestamp": "2026-11-22T05:00:00Z"}
        (folder / "a.json").write_text(json.dumps(held))
        return folder / "a.json"

    @property
    def latest(self) -> dict[str, Any]:
        return json.loads(self._file.read_text())["checkpoint"]["latest"]

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    @property
    def backups(self) -> list[Path]:
        return sorted((self.folder / "recover-backups").glob("*.json"))
