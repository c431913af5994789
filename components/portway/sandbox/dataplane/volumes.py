"""Volumes as folders: written so that a reader never sees half a file."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from portway.sandbox.dataplane.containers import Mount

Files = Mapping[str, bytes | Path]
"""A volume's content: by path below it, the bytes or the file they are in. Empty for scratch space."""


@dataclass(frozen=True)
class Disk:
    """A volume that outlives its pods: a folder elsewhere."""

    folder: Path


def materialise(folder: Path, files: Files | Disk) -> None:
    """Make ``folder`` hold exactly ``files``; what is already right is not touched.

    A volume without files is scratch space: whatever containers wrote there stays.
    """
    if isinstance(files, Disk):
        files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not folder.is_symlink():
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.symlink_to(files.folder)
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in files.items():
        target = folder / name
        data = content.read_bytes() if isinstance(content, Path) else content
        if target.is_file() and target.read_bytes() == data:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        partial.write_bytes(data)
        partial.chmod(0o600)
        partial.replace(target)
    if files:
        _remove_others(folder, files)


def attach(rootfs: Path, volumes: Path, mounts: Iterable[Mount]) -> None:
    """Make every mount visible under ``rootfs``: a link to its volume's folder."""
    (rootfs / "tmp").mkdir(parents=True, exist_ok=True, mode=0o700)
    for mount in sorted(mounts, key=lambda each: len(each.path)):
        place = rootfs / mount.path.strip("/")
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(volumes / mount.volume / mount.sub_path)


def _remove_others(folder: Path, files: Files) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if str(path.relative_to(folder)) not in files:
                path.unlink()
