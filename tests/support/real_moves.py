"""A service in the sandbox behind its door, moved by the real command, and what is left looked at."""

import json
import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from portway.cli.compare import both_sides
from portway.estimates import estimate_plan
from portway.portability.clients import Counts
from portway.portability.compare import compare
from portway.pricing.money import HOURS_PER_MONTH
from portway.sandbox.layout import Layout
from portway.sandbox.unfinished import stack_of, unsettled
from portway.spec.traffic import Traffic
from support.killing import made_more_than_once
from support.sandbox_project import PORTWAY, ROOT, STACKS, SandboxProject, portway, start, stop

SOURCE, DESTINATION, THIRD = STACKS
DOOR = "chat.prod.door"
DOOR_FILE = f"""config:
  portway:spec: specs/chat.yaml
  portway:door: {{kind: cloud-run, region: europe-west4, weights: {{{SOURCE}: 100}}}}
  gcp:project: acme-inference
"""
SPEC_FILE = "stacks/specs/chat.yaml"
LIMITS_FILE = "policies/cost.json"
SCALING = "{min: 1, max: 2, concurrency: 8}"
ROOMY = "{min: 1, max: 1, concurrency: 64}"
"""Every end has room for all clients at once: 429 would be right, and is not what is looked for."""
LENIENT = ("--max-slower", "1000", "--accept-identity", "unknown")
"""What else the machine has to do says nothing about an end."""
LONGEST_SECONDS = 3600
"""Minutes, where the machine has nothing else to do."""
MODEL = "ministral-3-8b"
_NEW_VERSION = "secretVersion:SecretVersion"
_DAY_SECONDS = 86_400
_PROBE_SECONDS = 30
"""As declared. The sandbox's own haste would kill, on a busy machine, what no platform would."""


def _raised() -> str:
    """What the organisation allows, with room for as many tokens as all clients could ask for."""
    limits: dict[str, dict[str, Any]] = json.loads((ROOT / LIMITS_FILE).read_text())
    limits["cost"]["monthly_ceiling_usd"] = 20_000
    return json.dumps(limits)


@contextmanager
def living_service(
    folder: Path, token_seconds: float = 0.01, door: str = DOOR_FILE
) -> Generator[SandboxProject]:
    """A running sandbox with the source and the door; a token is said every ``token_seconds``."""
    roomy = (ROOT / SPEC_FILE).read_text().replace(SCALING, ROOMY).replace(" 2500}", " 20000}")
    assert ROOMY in roomy
    pace = {
        "PORTWAY_SANDBOX_TOKEN_DELAY_SECONDS": str(token_seconds),
        "PORTWAY_SANDBOX_STEADY_PROBE_SECONDS": str(_PROBE_SECONDS),
    }
    os.environ.update(pace)
    try:
        project = start(
            folder,
            {f"stacks/Pulumi.{DOOR}.yaml": door, SPEC_FILE: roomy, LIMITS_FILE: _raised()},
        )
    finally:
        for name in pace:
            del os.environ[name]
    try:
        for stack in (SOURCE, DOOR):
            assert project.pulumi("stack", "init", stack).returncode == 0
            done = project.pulumi("up", "--yes", "--skip-preview", "--stack", stack)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield project
    finally:
        stop(project)


def own_environment() -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1"}


def migrate(
    project: SandboxProject,
    source: str,
    destination: str,
    *words: str,
    limits: tuple[str, ...] = LENIENT,
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (str(PORTWAY), "migrate", source, destination, *words, *limits), cwd=project.folder,
        capture_output=True, text=True, env=own_environment(), check=False,
        timeout=LONGEST_SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def status(project: SandboxProject, source: str, destination: str) -> dict[str, Any]:
    """What ``--status --json`` says of the migration."""
    said = migrate(project, source, destination, "--status", "--json").stdout
    found: dict[str, Any] = json.loads(said)["migration"]
    return found


def of_stack(project: SandboxProject, stack: str) -> list[str]:
    """What the clouds have of ``stack``."""
    return [row.key.id for row in project.store.all() if stack_of(row) == stack]


def orphans(project: SandboxProject) -> Mapping[str, object]:
    """What the clouds have and no state knows, and what a state has begun and not ended; by stack."""
    return unsettled(Layout.of_project(project.folder), project.store)


def created_twice(project: SandboxProject) -> set[str]:
    """Of what the clouds had two at a time. New weights are a new version before the old one goes."""
    return {
        urn
        for urn in made_more_than_once(project.store)
        if not (f":{DOOR}::" in urn and _NEW_VERSION in urn)
    }


def no_orphan_and_nothing_twice(project: SandboxProject) -> None:
    assert created_twice(project) == set()
    assert orphans(project) == {}


def no_client_noticed(counts: Counts, at_least: int) -> None:
    assert counts.wrong == 0, str(counts)
    assert counts.answered > at_least, str(counts)


class Stood:
    """Every state that any stack ever had: the file backend keeps each."""

    def __init__(self, project: SandboxProject) -> None:
        self._project = project
        self._seen = set(self._files())

    def judged(self, into: Path) -> int:
        """Both packs over every state since the last call; returns how many, fails at a refusal."""
        new = [file for file in self._files() if file not in self._seen]
        self._seen.update(new)
        into.mkdir(exist_ok=True)
        words: list[str] = []
        for file in new:
            kept = json.loads(file.read_text())["checkpoint"]["latest"]
            if kept.get("resources"):
                exported = into / f"{file.name.removesuffix('.checkpoint.json')}.json"
                exported.write_text(json.dumps({"version": 3, "deployment": kept}))
                words += ["--state", str(exported)]
        done = portway(self._project.folder, "gate", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return len(words) // 2

    def _files(self) -> list[Path]:
        history = Layout.of_project(self._project.folder).state / ".pulumi" / "history"
        return sorted(history.glob("*/*/*.checkpoint.json"))


@dataclass(frozen=True)
class Cost:
    """USD an hour while both ends ran: by what clients asked, on both ends at once; and at most."""

    ran: Decimal
    bound: Decimal


def cost_while_both_ran(
    project: SandboxProject, source: str, destination: str, asked: Counts, seconds: float
) -> Cost:
    """As the estimates price the traffic that there was, ``asked`` in ``seconds``."""
    each = max(1, asked.answered)
    traffic = Traffic(
        requests_per_day=round(asked.answered / seconds * _DAY_SECONDS),
        input_tokens=max(1, round(asked.prompt_tokens / each)),
        output_tokens=max(1, round(asked.answer_tokens / each)),
    )
    sides = both_sides(project.folder, source, destination)
    bound = compare(*sides).both
    assert bound is not None
    ran = Decimal(0)
    for side in sides:
        spec = side.spec.model_copy(update={"traffic": traffic})
        monthly = estimate_plan(side.target, side.plan, spec, side.model).estimate.monthly
        assert monthly is not None
        ran += monthly.expected / HOURS_PER_MONTH
    return Cost(round(ran, 2), bound.at_most)


def since(counts: Counts, before: Counts) -> Counts:
    """What was counted in between."""
    names = ("answered", "failed", "cut", "twice", "prompt_tokens", "answer_tokens")
    return Counts(**{name: getattr(counts, name) - getattr(before, name) for name in names})


def now(counts: Counts) -> Counts:
    """A copy."""
    return since(counts, Counts())


def events_of(file: Path) -> list[dict[str, str]]:
    """What the event log of a migration says."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [cast("dict[str, str]", json.loads(line)) for line in lines]
