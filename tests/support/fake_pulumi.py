"""A ``pulumi`` of a few lines over a file backend: exports, imports, cancels and refreshes a state.

Like the real one, it forgets every pending operation at an import.

Every call is a line in ``calls`` beside the backend. A resource whose id is ``ghost`` is not in the
cloud: a refresh drops it. With ``refresh-fails`` beside the backend a refresh does not succeed.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

SCRIPT = f"#!/bin/sh\nexec '{sys.executable}' '{__file__}' \"$@\"\n"


def install(folder: Path) -> Path:
    """Put it into ``folder`` as ``pulumi``; returns the folder, for PATH."""
    folder.mkdir()
    (folder / "pulumi").write_text(SCRIPT)
    (folder / "pulumi").chmod(0o755)
    return folder


def main(words: list[str]) -> int:
    if words == ["version"]:
        click.echo("v3.259.0")
        return 0
    if "--non-interactive" in words:
        words.remove("--non-interactive")
    stack = words[words.index("--stack") + 1]
    url = os.environ.get("PULUMI_BACKEND_URL", "")
    if not url.startswith("file://"):
        click.echo("error: PULUMI_ACCESS_TOKEN must be set", err=True)
        return 255
    backend = Path(url.removeprefix("file://"))
    with (backend / "calls").open("a") as calls:
        calls.write(" ".join(words[:2]) + "\n")
    file = backend / ".pulumi" / "stacks" / "desk" / f"{stack}.json"
    if not file.is_file():
        click.echo(f"error: no stack named '{stack}' found", err=True)
        return 255
    return act(words, backend, file, stack)


def act(words: list[str], backend: Path, file: Path, stack: str) -> int:
    deployment: dict[str, Any] = json.loads(file.read_text())["checkpoint"]["latest"]
    locks = backend / ".pulumi" / "locks" / "organization" / "desk" / stack
    if words[:2] == ["stack", "export"]:
        click.echo(json.dumps({"version": 3, "deployment": deployment}))
        return 0
    if words[0] == "cancel":
        for lock in locks.glob("*.json"):
            lock.unlink()
        return 0
    if list(locks.glob("*.json")):
        click.echo("error: the stack is currently locked by 1 lock(s)", err=True)
        return 255
    if words[0] == "up":
        (backend / "ups").write_text(json.dumps(words))
        deployed = Path(os.environ["PORTWAY_DEPLOYED"])
        (backend / f"deployed-{deployed.name}").write_text(deployed.read_text())
        return 255 if (backend / "up-fails").exists() else 0
    if words[:2] == ["stack", "import"]:
        deployment = json.loads(Path(words[words.index("--file") + 1]).read_text())["deployment"]
        deployment["pending_operations"] = []  # as engine 3.259 does
    elif (backend / "refresh-fails").exists():
        click.echo("error: the cloud does not answer", err=True)
        return 255
    else:
        resources: list[dict[str, Any]] = deployment["resources"]
        pending: list[dict[str, Any]] = deployment["pending_operations"]
        deployment["resources"] = [each for each in resources if each.get("id") != "ghost"]
        deployment["pending_operations"] = [each for each in pending if each["type"] == "creating"]
    file.write_text(json.dumps({"checkpoint": {"latest": deployment}}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
