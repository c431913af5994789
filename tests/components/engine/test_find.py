"""Which engine is used, with the outside world replaced."""

import os
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from portway.engine.build import RECIPE
from portway.engine.cache import engine_root, slots
from portway.engine.engine import Engine, Origin, run_version
from portway.engine.find import Sources, ensure_engine, find_engine
from portway.engine.progress import Progress
from portway.engine.version import BUILT, Version
from portway.errors import Missing


@dataclass
class World:
    """A machine: what is on PATH, whether it is online, whether it has Go."""

    root: Path
    online: bool = False
    go: bool = True
    makes: str = str(BUILT)
    built: list[Path] = field(default_factory=list[Path])
    said: list[str] = field(default_factory=list[str])

    @property
    def path(self) -> Path:
        return self.root / "path"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def put(self, folder: Path, version: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        pulumi = folder / "pulumi"
        pulumi.write_text(f"#!/bin/sh\necho v{version}\n")
        pulumi.chmod(0o755)
        return pulumi

    def slot(self, origin: Origin) -> Path:
        return slots(engine_root(self.cache), RECIPE)[origin]

    def sources(self) -> Sources:
        return Sources(
            search_path=str(self.path),
            cache=self.cache,
            fetch_script=lambda: b"#!/bin/sh\n" if self.online else None,
            install=self._install,
            build=self._build,
        )

    def _install(self, script: bytes, into: Path, log: Path, progress: Progress) -> None:
        self.put(into / "bin", self.makes)

    def _build(self, into: Path, log: Path, progress: Progress) -> None:
        if not self.go:
            raise Missing("there is no Go on PATH to build the engine with")
        self.built.append(into)
        self.put(into / "bin", self.makes)

    def ensure(self) -> Engine:
        return ensure_engine(lambda phase, _seconds: self.said.append(phase), self.sources())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_engine_on_path_comes_first(world: World) -> None:
    world.online = True
    pulumi = world.put(world.path, "3.300.1")
    assert world.ensure() == Engine(pulumi, Version(3, 300, 1), Origin.PATH)
    assert world.said == []


def test_an_older_engine_on_path_is_named_and_refused(world: World) -> None:
    pulumi = world.put(world.path, "3.258.9")
    with pytest.raises(Missing) as refused:
        world.ensure()
    assert str(refused.value) == (
        f"pulumi 3.258.9 at {pulumi} is too old: Portway needs 3.259.0 or newer. "
        "Upgrade it (https://www.pulumi.com/docs/install/), or take it off PATH and Portway "
        "gets an engine of its own."
    )
    assert world.built == []


def test_an_engine_on_path_that_does_not_run_is_named(world: World) -> None:
    pulumi = world.put(world.path, "3.300.0")
    pulumi.write_text("#!/bin/sh\necho broken >&2\nexit 7\n")
    with pytest.raises(Missing, match=f"{pulumi} version` should print a version.*7.*broken"):
        world.ensure()


def test_the_cache_comes_before_the_installer(world: World) -> None:
    pulumi = world.put(world.slot(Origin.BUILT) / "bin", str(BUILT))
    world.online = True
    assert world.ensure() == Engine(pulumi, BUILT, Origin.BUILT)


def test_our_own_cached_engine_on_path_is_still_known_as_ours(world: World) -> None:
    pulumi = world.put(world.slot(Origin.BUILT) / "bin", str(BUILT))
    world.path.symlink_to(pulumi.parent)
    assert world.ensure() == Engine(pulumi, BUILT, Origin.BUILT)


def test_the_installer_comes_before_a_build(world: World) -> None:
    world.online = True
    assert world.ensure() == Engine(
        world.slot(Origin.INSTALLED) / "bin" / "pulumi", BUILT, Origin.INSTALLED
    )
    assert world.built == []


def test_an_installer_that_brings_another_version_gives_way_to_a_build(world: World) -> None:
    world.online = True
    sources = world.sources()
    world.makes = "3.1.0"
    with pytest.raises(Missing) as refused:
        ensure_engine(sources=sources)
    assert "expected pulumi 3.259.0, got 3.1.0 (from the official installer)" in str(refused.value)
    assert "expected pulumi 3.259.0, got 3.1.0 (built from its Go modules)" in str(refused.value)
    assert list(engine_root(world.cache).glob("*/")) == []


def test_offline_an_engine_is_built_once_and_found_again(world: World) -> None:
    first = world.ensure()
    assert first == Engine(world.slot(Origin.BUILT) / "bin" / "pulumi", BUILT, Origin.BUILT)
    assert world.ensure() == find_engine(world.sources()) == first
    assert len(world.built) == 1


def test_without_internet_and_go_every_reason_and_every_way_out_is_said(world: World) -> None:
    world.go = False
    with pytest.raises(Missing) as refused:
        world.ensure()
    assert str(refused.value) == (
        "no Pulumi engine can be had here:\n"
        "- the official installer is not reachable from here\n"
        "- there is no Go on PATH to build the engine with\n"
        "Do one of these: install Pulumi 3.259.0 or newer with its official installer "
        "(https://www.pulumi.com/docs/install/) and put it on PATH; or install Go "
        "(https://go.dev/dl/), and Portway builds the engine itself."
    )


def test_a_broken_engine_in_the_cache_is_built_again(world: World) -> None:
    pulumi = world.put(world.slot(Origin.BUILT) / "bin", str(BUILT))
    pulumi.write_bytes(b"\x7fELF half a binary")
    with pytest.raises(Missing, match="no Pulumi engine yet"):
        find_engine(world.sources())
    assert world.ensure().version == run_version(pulumi) == BUILT
    assert len(world.built) == 1


def test_what_a_killed_build_left_is_swept(world: World) -> None:
    left = engine_root(world.cache) / "part-killed"
    world.put(left / "bin", str(BUILT))
    world.ensure()
    assert not left.exists()


def test_a_failed_build_leaves_nothing_half_made(world: World) -> None:
    sources = world.sources()

    def fail(into: Path, log: Path, progress: Progress) -> None:
        (into / "bin").mkdir()
        (into / "bin" / "pulumi").write_text("half")
        raise Missing(f"building the engine failed; its whole output is in {log}")

    broken = Sources(sources.search_path, sources.cache, fetch_script=lambda: None, build=fail)
    with pytest.raises(Missing, match=r"build\.log"):
        ensure_engine(sources=broken)
    assert list(engine_root(world.cache).glob("*/")) == []


def test_two_starts_at_once_build_once(world: World) -> None:
    inside, go_on = threading.Event(), threading.Event()
    sources = world.sources()

    def slow(into: Path, log: Path, progress: Progress) -> None:
        inside.set()
        assert go_on.wait(30)
        sources.build(into, log, progress)

    blocking = Sources(sources.search_path, sources.cache, fetch_script=lambda: None, build=slow)
    found: list[Engine] = []
    first = threading.Thread(target=lambda: found.append(ensure_engine(sources=blocking)))
    first.start()
    assert inside.wait(30)
    waiting = threading.Event()

    def hear(phase: str, _seconds: float) -> None:
        if "waiting" in phase:
            waiting.set()

    second = threading.Thread(target=lambda: found.append(ensure_engine(hear, blocking)))
    second.start()
    assert waiting.wait(30)
    go_on.set()
    first.join(30)
    second.join(30)
    assert len(found) == 2
    assert found[0] == found[1]
    assert len(world.built) == 1


def test_the_language_host_beside_an_engine_is_found_through_links(world: World) -> None:
    pulumi = world.put(world.root / "opt", "3.300.0")
    world.path.mkdir()
    (world.path / "pulumi").symlink_to(pulumi)
    assert world.ensure().bundled_language_host is None
    host = shutil.copy(pulumi, pulumi.parent / "pulumi-language-python")
    assert world.ensure().bundled_language_host == Path(host)


def test_an_engine_is_asked_for_its_version_without_the_surrounding_pulumi_settings(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_OPTION_CWD", "/nowhere")
    pulumi = world.put(world.path, "3.300.0")
    pulumi.write_text('#!/bin/sh\n[ -z "$PULUMI_OPTION_CWD" ] && echo v3.300.0\n')
    assert run_version(pulumi) == Version(3, 300, 0)
    assert os.environ["PULUMI_OPTION_CWD"] == "/nowhere"
