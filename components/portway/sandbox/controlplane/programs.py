"""The control plane's programs, built from their Go modules and kept for every clone of this user.

Two programs: ``controlplane`` is kube-apiserver, kube-controller-manager, kube-scheduler, kwok and the
maker of certificates in one file; ``etcd`` is a module of its own, because its libraries are pinned to
other versions. Nothing is downloaded but Go modules, as the machine's Go is set up to get them.
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from portway.engine.cache import cache_root, new_part, sweep, take_lock
from portway.engine.go_tool import compile_modules, go_or_missing
from portway.engine.progress import Progress, silent
from portway.errors import Missing

KUBERNETES_VERSION = "v1.36.4"
ETCD_VERSION = "v3.6.12"
KWOK_VERSION = "v0.8.0"

_MODULES = Path(__file__).parent / "go"
_NEEDED_GIB = 6
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
# Without the stamp /version says v0.0.0-master, by which clients choose what they may use.
_STAMP = {
    "gitVersion": KUBERNETES_VERSION,
    "gitMajor": _MAJOR,
    "gitMinor": _MINOR,
    "gitTreeState": "clean",
    "gitCommit": "unknown",
    "buildDate": "1970-01-01T00:00:00Z",
}
_STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


@dataclass(frozen=True)
class Programs:
    """Where the two programs are."""

    controlplane: Path
    etcd: Path


@dataclass(frozen=True)
class _Module:
    folder: str
    program: str
    flags: tuple[str, ...]
    took: str


_LINK = " ".join(
    ["-s -w", *(f"-X {package}.{name}={value}" for package in _STAMPED for name, value in _STAMP.items())]
)  # fmt: skip
# Two compilers at once: each may take a gigabyte, and a build leaves the machine to its user.
_COMMON = ("-v", "-p", "2", "-trimpath", "-ldflags")
_BUILDS = (
    _Module("etcd", "etcd", (*_COMMON, "-s -w"), f"building etcd {ETCD_VERSION}"),
    _Module(
        "kubernetes",
        "controlplane",
        (*_COMMON, _LINK),
        f"building Kubernetes {KUBERNETES_VERSION} (3 to 8 minutes on 2 cores)",
    ),
)


def slot(cache: Path | None = None) -> Path:
    """The folder the programs are in once they are built; another one when what is built changes."""
    root = (cache if cache is not None else cache_root()) / "controlplane"
    digest = hashlib.sha256()
    for module in _BUILDS:
        digest.update(" ".join(module.flags).encode())
        for file in sorted((_MODULES / module.folder).iterdir()):
            digest.update(f"{module.folder}/{file.name}\n".encode() + file.read_bytes())
    return root / f"{KUBERNETES_VERSION}-{digest.hexdigest()[:12]}"


def find_programs(cache: Path | None = None) -> Programs | None:
    """The programs, when they are built already."""
    folder = slot(cache)
    found = Programs(folder / "controlplane", folder / "etcd")
    return found if found.controlplane.is_file() and found.etcd.is_file() else None


def ensure_programs(progress: Progress = silent, cache: Path | None = None) -> Programs:
    """The programs; built when they are not there: about 5 minutes and 6 GiB the first time.

    Safe when several start at once (one builds, the others wait), and after being killed: what was
    compiled stays in Go's own cache.

    Raises:
        Missing: there is no Go, or a build failed; says what to do.
    """
    found = find_programs(cache)
    if found is not None:
        return found
    folder = slot(cache)
    lock = take_lock(folder.parent / "lock", "the Kubernetes control plane", progress)
    try:
        sweep(folder.parent)
        return find_programs(cache) or _build(folder, progress)
    finally:
        lock.release()


def _build(folder: Path, progress: Progress) -> Programs:
    go = go_or_missing("build a Kubernetes control plane")
    part = new_part(folder.parent)
    try:
        for module in _BUILDS:
            source = part / "src" / module.folder
            shutil.copytree(_MODULES / module.folder, source)
            command = [str(go), "build", *module.flags, "-o", str(part / module.program), "."]
            compile_modules(
                [*_politely(), *command], source, folder.parent / f"{module.program}.log", progress,
                what="the control plane", took=module.took, needed_gib=_NEEDED_GIB,
            )  # fmt: skip
        _check(part / "controlplane")
        shutil.rmtree(part / "src")
        part.chmod(0o755)
        if folder.exists():
            folder.rename(folder.parent / f"{part.name}-old")
        part.rename(folder)
    finally:
        sweep(folder.parent)
    return Programs(folder / "controlplane", folder / "etcd")


def _politely() -> list[str]:
    nice = shutil.which("nice", path=os.defpath)
    return [nice, "-n", "5"] if nice else []


def _check(controlplane: Path) -> None:
    asked = [str(controlplane), "kube-apiserver", "--version"]
    said = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stdout
    if said.strip() != f"Kubernetes {KUBERNETES_VERSION}":
        raise Missing(f"the control plane that was built says {said.strip() or 'nothing'!r}, not {KUBERNETES_VERSION}")  # fmt: skip
