import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.errors import BadInput, Problem
from portway.spec.document import MAX_BYTES, Document, parse_document, read_document

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text("abcdef:.", min_size=1, max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def parsed(text: str) -> Document:
    return parse_document(text, "chat.yaml")


def fault(text: str) -> str:
    with pytest.raises(BadInput) as caught:
        parsed(text)
    return str(caught.value)


def test_values_are_plain_and_every_key_knows_its_line() -> None:
    document = parsed("name: chat\nscaling:\n  min: 0\n  max: 0x10\nweights: [1.5, yes, ~]\n")
    assert document.data == {
        "name": "chat",
        "scaling": {"min": 0, "max": 16},
        "weights": [1.5, "yes", None],
    }
    assert document.where(("scaling", "max")) == "chat.yaml:4"
    assert document.where(("weights", 2)) == "chat.yaml:5"


def test_what_is_absent_is_found_at_what_would_hold_it() -> None:
    document = parsed("name: chat\nscaling:\n  min: 0\n")
    assert document.where(("scaling", "max")) == "chat.yaml:2"
    assert document.where(("budget", "monthly_usd")) == "chat.yaml:1"


@settings(max_examples=60)
@given(st.dictionaries(st.text("abcdef:.", min_size=1, max_size=6), VALUES, min_size=1, max_size=5))
def test_json_reads_back_as_itself(value: dict[str, Any]) -> None:
    assert parsed(json.dumps(value)).data == value


def test_a_key_given_twice_is_named_with_both_lines_and_the_first_counts() -> None:
    document = parsed("a: 1\nb: 2\na: 3\n")
    assert document.data == {"a": 1, "b": 2}
    problem = Problem("a", "is given twice, first on line 1; keep one", "chat.yaml:3")
    assert document.problems == (problem,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "chat.yaml:1: the file is empty; describe the service or the stack in it"),
        ("# nothing\n", "chat.yaml:1: the file is empty; describe the service or the stack in it"),
        ("---\n", "chat.yaml:1: the file is empty; describe the service or the stack in it"),
        ("hello", "chat.yaml:1: holds text; write `key: value` lines"),
        ("\n- a\n", "chat.yaml:2: holds a list; write `key: value` lines"),
        (
            "a:\n\tb: 1\n",
            "chat.yaml:2: is not YAML: a tab stands where only spaces may; indent with spaces",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "chat.yaml:2: is not YAML: a second document starts here; keep one document in the file",
        ),
        (
            "a: b: c\n",
            "chat.yaml:1: is not YAML: mapping values are not allowed here; "
            "check quotes, brackets and indentation from this line up",
        ),
        ("? [a]\n: b\n", "chat.yaml:1: a key is not a word; write `key: value`"),
        ("a: &a [*a]\n", "chat.yaml:1: is nested too deeply; a spec is three levels deep"),
        (
            "a: 1\n\nb: " + "[" * 3000,
            "chat.yaml:3: is nested too deeply; a spec is three levels deep",
        ),
        (
            f"a:\n- [{'1, ' * 20_001}]\n",
            "chat.yaml:2: holds more than 10000 values; a spec is one page",
        ),
        (
            "a: \x00\n",
            "chat.yaml: is not YAML: unacceptable character #x0000: "
            "special characters are not allowed; save it as plain text",
        ),
    ],
)
def test_what_is_no_document_is_refused_with_its_line(text: str, said: str) -> None:
    assert fault(text) == said


def test_aliases_are_followed_but_never_without_measure() -> None:
    assert parsed("a: &x {m: 1}\nb: *x\n").data == {"a": {"m": 1}, "b": {"m": 1}}
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "holds more than 10000 values once its aliases are followed" in fault(bomb)


def test_a_tag_runs_nothing() -> None:
    assert parsed("a: !!python/object/apply:os.system [exit]\n").data == {"a": ["exit"]}


def test_a_figure_longer_than_any_stays_text() -> None:
    assert parsed(f"a: {'9' * 5000}\n").data == {"a": "9" * 5000}


def read_fault(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_document(path)
    return str(caught.value)


def test_what_is_no_readable_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    names = ("none.yaml", "folder", "latin.yaml", "huge.yaml", "circle.yaml", "pipe.yaml")
    assert {name: read_fault(tmp_path / name).replace(f"{tmp_path}/", "") for name in names} == {
        "none.yaml": "none.yaml: there is no such file; check its name, or write it with `portway new`",
        "folder": "folder: is a folder; give a YAML file",
        "latin.yaml": "latin.yaml:2: is not UTF-8 text; save the file as UTF-8",
        "huge.yaml": "huge.yaml: is larger than 256 KiB; a spec or a stack is one page",
        "circle.yaml": f"circle.yaml: cannot be read: {os.strerror(errno.ELOOP)}; check its permissions",
        "pipe.yaml": "pipe.yaml: is no ordinary file; give a YAML file",
    }  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes("\ufeffname: chat\n".encode())
    assert read_document(tmp_path / "bom.yaml").data == {"name": "chat"}


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_no_text_ends_in_anything_but_a_document_or_a_sentence(text: str) -> None:
    outcome: Document | None = None
    with contextlib.suppress(BadInput):
        outcome = parsed(text)
    assert outcome is None or isinstance(outcome.data, dict)
