from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portway.sandbox.providers import wire

SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    return st.lists(inner, max_size=3) | objects


PLAIN = st.recursive(SCALARS, containers, max_leaves=8)
MARKED = st.recursive(
    SCALARS, lambda inner: containers(inner) | inner.map(wire.secret), max_leaves=8
)
ROOTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), MARKED, max_size=4)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), PLAIN, max_size=4))
def test_values_survive_the_wire_and_whole_numbers_stay_whole(values: wire.Json) -> None:
    there_and_back = wire.from_struct(wire.to_struct(values))
    assert there_and_back == values
    assert wire.has_secret(there_and_back) is False


@given(ROOTS)
def test_secrets_taken_off_are_put_back_where_they_were(values: wire.Json) -> None:
    bare = wire.bare(values)
    assert not wire.has_secret(bare)
    again = wire.rewrap(bare, values)
    assert wire.bare(again) == bare
    assert wire.has_secret(again) == wire.has_secret(values)


def test_a_list_that_changed_its_length_is_secret_as_a_whole() -> None:
    like = {"keys": [wire.secret("a"), "b"]}
    assert wire.rewrap({"keys": ["a"]}, like) == {"keys": wire.secret(["a"])}


def test_an_unknown_is_found_at_any_depth_even_inside_a_secret() -> None:
    assert wire.has_unknown({"a": [{"b": wire.secret(wire.UNKNOWN)}]})
    assert not wire.has_unknown({"a": [{"b": "known"}]})


def test_an_output_value_and_a_resource_reference_become_what_they_stand_for() -> None:
    output = {wire.SIGNATURE: wire.OUTPUT, "value": "x", "secret": True}
    reference = {wire.SIGNATURE: wire.RESOURCE, "urn": "urn", "id": "the-id"}
    unknown = {wire.SIGNATURE: wire.OUTPUT}
    assert wire.bare([output, reference, unknown]) == ["x", "the-id", wire.UNKNOWN]


def test_keys_a_cloud_keeps_for_itself_do_not_leave_it() -> None:
    assert wire.without_internal({"__object": "sha", "name": "x"}) == {"name": "x"}
