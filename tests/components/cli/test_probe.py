"""``portway probe``: a table, a document, exit codes, and never a key in what it says."""

import io
import sys

import pytest

from support.command_line import CommandLine
from support.fake_vllm import FakeVllm

KEY = "sk-secret-0123"
MODEL = "served-name"


def test_what_breaks_is_named_with_what_was_seen_and_exit_1(
    portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTWAY_API_KEY", KEY)
    with FakeVllm() as vllm:
        people = portway("probe", vllm.url, "--model", MODEL, "--only", "models-*")
        programs = portway("probe", f"{vllm.url}/v1/", "--model", MODEL, "--only", "models-*", "--json")  # fmt: skip
    assert (people.code, programs.code) == (1, 1)
    assert "models-unknown" in people.out
    assert "a model that does not exist is 404 model_not_found" in people.out
    found = programs.json
    assert list(found) == ["url", "model", "held", "declined", "broken", "checks"]
    assert found["held"] + found["declined"] + found["broken"] == len(found["checks"]) == 5
    assert list(found["checks"][0]) == ["id", "claim", "ended", "detail", "seconds"]
    assert KEY not in people.out + people.err + programs.out + programs.err


def test_an_endpoint_that_keeps_what_was_asked_is_exit_0(portway: CommandLine) -> None:
    with FakeVllm() as vllm:
        ran = portway("probe", vllm.url, "--api-key", KEY, "--model", MODEL, "--only", "chat-shape")
    assert (ran.code, ran.err) == (0, "")
    assert "1 checks: 1 held, 0 declined, 0 broken" in ran.out


def test_a_key_may_come_from_standard_input(
    portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{KEY}\n"))
    with FakeVllm() as vllm:
        ran = portway("probe", vllm.url, "--api-key", "-", "--model", MODEL, "--only", "chat-shape")
    assert ran.code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("127.0.0.1:1", "--api-key", "k", "--model", "m"), "give an address with http:// or https://"),
        (("http://127.0.0.1:1", "--model", "m"), "PORTWAY_API_KEY"),
        (("http://127.0.0.1:1", "--api-key", "a\nb", "--model", "m"), "is missing or no line of text"),
        (("http://127.0.0.1:1", "--api-key", "k"), "--model"),
        (("http://127.0.0.1:1", "--api-key", "k", "--model", "m", "--only", "x"), "no check is called that"),
        (("http://127.0.0.1:1", "--api-key", "k", "--model", "m", "--at-once", "0"), "--at-once"),
    ],
)  # fmt: skip
def test_bad_input_is_exit_2(
    words: tuple[str, ...], message: str, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTWAY_API_KEY", raising=False)
    ran = portway("probe", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
