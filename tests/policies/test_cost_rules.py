"""What holds of the rules of the cost pack whatever a program says, tried on their own examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from portway.gate.rule import Rule
from portway.gate.session import Finding
from portway.gate.testing import Given
from portway.gate.testing.given import NotKnown
from support.changes import changed, nodes
from support.judgements import KINDS, examples, judged, pack
from support.packs import example_resources

SECRET: Final = "Hunter2/No+Place=="
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 10**30, float("inf"), "", "-1", "1e400", "9" * 400, "٣", "[", "{\"a\": [1]}",
    [], {}, [None], [[{}]], [NotKnown(), {}], {"": None}, {"a": {"b": []}}, {"key": {}, "maximum": []},
    [{"name": 1, "exactly": 3}], [{"nodes": [], "reasons": 3}], NotKnown(), "x" * 5000,
)  # fmt: skip
RULES: Final[tuple[Rule[Any], ...]] = pack("cost").rules


def of(rule: Rule[Any]) -> Iterator[tuple[Mapping[str, Any], tuple[Given, ...]]]:
    """The examples of ``rule``: what is configured, and the resources."""
    said = examples("cost", rule.id)
    for kind in KINDS:
        for example in said.get(kind, ()):
            yield example.get("config", said["config"]), example_resources(example)


def findings(
    rule: Rule[Any], config: Mapping[str, Any], given: Sequence[Given]
) -> tuple[Finding, ...]:
    return tuple(judged((rule,), pack("cost").configure({"cost": config}), given, {}))


def with_every_value(given: Sequence[Given], others: Sequence[Any]) -> Iterator[Sequence[Given]]:
    """``given`` with one value after the other put in the place of another; each stands in turn."""
    turn = 0
    for number, one in enumerate(given):
        for path, _ in nodes(one.props):
            turn += 1
            props = changed(one.props, path, others[turn % len(others)])
            yield (*given[:number], replace(one, props=props), *given[number + 1 :])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_value_breaks_a_rule(rule: Rule[Any]) -> None:
    broken = [
        one.text
        for offset, (config, given) in enumerate(of(rule))
        for changed_ in with_every_value(given, ODD[offset % len(ODD) :] + ODD[: offset % len(ODD)])
        for one in findings(rule, config, changed_)
        if one.violation.path == "rule"
    ]
    assert broken == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_text_of_a_program_is_repeated(rule: Rule[Any]) -> None:
    repeated = [
        one.text
        for config, given in of(rule)
        for changed_ in with_every_value(given, (SECRET,))
        for one in findings(rule, config, changed_)
        if SECRET in one.text
    ]
    assert repeated == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_is_refused_says_what_to_do(rule: Rule[Any]) -> None:
    silent = [
        one.text
        for config, given in of(rule)
        for one in findings(rule, config, given)
        if ";" not in one.text and " so " not in one.text and ":" not in one.text
    ]
    assert silent == []
