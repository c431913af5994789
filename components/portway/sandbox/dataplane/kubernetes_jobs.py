"""Jobs that load weights from the hub: what would be downloaded to a disk lies there, as empty files.

Every other Job is recorded and does nothing.
"""

from collections.abc import Iterator

from portway.sandbox.dataplane.kubernetes_objects import (
    CLAIM,
    disk_of,
    name_of,
    neighbours,
    weights_files,
)
from portway.sandbox.dataplane.world import World, child, items, text
from portway.sandbox.store import Json, Row

JOB = "kubernetes:batch/v1:Job"
TARGET = "--local-dir"


def download(world: World) -> None:
    """Do what ``hf download … --local-dir …`` of every Job does to the disks that it mounts."""
    for job in world.of(JOB):
        pod = child(child(child(job.inputs, "spec"), "template"), "spec")
        claims = {text(one, "name"): text(child(one, "persistentVolumeClaim"), "claimName") for one in items(pod, "volumes")}  # fmt: skip
        for container in items(pod, "containers"):
            for claim, folder in _downloads(container, claims):
                _fill(world, job, claim, folder)


def _downloads(container: Json, claims: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The claims that a container downloads to, and the folder below each."""
    words = [str(word) for word in (*items(container, "command"), *items(container, "args"))]
    if words[:2] != ["hf", "download"] or TARGET not in words[:-1]:
        return
    wanted = words[words.index(TARGET) + 1]
    for mount in items(container, "volumeMounts"):
        below = text(mount, "mountPath").rstrip("/") + "/"
        claim = claims.get(text(mount, "name"))
        if claim and wanted.startswith(below):
            yield claim, wanted.removeprefix(below)


def _fill(world: World, job: Row, claim: str, folder: str) -> None:
    for row in neighbours(world, job, CLAIM):
        if name_of(row) != claim:
            continue
        for name, content in weights_files(folder).items():
            path = disk_of(row, world).folder / name
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                path.write_bytes(content)
