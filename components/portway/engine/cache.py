"""Where engines are kept: one folder a user, shared by every clone, filled by atomic renames."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from portway.engine.engine import Engine, Origin, run_version
from portway.engine.progress import Progress, phase
from portway.engine.version import BUILT
from portway.errors import Missing

_TEMPORARY = "part-"
_RECIPE = Path(__file__).parent / "go"


def cache_root() -> Path:
    """``$XDG_CACHE_HOME/portway``, else ``~/.cache/portway``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "portway"


def engine_root(root: Path | None = None) -> Path:
    """The folder that holds engines, their lock and their logs."""
    return (root if root is not None else cache_root()) / "engine"


def recipe_hash(recipe: str) -> str:
    """Twelve hex digits that change when the module files or the build ``recipe`` change."""
    digest = hashlib.sha256(recipe.encode())
    for name in ("go.mod", "go.sum"):
        digest.update((_RECIPE / name).read_bytes())
    return digest.hexdigest()[:12]


def slots(engines: Path, recipe: str) -> dict[Origin, Path]:
    """The two folders an engine of ours can be in, in the order they are preferred."""
    return {
        Origin.INSTALLED: engines / f"{BUILT}-official",
        Origin.BUILT: engines / f"{BUILT}-{recipe_hash(recipe)}",
    }


def look_in(slot: Path, origin: Origin) -> Engine | None:
    """The engine in ``slot``, or None when there is none or the one there is broken or too old."""
    pulumi = slot / "bin" / "pulumi"
    if not pulumi.is_file():
        return None
    try:
        version = run_version(pulumi)
    except Missing:
        return None
    return Engine(pulumi, version, origin) if version == BUILT else None


def fill(slot: Path, origin: Origin, make: Callable[[Path], None]) -> Engine:
    """Let ``make`` put ``bin/pulumi`` into a new folder; verify it, then move it to ``slot``.

    Call it with the lock held. What is at ``slot`` is replaced; a failure leaves it as it was.

    Raises:
        Missing: ``make`` failed, or what it made does not run or is another version.
    """
    part = new_part(slot.parent)
    try:
        make(part)
        version = run_version(part / "bin" / "pulumi")
        if version != BUILT:
            raise Missing(f"expected pulumi {BUILT}, got {version} ({origin.words})")
        part.chmod(0o755)
        if slot.exists():
            slot.rename(slot.parent / f"{part.name}-old")
        part.rename(slot)
    finally:
        sweep(slot.parent)
    return Engine(slot / "bin" / "pulumi", version, origin)


def new_part(slots_: Path) -> Path:
    """A new folder beside the slots, which ``sweep`` removes unless it is renamed."""
    slots_.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=slots_))


def take_lock(path: Path, what: str, progress: Progress) -> FileLock:
    """The lock at ``path``, once it is ours; who waits is told that another one gets ``what``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with phase(f"another Portway is getting {what}; waiting for it", progress):
            lock.acquire()
    return lock


def sweep(engines: Path) -> None:
    """Remove what killed runs left. Call it with the lock held."""
    for part in engines.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(part, ignore_errors=True)
