"""Advice on the configuration: what is about to end, what nothing needs, what refuses nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from portway.gate.config import LEVEL, CostConfig, PackConfig, ResidencyConfig
from portway.gate.exemption import Exemption, soon
from portway.gate.run import Policies, StackReport


def notes(
    policies: Policies, reports: Sequence[StackReport], today: date, *, every_stack: bool
) -> tuple[str, ...]:
    """What the owner of the configuration should know after this run.

    Args:
        policies: with the configuration of each pack.
        reports: of the stacks that were judged.
        today: UTC.
        every_stack: whether these are all stacks that the configuration is for; only then does it
            mean something that nothing speaks of an entry.
    """
    found: list[str] = []
    for pack, config in policies.configs.items():
        file = policies.files[pack].name
        found += [f"{file}: {text}" for text in _levels(policies.files[pack], pack)]
        found += [f"{file}: {text}" for text in _ending(config, today)]
        if every_stack:
            found += [f"{file}: {text}" for text in _unneeded(config, reports, today)]
        if every_stack and not any(one.record is None or one.faults for one in reports):
            found += [f"{file}: {text}" for text in _unmentioned(config, reports)]
    found += [f"{one.stack}: {said}" for one in reports if (said := _stale(one))]
    return tuple(found)


def _stale(report: StackReport) -> str:
    """On old rates, where the rule on their age says nothing because more is allowed."""
    said = () if report.record is None else report.record.reported
    if report.costs is None or any(one.rule == "cost-rates-are-fresh" for one in said):
        return ""
    return report.costs.stale


def _levels(file: Path, pack: str) -> Iterator[str]:
    """A level for a whole policy is ordinary Pulumi configuration, and can open the gate."""
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for policy, said in content.items():
        level = cast("Mapping[str, Any]", said).get(LEVEL) if isinstance(said, dict) else said
        if level == "advisory" and policy in ("all", pack, f"{pack}-whole-stack"):
            yield f"{policy} is advisory, so nothing that it finds is refused; make it mandatory"


def _ending(config: PackConfig, today: date) -> Iterator[str]:
    for one in config.exemptions:
        left = one.days_left(today)
        if one.has_expired(today):
            yield f"{one} expired on {one.expires} and has no effect; remove it"
        elif left is not None:
            yield f"{one} ends {soon(left)}, on {one.expires}; mend what it is for, or renew it"


def _unneeded(config: PackConfig, reports: Sequence[StackReport], today: date) -> Iterator[str]:
    judged = {report.stack for report in reports if report.record is not None}
    for one in config.exemptions:
        # Of an exemption for one stack that was judged, the pack itself says so.
        said_already = one.has_expired(today) or one.stack in judged
        if not said_already and not _is_needed(one, reports):
            yield f"{one} covers nothing that any stack is refused for; remove it"


def _is_needed(exemption: Exemption, reports: Sequence[StackReport]) -> bool:
    return any(
        exemption.covers(said.rule, said.urn)
        for report in reports
        if report.record is not None
        for said in report.record.reported
    )


def _unmentioned(config: PackConfig, reports: Sequence[StackReport]) -> Iterator[str]:
    """What no stack speaks of; every one of ``reports`` has a record."""
    if isinstance(config, ResidencyConfig):
        yield from _unspoken(config, reports)
    if isinstance(config, ResidencyConfig | CostConfig):
        lacking = {
            said.rule for one in reports if one.record is not None for said in one.record.reported
        }
        for rule in config.elsewhere:
            if rule not in lacking:
                yield f"elsewhere.{rule}: no stack lacks anything that this rule looks for; remove it"


def _unspoken(config: ResidencyConfig, reports: Sequence[StackReport]) -> Iterator[str]:
    texts = frozenset[str]().union(*(one.record.texts for one in reports if one.record is not None))
    whole = "\n".join(sorted(texts))
    for key in ("clusters", "buckets"):
        for name in getattr(config, key):
            if name not in whole:
                yield f"{key}.{name}: no stack speaks of it; remove it, or correct the name"
    words = {word.casefold() for text in texts for word in _hosts(text)}
    for host in config.hosts:
        if not any(fnmatchcase(word, host.casefold()) for word in words):
            yield f"hosts: no stack calls {host}; remove it"


def _hosts(text: str) -> list[str]:
    """Whatever in ``text`` could be a host name."""
    kept = "".join(letter if letter.isalnum() or letter in ".-" else " " for letter in text)
    return [word.strip(".-") for word in kept.split() if "." in word]
