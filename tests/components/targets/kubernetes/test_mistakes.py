"""What the API server says of common mistakes, and why no plan of ours ever hears it.

Every mistake is answered in one of three ways: a placement that asks for it is refused with a reason, a
rule of the packs refuses a program that makes it, or a plan cannot say it. ``MISTAKES`` lists them all,
so that one without an answer fails here.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from portway.errors import Refused
from portway.sandbox.controlplane.admission import missing_references
from portway.sandbox.controlplane.defaults import with_defaults
from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.rules import check_change, check_object
from portway.targets.kubernetes.shapes import KubernetesPlan
from support import builders, golden
from support.kubernetes_claims import BUILT, pods
from support.kubernetes_mistakes import CHANGES, MISTAKES, PACKED, REFUSED, SAID

Json = dict[str, Any]
POLICIES = Path(__file__).parents[4] / "policies"


def planned(scaling: Json | None = None, options: Json | None = None) -> KubernetesPlan:
    wanted = builders.spec(scaling={"min": 1, "max": 2, "concurrency": 8, **(scaling or {})})
    place = builders.placement("kubernetes", options=options or {})
    return cast("KubernetesPlan", builders.plan(wanted, place))


def plans() -> Iterator[tuple[str, Json]]:
    """Every plan that the golden files keep, as plain data."""
    for path in sorted(golden.GOLDEN.glob("*@kubernetes.plan.json")):
        yield path.name, json.loads(path.read_text())


@pytest.mark.parametrize("name", REFUSED)
def test_a_placement_that_makes_the_mistake_is_refused(name: str) -> None:
    scaling, options, path, words = REFUSED[name]
    with pytest.raises(Refused) as reasons:
        planned(scaling, options)
    said = [problem.message for problem in reasons.value.problems if problem.path == path]
    assert any(words in message for message in said), str(reasons.value)


@pytest.mark.parametrize("name", SAID)
def test_the_api_would_say_it_of_a_plan_that_was_changed_so(name: str) -> None:
    role, edit = SAID[name]
    obj = json.loads(json.dumps(planned().objects[role]))
    check_object(with_defaults(obj))
    edit(obj)
    with pytest.raises(ApiError) as said:
        check_object(with_defaults(obj))
    assert MISTAKES[name] in str(said.value.message)


@pytest.mark.parametrize("name", BUILT)
def test_no_plan_can_say_it(name: str) -> None:
    assert [case for case, plan in plans() if not BUILT[name](plan["objects"])] == []


@pytest.mark.parametrize("name", CHANGES)
def test_another_placement_changes_only_what_may_change(name: str) -> None:
    before, after, role = CHANGES[name]
    old, new = (json.loads(json.dumps(planned(options=each).objects[role])) for each in (before, after))  # fmt: skip
    assert old != new
    if old["metadata"] == new["metadata"]:
        check_change(with_defaults(old), with_defaults(new))


@pytest.mark.parametrize("name", PACKED)
def test_a_rule_of_the_packs_refuses_it_everywhere(name: str) -> None:
    pack, _, rule = PACKED[name].partition("-")
    examples = POLICIES / pack / "rules" / f"{rule.replace('-', '_')}.examples.yaml"
    text = examples.read_text()
    assert "bad:" in text
    assert "kubernetes:" in text.partition("bad:")[2]


def exists(known: set[tuple[str, str, str]]) -> Callable[[str, str, str], bool]:
    return lambda version, kind, name: (version, kind, name) in known


def test_every_pod_finds_what_it_refers_to() -> None:
    for case, plan in plans():
        objects = plan["objects"].values()
        there = {(obj["apiVersion"], obj["kind"], obj["metadata"]["name"]) for obj in objects}
        known = {*there, ("scheduling.k8s.io/v1", "PriorityClass", "production")}
        for pod in pods(plan["objects"]):
            assert list(missing_references(pod, exists(known))) == [], case


def test_every_mistake_has_an_answer() -> None:
    answered = {*REFUSED, *SAID, *BUILT, *CHANGES, *PACKED}
    assert answered == set(MISTAKES)
