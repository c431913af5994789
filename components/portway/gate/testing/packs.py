"""Any Python policy pack, opened without an engine."""

import os
import runpy
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi_policy
from pulumi.runtime import proto
from pulumi_policy import EnforcementLevel, Policy
from pulumi_policy.policy import (
    _PolicyAnalyzerServicer,  # pyright: ignore[reportPrivateUsage] - what the engine talks to
)

from portway.errors import BadInput, Missing, Problem
from portway.gate.config import LEVEL, LEVELS, MODELS
from portway.gate.pack import Pack, load_pack
from portway.gate.policy import Analyzer, PolicySet
from portway.gate.session import utc_today
from portway.gate.testing.wire import struct

_LEVELS = {
    EnforcementLevel.ADVISORY: proto.ADVISORY,
    EnforcementLevel.MANDATORY: proto.MANDATORY,
    EnforcementLevel.REMEDIATE: proto.REMEDIATE,
    EnforcementLevel.DISABLED: proto.DISABLED,
}
_BY_WORD = {level.value: on_the_wire for level, on_the_wire in _LEVELS.items()}
Config = Mapping[str, Any]


class _Served(BaseException):
    """Raised where a pack would begin to serve the engine: nothing after it ever runs."""

    def __init__(self, analyzer: _PolicyAnalyzerServicer, policies: list[Policy]) -> None:
        self.analyzer = analyzer
        self.policies = policies


@cache
def _portway_pack(folder: Path) -> Pack:
    return load_pack(folder)


def is_portways(folder: Path) -> bool:
    """Whether ``folder`` is laid out like the packs of this repository: one rule per file."""
    return folder.name in MODELS and (folder / "rules").is_dir()


def analyzer_of(
    folder: Path, config: Config, *, is_preview: bool, today: Callable[[], date] = utc_today
) -> Any:  # noqa: ANN401 - untyped in the SDK
    """The analyzer that the engine would start from ``folder``, configured.

    ``config`` is what ``--policy-pack-config`` holds (by policy name); for a pack of this repository,
    the options alone will do. ``today`` is what the exemptions of a pack of this repository count by.

    Raises:
        Missing: there is no policy pack in ``folder``.
        BadInput: the pack refuses the configuration.
    """
    where = folder.resolve()
    if is_portways(where):
        policies = PolicySet(_portway_pack(where), today)
        analyzer: Any = Analyzer(policies)
        known, names = policies.policies, policies.pack.policies
        said = config if set(config) <= {*names, "all"} else {names[0]: config}
    else:
        analyzer, known = _foreign(where)
        said = config
    stack = proto.AnalyzerStackConfigureRequest(stack="dev", project="project", dry_run=is_preview)
    analyzer.ConfigureStack(stack, None)
    analyzer.Configure(_request(known, said), _Context())
    return analyzer


def _request(policies: list[Policy], config: Config) -> proto.ConfigureAnalyzerRequest:
    request = proto.ConfigureAnalyzerRequest()
    everywhere = config.get("all")
    strange = sorted(set(config) - {policy.name for policy in policies} - {"all"})
    if strange:
        names = ", ".join(policy.name for policy in policies)
        raise BadInput([Problem(one, f"is not a policy; there are {names}") for one in strange])
    for policy in policies:
        one = request.policyConfig[policy.name]
        said = config.get(policy.name, everywhere if isinstance(everywhere, str) else {})
        options = {LEVEL: said} if isinstance(said, str) else dict(said)
        word = options.pop(LEVEL, None)
        level = policy.enforcement_level or EnforcementLevel.ADVISORY
        if word is not None and word not in _BY_WORD:
            raise BadInput(
                [Problem(f"{policy.name}.{LEVEL}", f"must be one of {', '.join(LEVELS)}")]
            )
        one.enforcementLevel = _LEVELS[level] if word is None else _BY_WORD[word]
        one.properties.CopyFrom(struct(options))
    return request


def _foreign(folder: Path) -> tuple[Any, list[Policy]]:
    """Run a pack's program up to where it would serve."""
    program = folder / "__main__.py"
    if not program.is_file():
        raise Missing(f"{folder} holds no __main__.py; name the folder of a Python policy pack")

    def serve(
        name: str,
        policies: list[Policy],
        enforcement_level: EnforcementLevel | None = None,
        *others: Any,  # noqa: ANN401 - untyped in the SDK
        **named: Any,  # noqa: ANN401 - untyped in the SDK
    ) -> None:
        level = enforcement_level or EnforcementLevel.ADVISORY
        for policy in policies:
            policy.enforcement_level = policy.enforcement_level or level
        servicer = _PolicyAnalyzerServicer(name, "0.0.1", policies, level, *others, **named)
        raise _Served(servicer, policies)

    with _inside(folder), patch.object(pulumi_policy, "PolicyPack", serve):
        try:
            runpy.run_path(str(program), run_name="__main__")
        except _Served as served:
            return served.analyzer, served.policies
    raise Missing(f"{program} makes no PolicyPack; a pack's program must end with one")


@contextmanager
def _inside(folder: Path) -> Generator[None]:
    """Packs read their own files and modules from where they are; two may share module names."""
    before, modules = Path.cwd(), dict(sys.modules)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        os.chdir(before)
        for name in set(sys.modules) - set(modules):
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]


class _Context:
    """Stands in for gRPC's: an aborted call is bad input."""

    def abort(self, _code: object, details: str) -> None:
        raise BadInput([Problem("", details)])
