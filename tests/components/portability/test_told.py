"""Why an operation of the engine failed, as a migration tells it."""

from typing import Any

from portway.engine.stack import Outcome
from portway.portability.told import what_failed

STACK = "chat.prod.cloud-run"


def failed(*messages: str, out_of_time: str = "") -> Outcome:
    events: tuple[dict[str, Any], ...] = tuple(
        {"diagnosticEvent": {"severity": "error", "message": one}} for one in messages
    )
    return Outcome(succeeded=False, stdout="", stderr="", events=events, out_of_time=out_of_time)


def test_what_nobody_knows_is_said_as_the_engine_said_it() -> None:
    assert what_failed(STACK, failed("a", "b")) == "a; b"
    assert what_failed(STACK, failed(out_of_time="it took over 9 s")) == "it took over 9 s"


def test_what_is_known_is_said_in_our_words_too_with_what_to_do() -> None:
    text = 'Post "https://run.googleapis.com/": googleapi: Error 503: Service Unavailable.'
    told = what_failed(STACK, failed(text))
    assert told.startswith(f"{text} In other words: ")
    assert "What to do: " in told
    assert "then `portway migrate` again" in told
