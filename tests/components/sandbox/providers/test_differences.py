from portway.sandbox.providers.differences import Difference, Kind, compare
from portway.sandbox.providers.wire import ARCHIVE, SIGNATURE, UNKNOWN, secret


def archive(sha: str, path: str) -> dict[str, str]:
    return {SIGNATURE: ARCHIVE, "hash": sha, "path": path}


def test_equal_inputs_do_not_differ() -> None:
    inputs = {"a": 1, "b": [{"c": "d"}]}
    assert compare(inputs, inputs) == Difference({})


def test_changes_are_named_where_they_are() -> None:
    old = {"name": "x", "tags": {"team": "a", "old": "1"}, "ports": [{"port": 80}], "on": True}
    new = {
        "name": "x",
        "tags": {"team": "b", "a.b": "2"},
        "ports": [{"port": 81}, {"port": 82}],
        "on": 1,
    }
    assert compare(old, new).changed == {
        "on": Kind.UPDATE,
        "ports[0].port": Kind.UPDATE,
        "ports[1]": Kind.ADD,
        'tags["a.b"]': Kind.ADD,
        "tags.old": Kind.DELETE,
        "tags.team": Kind.UPDATE,
    }


def test_what_lies_beneath_a_forcing_property_forces_too() -> None:
    found = compare(
        {"template": {"x": 1}, "size": 1}, {"template": {"x": 2}, "size": 2}, replaces=["template"]
    )
    assert found.replacing == {"template.x"}


def test_a_star_stands_for_every_item_and_for_everything() -> None:
    old, new = {"items": [{"k": 1, "v": 1}]}, {"items": [{"k": 2, "v": 2}]}
    assert compare(old, new, replaces=["items[*].k"]).replacing == {"items[0].k"}
    assert compare(old, new, replaces=["*"]).replacing == {"items[0].k", "items[0].v"}


def test_the_same_archive_elsewhere_is_the_same() -> None:
    old = {"code": archive("1", "/a.zip")}
    assert compare(old, {"code": archive("1", "/b.zip")}).changed == {}
    assert compare(old, {"code": archive("2", "/a.zip")}).changed == {"code": Kind.UPDATE}


def test_a_secret_differs_by_its_value_not_by_its_wrapper() -> None:
    assert compare({"p": secret("x")}, {"p": "x"}).changed == {}
    assert compare({"p": secret("x")}, {"p": secret("y")}).changed == {"p": Kind.UPDATE}


def test_an_unknown_value_differs_and_forces_what_it_might_change() -> None:
    found = compare({"name": "x"}, {"name": UNKNOWN}, replaces=["name"])
    assert (found.changed, found.replacing) == ({"name": Kind.UPDATE}, {"name"})


def test_ignored_paths_do_not_count_nor_does_what_lies_beneath_them() -> None:
    old = {"labels": {"a": "1"}, "size": 1, "list": [{"x": 1, "y": 1}]}
    new = {"labels": {"a": "2"}, "size": 2, "list": [{"x": 2, "y": 2}]}
    assert compare(old, new, ignore=["labels", "list[*].x"]).changed == {
        "list[0].y": Kind.UPDATE,
        "size": Kind.UPDATE,
    }
