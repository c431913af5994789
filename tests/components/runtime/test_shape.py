"""The shape of answers, equal whatever stands behind."""

from portway.runtime import shape

WHO = shape.Identity("chatcmpl-1", 7, "m")
STAMP = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m"}


def test_the_last_piece_says_nothing_but_why_it_is_the_last() -> None:
    raw = {"choices": [{"delta": {"content": ""}, "finish_reason": "stop", "stop_reason": "END"}]}
    nothing: dict[str, object] = {}
    last = {"index": 0, "delta": nothing, "logprobs": None, "finish_reason": "stop"}
    assert shape.chunk(raw, WHO, first=False, with_usage=False) == {**STAMP, "choices": [last]}


def test_the_first_piece_has_a_role_and_an_empty_text() -> None:
    raw = {"choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]}
    delta = {"role": "assistant", "content": ""}
    first = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    found = shape.chunk(raw, WHO, first=True, with_usage=True)
    assert found == {**STAMP, "choices": [first], "usage": None}


def test_an_answer_without_cached_tokens_has_no_details_of_them() -> None:
    no_calls: list[object] = []
    message = {"role": "assistant", "content": "a", "refusal": None, "tool_calls": no_calls}
    counted = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    raw = {
        "choices": [{"message": message, "finish_reason": "stop", "stop_reason": "END"}],
        "usage": {**counted, "prompt_tokens_details": None},
    }
    said = {"role": "assistant", "content": "a", "refusal": None}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": "stop"}
    answer = {**STAMP, "object": "chat.completion", "choices": [choice], "usage": counted}
    assert shape.completion(raw, WHO) == answer
