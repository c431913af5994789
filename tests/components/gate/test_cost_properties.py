"""What holds of the cost pack whatever the resources: tried on every example of its rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portway.gate.session import Finding, Level
from portway.gate.testing import UNKNOWN, Given, resource
from support.changes import changed, each_leaf, nodes, reordered, with_props
from support.judgements import KINDS, examples, judged, pack
from support.packs import example_resources

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
MARK = "hunter2"
ODD: tuple[Any, ...] = (
    None,
    "",
    " ",
    "-1",
    "1e9",
    "NaN",
    -1,
    0,
    2.5,
    10**30,
    True,
    [],
    {},
    [None],
    [{}],
    {"": None},
)
JSON = st.recursive(
    st.sampled_from(ODD) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


@dataclass(frozen=True)
class Example:
    """One example of one rule."""

    rule: str
    name: str
    is_bad: bool
    config: Mapping[str, Any]
    resources: tuple[Given, ...]


@cache
def every() -> tuple[Example, ...]:
    return tuple(_read())


def _read() -> Iterator[Example]:
    for rule in pack("cost").rules:
        found = examples("cost", rule.id)
        for kind in KINDS:
            for one in found[kind]:
                config = one.get("config", found["config"])
                made = example_resources(one)
                yield Example(rule.id, one["name"], kind != "good", config, made)


def said(example: Example, resources: Sequence[Given] | None = None) -> tuple[Finding, ...]:
    config = pack("cost").configure({"cost": example.config})
    given_ = example.resources if resources is None else resources
    return tuple(judged(pack("cost").rules, config, given_, {}))


def refused(findings: Sequence[Finding]) -> set[tuple[str, str | None, str]]:
    return {
        (one.rule, one.violation.urn, one.violation.path)
        for one in findings
        if one.level is Level.MANDATORY
    }


EXAMPLES = st.sampled_from(every())


@QUICK
@given(EXAMPLES, st.randoms(use_true_random=False))
def test_verdicts_do_not_depend_on_the_order_of_keys(example: Example, random: Random) -> None:
    other = [with_props(one, lambda props: reordered(props, random)) for one in example.resources]
    assert refused(said(example, other)) == refused(said(example))


@QUICK
@given(EXAMPLES, st.randoms(use_true_random=False), JSON)
def test_arbitrary_json_breaks_no_rule(example: Example, random: Random, value: object) -> None:
    def change(props: Any) -> Any:
        found = list(nodes(props))
        return changed(props, random.choice(found)[0], value) if found else props

    found = said(example, [with_props(one, change) for one in example.resources])
    assert [one.text for one in found if "this rule broke" in one.text] == []


@QUICK
@given(EXAMPLES)
def test_no_message_repeats_a_text_that_may_be_a_secret(example: Example) -> None:
    def marked(leaf: object) -> object:
        return f"{leaf} {MARK}" if isinstance(leaf, str) else leaf

    other = [with_props(one, lambda props: each_leaf(props, marked)) for one in example.resources]
    assert [one.text for one in said(example, other) if MARK in one.text] == []


@QUICK
@given(EXAMPLES)
def test_an_unrelated_object_takes_nothing_back_that_is_refused(example: Example) -> None:
    unrelated = resource("aws:s3/bucketObject:BucketObject", "unrelated", {"key": "x"})
    assert refused(said(example)) <= refused(said(example, [*example.resources, unrelated]))


def test_what_is_refused_is_refused_too_when_it_is_known_only_after_deployment() -> None:
    """Every property of its own resource, of the rules that judge one resource by itself."""
    passes: list[str] = []
    for example in every():
        if not example.is_bad or example.rule not in ALONE or len(example.resources) != 1:
            continue
        one = example.resources[0]
        for name in one.props:
            other = with_props(one, lambda props, at=(name,): changed(props, at, UNKNOWN))
            if not any(found == example.rule for found, _, _ in refused(said(example, [other]))):
                passes.append(f"{example.rule}: {example.name}: {name}")
    assert passes == []


ALONE = frozenset(
    {
        "cost-callers-are-throttled",
        "cost-gpu-is-one-allowed",
        "cost-jobs-are-bounded",
        "cost-nothing-idles-unasked",
        "cost-nothing-is-committed",
    }
)
