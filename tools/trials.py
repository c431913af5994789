"""Tries mutants: runs the tests that reach each, in a fork of one pytest that has collected them once.

A plugin of pytest. In place of running the tests it first runs each in a fork, to see which lines of
the rules it reaches, then every mutant in a fork of its own, until a test fails: first the test that
killed it last time, then those that killed other mutants of its function, its own, and the quick ones. What
a mutant could have spoiled in a cache is computed anew in each fork; nothing else is, which makes a
trial a matter of milliseconds.
"""

import gc
import os
import pickle
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from coverage import Coverage
from hypothesis import Phase, settings

from mutants import Mutant, put_in
from portway.gate import pack

SURVIVED, UNREACHED, TIMED_OUT = "survived", "no test reaches it", "(in time)"
_MEMORY_BYTES = 4 * 1024**3
_GUESS_SECONDS = 0.05
_EVERY_LINE = -1


@dataclass(frozen=True)
class Reach:
    """What one test runs of the rules, by file a bit for each line, and how long it takes."""

    seconds: float
    lines: dict[str, int]


@dataclass
class Trials:
    """The plugin.

    Attributes:
        mutants: what to try, in this order.
        files: everything that mutants may be made of.
        last: by key of a mutant, the test that killed it last time.
        until: when to stop, by ``time.monotonic``.
        patience_seconds: how long tests are run for one mutant, at most, by how long they took before.
        kept: where it is kept what the tests reach, while neither they nor the rules change.
        own_only: run for each mutant the tests named after its module alone, whatever they reach.
        tell: is told each verdict as soon as it is known: the test that fails, or why none does.
        warm_up: runs much of what the tests run, so that what no mutant changes is loaded once.
    """

    mutants: Sequence[Mutant]
    files: frozenset[str]
    last: dict[str, str]
    until: float
    patience_seconds: float
    kept: Path
    own_only: bool
    tell: Callable[[Mutant, str], None]
    warm_up: Callable[[], object]
    _killers: dict[str, Counter[str]] = field(default_factory=dict)
    _reach: dict[str, Reach] = field(default_factory=dict)

    def pytest_sessionstart(self) -> None:
        """Packs are loaded once, so that there is one function to change; examples are not shrunk."""
        loaded: dict[Path, pack.Pack] = {}
        load = pack.load_pack

        def load_once(folder: Path) -> pack.Pack:
            if folder not in loaded:
                loaded[folder] = load(folder)
            return loaded[folder]

        pack.load_pack = load_once
        settings.register_profile(
            "once", settings.get_profile("same-every-time"), phases=[Phase.explicit, Phase.generate]
        )
        settings.load_profile("once")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of running the tests."""
        self.warm_up()
        _forget(self.files)
        gc.collect()
        gc.freeze()
        items = {item.nodeid: item for item in session.items}
        self._see(items)
        for mutant in self.mutants:
            if time.monotonic() > self.until:
                break
            self.tell(mutant, self._tried(mutant, items))
        return True

    def _see(self, items: dict[str, pytest.Item]) -> None:
        if self.own_only:
            for file in {one.file for one in self.mutants}:
                for name in filter(lambda name, file=file: _is_own(name, file), items):
                    self._reach[name] = Reach(_GUESS_SECONDS, {str(file): _EVERY_LINE})
            return
        if self.kept.exists():
            self._reach = pickle.loads(self.kept.read_bytes())  # noqa: S301 - written below
        if self._reach.keys() == items.keys():
            return
        seen = _forked(lambda: _reached(items, self.files))
        if not isinstance(seen, dict):
            raise pytest.UsageError(f"fails with nothing changed: {seen or 'a test, at once'}")
        self._reach = seen
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        self.kept.write_bytes(pickle.dumps(seen))

    def _tried(self, mutant: Mutant, items: dict[str, pytest.Item]) -> str:
        names = self._in_order(mutant)
        if not names:
            return UNREACHED
        module = sys.modules[mutant.name.rpartition(".x")[0]]
        said = _forked(lambda: _first_failure(mutant, module, names, items, self._reach))
        killer = said if isinstance(said, str) else TIMED_OUT
        if killer != SURVIVED:
            for place in (_function(mutant), mutant.file.stem):
                self._killers.setdefault(place, Counter())[killer] += 1
        return killer

    def _in_order(self, mutant: Mutant) -> list[str]:
        wanted = sum(1 << line for line in mutant.lines)
        file = str(mutant.file)
        reaching = [name for name, one in self._reach.items() if one.lines.get(file, 0) & wanted]
        of_function = self._killers.get(_function(mutant), Counter())
        of_module = self._killers.get(mutant.file.stem, Counter())
        last = self.last.get(mutant.key)

        def late(name: str) -> tuple[bool, int, bool, int, float]:
            is_own = _is_own(name, mutant.file)
            seconds = self._reach[name].seconds
            return (name != last, -of_function[name], not is_own, -of_module[name], seconds)

        ordered = sorted(reaching, key=late)
        spent = accumulate(self._reach[name].seconds for name in ordered)
        return [
            name
            for name, after in zip(ordered, spent, strict=True)
            if after <= self.patience_seconds
        ] or ordered[:1]


def _is_own(test: str, file: Path) -> bool:
    """Whether ``test`` is of the examples of the rule in ``file``, or of that very module."""
    return f"-{file.stem.replace('_', '-')}-" in test or f"test_{file.stem}.py" in test


def _function(mutant: Mutant) -> str:
    return mutant.name.rpartition("__mutmut_")[0]


def _first_failure(
    mutant: Mutant,
    module: Any,  # noqa: ANN401 - a module
    names: Sequence[str],
    items: dict[str, pytest.Item],
    reach: dict[str, Reach],
) -> str:
    """The test that fails, once the function is changed."""
    try:
        put_in(mutant, module)
    except Exception:  # noqa: BLE001 - what cannot even be defined is noticed at once
        return "(its definition)"
    for name in names:
        signal.setitimer(signal.ITIMER_VIRTUAL, 3 + 10 * reach[name].seconds)
        if _fails(items[name]):
            return name
    return SURVIVED


def _fails(item: pytest.Item) -> bool:
    return any(one.failed for one in runtestprotocol(item, log=False, nextitem=None))


def _reached(items: dict[str, pytest.Item], files: frozenset[str]) -> dict[str, Reach] | str:
    """What each test runs of ``files``; or the name of the first that fails."""
    seen = Coverage(data_file=None, config_file=False, include=sorted(files))
    seconds: dict[str, float] = {}
    seen.start()
    for name, item in items.items():
        _forget(files)
        seen.switch_context(name)
        began = time.process_time()
        if _fails(item):
            return name
        seconds[name] = time.process_time() - began
    seen.stop()
    data = seen.get_data()
    lines: dict[str, dict[str, int]] = {name: {} for name in items}
    for file in data.measured_files():
        for line, names in data.contexts_by_lineno(file).items():
            for name in names:
                if name in lines:
                    lines[name][file] = lines[name].get(file, 0) | 1 << line
    return {name: Reach(seconds[name], lines[name]) for name in items}


def _forget(files: frozenset[str]) -> None:
    """Empty the caches of the modules that mutants change."""
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) in files:
            for value in vars(module).values():
                clear = getattr(value, "cache_clear", None)
                if callable(clear):
                    clear()


def _forked(work: Callable[[], object]) -> object:
    """What ``work`` returns in a fork; None when that ends in another way."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            _quiet()
            with os.fdopen(write, "wb") as answer:
                answer.write(pickle.dumps(work()))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return pickle.loads(said) if said else None  # noqa: S301 - our own process wrote it


def _quiet() -> None:
    gc.disable()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
