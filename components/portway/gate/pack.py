"""A pack: a folder with rules, each beside its examples."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from portway.errors import Missing
from portway.gate.config import MODELS, CostConfig, PackConfig, follow, read_config, read_file
from portway.gate.rule import Rule
from portway.gate.session import utc_today

ADVICE = "-advice"
STACK = "-whole-stack"


@dataclass(frozen=True)
class Pack:
    """The rules of one pack.

    Attributes:
        name: ``residency`` or ``cost``.
        folder: where its ``PulumiPolicy.yaml`` is.
    """

    name: str
    folder: Path
    rules: tuple[Rule[Any], ...]

    @property
    def refusing(self) -> tuple[str, str]:
        """The two policies that refuse: one per resource, one per stack."""
        return (self.name, f"{self.name}{STACK}")

    @property
    def policies(self) -> tuple[str, ...]:
        """All policies: those that refuse and their twins that only report.

        The SDK knows no level per violation, so advice needs policies of its own.
        """
        return (*self.refusing, *(f"{name}{ADVICE}" for name in self.refusing))

    def twins(self, config: PackConfig) -> tuple[str, ...]:
        """The policies that only report and may have something to say under ``config``."""
        resource, stack = (f"{name}{ADVICE}" for name in self.refusing)
        if config.may_advise:
            return (resource, stack)
        advising = [rule for rule in self.rules if rule.advises]
        if any(rule.judge is not None for rule in advising):
            return (resource, stack)
        return (stack,) if advising else ()

    def configure(
        self, given: Mapping[str, Mapping[str, Any]], today: Callable[[], date] = utc_today
    ) -> PackConfig:
        """The configuration that policies named in ``given`` were given; the others follow.

        Files that it names are looked for from the folder in which the pack is.

        Raises:
            BadInput: lists everything wrong with it.
        """
        return self._read(follow(given), today(), self.folder.resolve().parent)

    def configure_from(self, file: Path, today: Callable[[], date] = utc_today) -> PackConfig:
        """The configuration in a ``--policy-pack-config`` file; files it names are relative to it.

        Raises:
            Missing: there is no such file.
            BadInput: lists everything wrong with it.
        """
        return self._read(read_file(file, self.policies), today(), file.resolve().parent)

    def _read(self, given: Mapping[str, Any], today: date, home: Path) -> PackConfig:
        config = read_config(MODELS[self.name], given, (r.id for r in self.rules), today)
        if isinstance(config, CostConfig) and config.baseline:
            files = tuple(str(home / file) for file in config.baseline)
            return config.model_copy(update={"baseline": files})
        return config


def load_pack(folder: Path) -> Pack:
    """The pack in ``folder``; every file in ``rules/`` is one rule, named as its id says.

    Raises:
        Missing: the folder holds no rules, or a file that is not one.
    """
    name = folder.resolve().name
    files = sorted((folder / "rules").glob("[!_]*.py"))
    if name not in MODELS or not files:
        raise Missing(f"{folder} is not a policy pack of Portway; restore it from version control")
    return Pack(name, folder, tuple(_rule(name, file) for file in files))


def _rule(pack: str, file: Path) -> Rule[Any]:
    """Two packs may hold files of one name, and a pack is no package: each gets its own module."""
    module_name = f"portway_rules_{pack}_{file.stem}"
    spec = spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise Missing(f"{file} cannot be loaded as a rule")
    module = module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    rule: Rule[Any] | None = getattr(module, "RULE", None)
    expected = f"{pack}-{file.stem.replace('_', '-')}"
    if not isinstance(rule, Rule) or rule.id != expected:
        raise Missing(f"{file} must define RULE, a Rule with the id {expected}")
    return rule
