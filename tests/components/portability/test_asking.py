"""What is asked of real ends, and what is counted of the answers."""

import json
import socket
from pathlib import Path

import pytest

from portway.errors import BadInput
from portway.portability.asking import HttpAsker, read_prompts, shipped_prompts
from portway.portability.clients import asking
from portway.portability.world import End
from support.scripted_end import CUT, SAME_ID, SILENT, STRANGE, WHOLE, scripted_end
from support.waiting import until

KEY = "sk-very-secret"


def end(url: str) -> End:
    return End("b", url, KEY, "m")


def asker(samples: int = 1) -> HttpAsker:
    return HttpAsker(shipped_prompts(), 5.0, samples)


def test_a_whole_answer_is_text_times_and_tokens() -> None:
    with scripted_end(WHOLE) as (url, script):
        (sample,) = asker().sample(end(f"{url}/v1"))
    assert (sample.text, sample.prompt_tokens, sample.answer_tokens, sample.error) == (
        "one two", 7, 2, "",
    )  # fmt: skip
    assert 0 < sample.first_token_seconds <= sample.seconds
    assert script.keys == {f"Bearer {KEY}"}
    assert (script.asked[0]["temperature"], script.asked[0]["stream"]) == (0, True)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (500, "HTTP 500"),
        (CUT, "the stream was cut"),
        (SILENT, "no text came"),
        (STRANGE, "an event is not of the documented shape"),
    ],
)
def test_what_goes_wrong_is_an_error_and_asked_once(answer: str | int, error: str) -> None:
    with scripted_end(answer) as (url, script):
        (sample,) = asker().sample(end(url))
    assert (sample.text, sample.error, len(script.asked)) == ("", error, 1)


def test_too_many_requests_are_tried_again_as_the_official_client_does() -> None:
    with scripted_end(429, 429, WHOLE) as (url, script):
        (sample,) = asker().sample(end(url))
    assert (sample.error, len(script.asked)) == ("", 3)
    with scripted_end(429) as (url, script):
        (sample,) = asker().sample(end(url))
    assert (sample.error, len(script.asked)) == ("HTTP 429", 3)


def test_an_end_that_is_not_there_is_an_error_without_its_key() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (sample,) = asker().sample(End("b", f"http://127.0.0.1:{port}/{KEY}", KEY, "m"))
    assert sample.error.startswith("ConnectError")
    assert KEY not in sample.error
    assert KEY not in repr(end("http://b"))


def test_a_replay_asks_both_ends_the_same(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi."}]
    file.write_text(json.dumps({"prompt": "A client's words."}) + "\n\n" + json.dumps({"messages": messages}))  # fmt: skip
    with scripted_end(WHOLE) as (one, first), scripted_end(WHOLE) as (other, second):
        pairs = HttpAsker(read_prompts(file), 5.0).replay(end(one), end(other))
    assert [pair.prompt for pair in pairs] == ["prompt 1", "prompt 3"], "named, never quoted"
    for script in (first, second):
        assert sorted(len(body["messages"]) for body in script.asked) == [1, 2]


def test_prompts_that_are_none_are_told_by_line(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "x"}\nnothing\n{"messages": []}\n[1]\n')
    with pytest.raises(BadInput) as refused:
        read_prompts(file)
    assert [problem.where for problem in refused.value.problems] == [
        f"{file}:2", f"{file}:3", f"{file}:4",
    ]  # fmt: skip
    file.write_text("\n")
    with pytest.raises(BadInput, match="holds no prompt"):
        read_prompts(file)


def test_clients_count_whatever_they_would_complain_about() -> None:
    script = (WHOLE, 500, CUT, SAME_ID, SAME_ID, WHOLE)
    with (
        scripted_end(*script) as (url, told),
        asking(url, KEY, "m", clients=1) as counts,
    ):
        until(lambda: len(told.asked) > len(script), "one answer more than the script has")
    assert (counts.failed, counts.cut, counts.twice, counts.wrong) == (1, 1, 1, 3)
    assert counts.answered == len(told.asked) - 3
    assert KEY not in str(counts)
