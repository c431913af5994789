"""Reading properties that may be missing, unknown or secret."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.gate.values import UNKNOWN, Known, Missing, Unknown, View, shown, steps

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(UNKNOWN)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("tree", "path", "expected"),
    [
        ({"a": {"b": "x"}}, "a.b", Known("a.b", "x")),
        ({"a": 3.0}, "a", Known("a", 3)),
        ({"a": 0.5}, "a", Known("a", 0.5)),
        ({"a": False}, "a", Known("a", value=False)),
        ({"a": None}, "a", Missing("a")),
        ({}, "a.b", Missing("a.b")),
        ({"a": "text"}, "a.b", Missing("a.b")),
        ({"a": UNKNOWN}, "a.b.c", Unknown("a")),
        (UNKNOWN, "a", Unknown("")),
        ({"a": "[secret]"}, "a", Unknown("a")),
        ({"a.b": {"c": 1}}, '["a.b"].c', Known('["a.b"].c', 1)),
        ({"a": [{"b": 1}]}, "a[0].b", Known("a[0].b", 1)),
        ({"a": []}, "a[0].b", Missing("a[0].b")),
    ],
)
def test_a_property_is_known_unknown_or_missing(tree: Any, path: str, expected: object) -> None:
    assert View(tree).get(path) == expected


def test_a_list_is_walked_whole_and_one_unknown_hides_no_other() -> None:
    tree = {"replicas": [{"region": "eu-west-1"}, {"region": UNKNOWN}, {}, UNKNOWN]}
    assert View(tree).every("replicas[].region") == (
        Known("replicas[0].region", "eu-west-1"),
        Unknown("replicas[1].region"),
        Unknown("replicas[3]"),
    )


def test_the_first_path_with_anything_set_is_the_one_read() -> None:
    view = View({"location": None, "region": UNKNOWN, "zone": "europe-west4-a"})
    assert view.first(("location", "region", "zone")) == (Unknown("region"),)


def test_leaves_reach_into_documents_that_are_text() -> None:
    tree = {"env": {"PLAIN": "x", "SETTINGS": '{"models": ["a", {"b": 1}]}', "BROKEN": "{oops"}}
    assert list(View(tree).leaves("env", "env")) == [
        Known("env.PLAIN", "x"),
        Known("env.SETTINGS.models[0]", "a"),
        Known("env.SETTINGS.models[1].b", 1),
        Known("env.BROKEN", "{oops"),
    ]


def test_a_path_is_names_positions_and_walks() -> None:
    path = 'spec.containers[].resources.limits["nvidia.com/gpu"][2]'
    assert steps(path) == ("spec", "containers", None, "resources", "limits", "nvidia.com/gpu", 2)


@given(_TREES, st.sampled_from(["a", "a[].b", "a.b[]", '["x.y"]', ""]))
def test_no_tree_makes_reading_raise(tree: Any, path: str) -> None:
    view = View(tree)
    for seen in (*view.every(path), *view.leaves(path)):
        assert isinstance(seen, Known | Unknown)


@given(st.text(min_size=1))
def test_a_text_that_is_no_place_is_never_repeated(text: str) -> None:
    words = shown(f"hunter2 {text}")
    assert words == f"a text of {len(text) + 8} characters"


@pytest.mark.parametrize("place", ["us-central1", "EU", "europe-west4-a", "eu-west-1", "global"])
def test_a_place_is_shown_as_it_was_written(place: str) -> None:
    assert shown(place) == place
