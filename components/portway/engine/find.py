"""Which engine is used, first hit wins: PATH, the cache, the official installer, a build."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portway.engine import build as go_build
from portway.engine import installer
from portway.engine.cache import cache_root, engine_root, fill, look_in, slots, sweep, take_lock
from portway.engine.engine import Engine, Origin, run_version
from portway.engine.progress import Progress, phase, silent
from portway.engine.version import MINIMUM, Version
from portway.errors import Missing

WAYS_OUT = (
    f"Do one of these: install Pulumi {MINIMUM} or newer with its official installer "
    "(https://www.pulumi.com/docs/install/) and put it on PATH; "
    "or install Go (https://go.dev/dl/), and Portway builds the engine itself."
)


@dataclass(frozen=True)
class Sources:
    """The outside world of the search, replaced in tests.

    Attributes:
        search_path: PATH to look for ``pulumi`` in.
        cache: the cache's root.
        version_of: runs an executable; raises Missing when it does not run.
        fetch_script: the official installer's script, or None when offline.
        install: script, folder, log, progress.
        build: folder, log, progress.
    """

    search_path: str
    cache: Path
    version_of: Callable[[Path], Version] = run_version
    fetch_script: Callable[[], bytes | None] = installer.fetch_script
    install: Callable[[bytes, Path, Path, Progress], None] = installer.install
    build: Callable[[Path, Path, Progress], None] = go_build.build

    @classmethod
    def of_this_machine(cls) -> "Sources":
        """PATH and the user's cache."""
        return cls(os.environ.get("PATH", os.defpath), cache_root())


def find_engine(sources: Sources | None = None) -> Engine:
    """The engine that would be used now, without getting one.

    Raises:
        Missing: the one on PATH is too old or broken, or there is none at all.
    """
    source = sources or Sources.of_this_machine()
    found = _on_path(source) or _in_cache(source)
    if found is None:
        raise Missing(
            "there is no Pulumi engine yet; run `python -m portway.engine ensure`, "
            f"which gets one. {WAYS_OUT}"
        )
    return found


def ensure_engine(progress: Progress = silent, sources: Sources | None = None) -> Engine:
    """The engine to use; installs or builds one when there is none.

    Safe when several start at once (one works, the others wait), and after being killed.

    Raises:
        Missing: the one on PATH is too old or broken, or none can be had; says what to do.
    """
    source = sources or Sources.of_this_machine()
    found = _on_path(source) or _in_cache(source)
    if found is not None:
        return found
    engines = engine_root(source.cache)
    engines.mkdir(parents=True, exist_ok=True)
    lock = take_lock(engines / "lock", "the engine", progress)
    try:
        sweep(engines)
        return _in_cache(source) or _get(source, progress)
    finally:
        lock.release()


def choose(found: Path, version: Version) -> Engine:
    """Accept the engine found on PATH.

    Raises:
        Missing: it is older than Portway drives.
    """
    if version < MINIMUM:
        raise Missing(
            f"pulumi {version} at {found} is too old: Portway needs {MINIMUM} or newer. "
            "Upgrade it (https://www.pulumi.com/docs/install/), or take it off PATH and Portway "
            "gets an engine of its own."
        )
    return Engine(found, version, Origin.PATH)


def _on_path(source: Sources) -> Engine | None:
    found = shutil.which("pulumi", path=source.search_path)
    if found is None:
        return None
    path = Path(found)
    if path.resolve().is_relative_to(engine_root(source.cache).resolve()):
        return None
    return choose(path, source.version_of(path))


def _in_cache(source: Sources) -> Engine | None:
    for origin, slot in slots(engine_root(source.cache), go_build.RECIPE).items():
        found = look_in(slot, origin)
        if found is not None:
            return found
    return None


def _get(source: Sources, progress: Progress) -> Engine:
    engines = engine_root(source.cache)
    places = slots(engines, go_build.RECIPE)
    refusals: list[str] = []
    with phase("looking for the official installer", progress):
        script = source.fetch_script()
    if script is None:
        refusals.append("the official installer is not reachable from here")
    else:
        try:
            return fill(
                places[Origin.INSTALLED],
                Origin.INSTALLED,
                lambda part: source.install(script, part, engines / "install.log", progress),
            )
        except Missing as error:
            refusals.append(str(error))
    try:
        return fill(
            places[Origin.BUILT],
            Origin.BUILT,
            lambda part: source.build(part, engines / "build.log", progress),
        )
    except Missing as error:
        refusals.append(str(error))
    reasons = "\n".join(f"- {reason}" for reason in refusals)
    raise Missing(f"no Pulumi engine can be had here:\n{reasons}\n{WAYS_OUT}")
