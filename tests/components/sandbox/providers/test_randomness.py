import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.sandbox.providers import wire
from portway.sandbox.providers.randomness import characters, check_text
from support.plugin import Plugin

PASSWORD = "index/randomPassword:RandomPassword"


@pytest.fixture
def random(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "random")


@given(
    st.integers(8, 40), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)
)
def test_a_text_has_its_length_its_minimums_and_only_what_was_allowed(
    length: int, lower: int, numeric: int, special: int, capitals: int
) -> None:
    text = characters(
        {
            "length": length, "minLower": lower, "minNumeric": numeric, "minSpecial": special,
            "upper": bool(capitals), "overrideSpecial": "_",
        }
    )  # fmt: skip
    assert len(text) == length
    assert sum(one in string.ascii_lowercase for one in text) >= lower
    assert sum(one in string.digits for one in text) >= numeric
    assert text.count("_") >= special
    assert set(text) <= set(
        string.ascii_lowercase + string.digits + "_" + string.ascii_uppercase * capitals
    )


def test_a_password_is_secret_made_once_and_plain_letters_and_digits_without_specials(
    random: Plugin,
) -> None:
    made = random.create(PASSWORD, "key", {"length": 40, "special": False})
    assert wire.is_secret(made.outputs["result"])
    assert wire.bare(made.outputs["result"]).isalnum()
    found = random.read(PASSWORD, "key", made.id, made)
    assert found
    assert found.outputs == made.outputs
    assert random.preview(PASSWORD, "key", {"length": 40})["result"] == wire.secret(wire.UNKNOWN)


def test_two_passwords_differ_and_keepers_replace_one(random: Plugin) -> None:
    first = random.create(PASSWORD, "a", {"length": 20, "keepers": {"v": "1"}})
    second = random.create(PASSWORD, "a", {"length": 20, "keepers": {"v": "1"}})
    assert first.outputs["result"] != second.outputs["result"]
    found = random.diff(first, {"length": 20, "keepers": {"v": "2"}})
    assert (list(found.replaces), found.deleteBeforeReplace) == (["keepers"], False)


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"length": 0}, "length"),
        ({"length": 2, "minLower": 2, "minUpper": 1}, "length"),
        (
            {"length": 8, "lower": False, "upper": False, "numeric": False, "special": False},
            "special",
        ),
    ],
)
def test_a_password_that_cannot_be_is_refused(inputs: wire.Json, path: str) -> None:
    assert [failure.path for failure in check_text(inputs)] == [path]


def test_the_other_values_have_their_own_shapes(random: Plugin) -> None:
    number = random.create("index/randomInteger:RandomInteger", "n", {"min": 3, "max": 3})
    identifier = random.create("index/randomId:RandomId", "i", {"byteLength": 4})
    pet = random.create("index/randomPet:RandomPet", "p", {"length": 3, "separator": "_"})
    shuffled = random.create("index/randomShuffle:RandomShuffle", "s", {"inputs": ["a", "b"], "resultCount": 1})  # fmt: skip
    unique = random.create("index/randomUuid:RandomUuid", "u", {})
    assert number.outputs["result"] == 3
    assert int(identifier.outputs["hex"], 16) == int(identifier.outputs["dec"])
    assert len(pet.id.split("_")) == 3
    assert shuffled.outputs["results"][0] in ("a", "b")
    assert len(unique.outputs["result"]) == 36
