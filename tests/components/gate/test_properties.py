"""What holds of the residency pack whatever the resources: measured on the corpus and on arbitrary JSON."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.report import Case, cases
from portway.gate.config import PackConfig
from portway.gate.judged import FAMILIES, family
from portway.gate.session import Finding, Level
from portway.gate.testing import UNKNOWN, Given, component, judge, resource, secret
from portway.gate.testing.given import from_document
from portway.residency.boundary import country_of
from support.changes import (
    changed,
    each_leaf,
    in_partition,
    leaves,
    reordered,
    with_props,
)
from support.judgements import judged, pack
from support.packs import POLICIES

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
LEAKING = tuple(case for case in cases() if case.leaks)
MARK = "hunter2"


@cache
def given_of(case: Case) -> tuple[Given, ...]:
    return from_document(case.resources)


@cache
def config_of(case: Case) -> PackConfig:
    return pack("residency").configure({"residency": case.config})


def providers_of(case: Case) -> Mapping[str, Mapping[str, Any]]:
    rows = [{"type": f"pulumi:providers:{one}", "props": p} for one, p in case.providers.items()]
    return {given.package: given.props for given in from_document(rows)}


def said(case: Case, resources: Sequence[Given] | None = None) -> tuple[Finding, ...]:
    given = given_of(case) if resources is None else resources
    rules = pack("residency").rules
    return tuple(judged(rules, config_of(case), given, providers_of(case)))


def refusals(findings: Sequence[Finding]) -> set[tuple[str, str | None, str]]:
    return {
        (one.rule, one.violation.urn, one.violation.path)
        for one in findings
        if one.level is Level.MANDATORY
    }


def changed_set(case: Case, change: Callable[[Any], Any]) -> tuple[Given, ...]:
    return tuple(with_props(given, change) for given in given_of(case))


def is_refused(findings: Sequence[Finding]) -> bool:
    return any(one.level is Level.MANDATORY for one in findings)


@QUICK
@given(st.randoms(use_true_random=False))
def test_verdicts_do_not_depend_on_the_order_of_keys(random: Random) -> None:
    case = random.choice(cases())
    other = changed_set(case, lambda props: reordered(props, random))
    assert refusals(said(case, other)) == refusals(said(case))


PLACE = re.compile(r"[a-z]{2,}(-[a-z]+)+-?\d[a-z\d-]*")
SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "in capitals": str.upper,
    "with a capital": str.title,
    "after a space": lambda place: f" {place}",
    "before a line's end": lambda place: f"{place}\n",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_verdicts_do_not_depend_on_how_a_place_is_spelt(spelling: str) -> None:
    def respelt(leaf: object) -> object:
        if isinstance(leaf, str) and PLACE.fullmatch(leaf) and country_of(leaf) is not None:
            return SPELLINGS[spelling](leaf)
        return leaf

    different = [
        case.id
        for case in cases()
        if is_refused(said(case, changed_set(case, lambda props: each_leaf(props, respelt))))
        is not case.leaks
    ]
    assert different == []


@pytest.mark.parametrize("partition", ["aws-us-gov", "aws-cn", "aws-eusc"])
def test_verdicts_do_not_depend_on_the_partition_of_an_arn(partition: str) -> None:
    moved = in_partition(partition)
    different = [
        case.id
        for case in cases()
        if is_refused(said(case, changed_set(case, lambda props: each_leaf(props, moved))))
        is not case.leaks
    ]
    assert different == []


@QUICK
@given(st.sampled_from(cases()))
def test_a_secret_is_judged_like_the_value_in_it(case: Case) -> None:
    config, defaults = case.config, providers_of(case)
    folder = POLICIES / "residency"
    open_ = judge(given_of(case), folder, config, defaults=defaults)
    hidden = changed_set(case, lambda props: each_leaf(props, secret))
    assert judge(hidden, folder, config, defaults=defaults) == open_


def test_no_unknown_turns_a_refusal_into_a_pass() -> None:
    """Of properties that no resource of the stack is a source of: one would explain the unknown."""
    passed = [
        (case.id, given.name, path)
        for case in LEAKING
        for number, given in enumerate(given_of(case))
        for path, _ in leaves(given.props)
        if "Output(" not in repr(given.props[str(path[0])])
        and not is_refused(
            said(case, _with_leaf(case, number, changed(given.props, path, UNKNOWN)))
        )
    ]
    assert passed == []


def test_no_unknown_property_turns_a_refusal_into_a_pass() -> None:
    passed = [
        (case.id, given.name, name)
        for case in LEAKING
        for number, given in enumerate(given_of(case))
        for name in given.props
        if not is_refused(said(case, _with_leaf(case, number, {**given.props, name: UNKNOWN})))
    ]
    assert passed == []


def _with_leaf(case: Case, number: int, props: Mapping[str, Any]) -> tuple[Given, ...]:
    given = list(given_of(case))
    given[number] = replace(given[number], props=props)
    return tuple(given)


ABSENCES = frozenset(rule.id for rule in pack("residency").rules if rule.judge is None)


def unrelated(case: Case, other: Case) -> tuple[Given, ...]:
    """The resources of ``other``, renamed, as an unrelated part of the stack of ``case``.

    Unrelated means: nothing in ``case`` refers to any of them, by output, by parent, by provider or
    by a name that one of them has; what would become known through such a reference may rightly
    become a pass. For the same reason absences are left out: their point is that something is added.
    """
    words = {str(leaf) for given in given_of(case) for _, leaf in leaves(given.props)}
    text = "\n".join(words)
    added: list[Given] = []
    for one in given_of(other):
        own = {leaf for _, leaf in leaves(one.props) if isinstance(leaf, str)}
        is_named = any(len(word) > 2 and word in text for word in own)
        if one.provider is None and not is_named and "Output(" not in repr(one.props):
            added.append(replace(one, name=f"{one.name}-added", parent=None, depends_on={}))
    return tuple(added)


@settings(QUICK, max_examples=200)
@given(st.sampled_from(LEAKING), st.sampled_from(cases()), st.sampled_from(["before", "after"]))
def test_an_unrelated_resource_never_removes_a_violation(
    case: Case, other: Case, where: str
) -> None:
    added = unrelated(case, other)
    both = (*added, *given_of(case)) if where == "before" else (*given_of(case), *added)
    before = {one for one in refusals(said(case)) if one[0] not in ABSENCES}
    assert before <= refusals(said(case, both))


@pytest.mark.parametrize("form", ["{} {}", "{}/{}"])
def test_no_message_repeats_a_secret(form: str) -> None:
    def marked(leaf: object) -> object:
        return secret(form.format(leaf, MARK)) if isinstance(leaf, str) else leaf

    told = [
        one.text
        for case in cases()
        for one in said(case, changed_set(case, lambda props: each_leaf(props, marked)))
        if MARK in one.text
    ]
    assert told == []


def test_no_message_repeats_the_credentials_in_an_address() -> None:
    address = f"https://user:{MARK}@api.elsewhere.io/{MARK}?key={MARK}#{MARK}"

    def marked(leaf: object) -> object:
        return secret(address) if isinstance(leaf, str) else leaf

    told = [
        one.text
        for case in cases()
        for one in said(case, changed_set(case, lambda props: each_leaf(props, marked)))
        if MARK in one.text
    ]
    assert told == []


ODD: tuple[Any, ...] = (
    None, "", " ", "\x00", "{", '{"a": 1}', "[[1]]", "arn:", "arn:aws:s3:::", "https://", "projects//",
    0, -1, 1e300, True, [], [None], [[]], {}, {"": {"": []}}, {"a": None}, UNKNOWN, [UNKNOWN],
    [{"a": [UNKNOWN, 1]}], "x" * 5000, "\N{SNOWMAN}.example", "*", "${}", "{{}}",
)  # fmt: skip
JSON = st.recursive(
    st.sampled_from(ODD) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.just("region"), inner, max_size=3)
    ),
    max_leaves=6,
)


def at(path: str, value: object) -> dict[str, Any]:
    """Properties in which ``value`` stands at ``path`` (``[]`` makes a list of one)."""
    for step in reversed(path.replace("[]", ".[]").split(".")):
        value = [value] if step == "[]" else {step: value}
    return cast("dict[str, Any]", value)


@cache
def rows() -> tuple[tuple[str, str], ...]:
    """Every type and path of the judged tables."""
    every = ((row.type, row.path) for name in FAMILIES for row in family(name))
    return tuple(dict.fromkeys((token.replace("*", "x"), path) for token, path in every))


def broken(resources: Sequence[Given]) -> Iterator[str]:
    config = pack("residency").configure({"residency": {"boundary": "eu"}})
    for one in judged(pack("residency").rules, config, resources, {}):
        if one.violation.path == "rule":
            yield one.text


def test_odd_values_raise_at_no_property_of_the_tables() -> None:
    resources = [
        resource(token, f"it-{number}", at(path, ODD[number % len(ODD)]))
        for number, (token, path) in enumerate(rows())
    ]
    for start in range(0, len(resources), 100):
        assert list(broken(resources[start : start + 100])) == []


@QUICK
@given(st.sampled_from(rows()), JSON, JSON)
def test_arbitrary_json_raises_at_no_property_of_the_tables(
    row: tuple[str, str], value: object, whole: object
) -> None:
    token, path = row
    properties = {path.split(".")[0].rstrip("[]"): whole}
    both = [resource(token, "a", at(path, value)), resource(token, "b", properties)]
    assert list(broken(both)) == []


@QUICK
@given(st.sampled_from(cases()), st.randoms(use_true_random=False), JSON)
def test_arbitrary_json_raises_nowhere_in_a_real_stack(
    case: Case, random: Random, value: object
) -> None:
    changed_ = [
        with_props(given, lambda props: changed(props, random.choice(list(_ways(props))), value))
        for given in given_of(case)
        if given.props
    ]
    assert list(broken([*changed_, component("a:b:C", "c", {"x": value})])) == []


def _ways(props: object) -> Iterator[tuple[str | int, ...]]:
    """The way to every scalar, and to everything on the way."""
    for path, _ in leaves(props):
        yield from (path[:length] for length in range(1, len(path) + 1))
    yield ("none",)
