"""How Bedrock is called: again while nothing was said, under a guardrail, through its OpenAI endpoint."""

import json
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from portway.runtime import retry
from portway.runtime.aws import AwsError
from portway.runtime.aws_credentials import Frozen
from portway.runtime.bedrock import BedrockUpstream
from portway.runtime.bedrock_openai import BedrockOpenAI
from portway.runtime.bedrock_settings import BedrockSettings, read_bedrock
from portway.runtime.config import Config
from portway.runtime.errors import WireError
from portway.runtime.pump import Cancellation
from portway.runtime.reasoning import SplitStream, split_whole
from portway.runtime.upstream import ChatRequest

PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
CONFIG = Config(
    service="chat", model="gpt-oss-20b", model_owner="openai", model_created=1,
    upstream="bedrock:openai.gpt-oss-20b-1:0", upstream_model="", auth="iam", keys_file=None,
    keys_secret=None, context_tokens=1000, max_output_tokens=50, max_body_bytes=1000, concurrency=1,
    timeout_seconds=5, aws_region="eu-west-1",
)  # fmt: skip


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_SECONDS", 0.001)


def refused(code: str) -> AwsError:
    return AwsError(code, "no")


ANSWER: dict[str, Any] = {
    "output": {"message": {"content": [{"text": "Paris"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1},
}
START = {"messageStart": {"role": "assistant"}}
SAID = {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Pa"}}}
END = [
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 1}}},
]


class Events:
    """What Bedrock streams: an exception among the events is raised where it stands."""

    def __init__(self, *events: object) -> None:
        self._events = events

    def __iter__(self) -> Iterator[Any]:
        for one in self._events:
            if isinstance(one, Exception):
                raise one
            yield one

    def close(self) -> None: ...


@dataclass
class Client:
    """Answers call by call with what it was given."""

    answers: list[Any]
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def converse(self, arguments: Any, cancellation: Cancellation) -> Any:
        assert not cancellation.done
        self.seen.append(arguments)
        answer = self.answers[len(self.seen) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def converse_stream(self, arguments: Any, cancellation: Cancellation) -> Any:
        return self.converse(arguments, cancellation)


def request(*, stream: bool = False) -> ChatRequest:
    messages = [{"role": "user", "content": "Capital of France?"}]
    return ChatRequest(
        body={"model": "gpt-oss-20b", "messages": messages, "stream": stream},
        messages=messages,
        stream=stream,
        include_usage=False,
        max_tokens=None,
        default_max_tokens=50,
        request_id="r-1",
    )


def upstream(client: Client, settings: BedrockSettings | None = None) -> BedrockUpstream:
    config = CONFIG if settings is None else replace(CONFIG, bedrock=settings)
    return BedrockUpstream(config, client)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ModelNotReadyException", "ServiceUnavailableException"]
)
def test_what_the_model_did_no_work_for_is_asked_again(code: str) -> None:
    client = Client([refused(code), refused(code), ANSWER])
    answer = upstream(client).complete(request(), Cancellation())
    assert answer["choices"][0]["message"]["content"] == "Paris"
    assert len(client.seen) == retry.MOST_TRIES


def test_after_three_tries_the_client_is_told() -> None:
    client = Client([refused("ThrottlingException")] * 4)
    with pytest.raises(WireError) as told:
        upstream(client).complete(request(), Cancellation())
    assert (told.value.status, told.value.retry_after_seconds, len(client.seen)) == (429, 2, 3)


@pytest.mark.parametrize(
    "code", ["ValidationException", "AccessDeniedException", "ModelErrorException",
             "InternalServerException", "ModelTimeoutException"],
)  # fmt: skip
def test_what_may_have_cost_tokens_or_cannot_get_better_is_not_asked_again(code: str) -> None:
    client = Client([refused(code), ANSWER])
    with pytest.raises(WireError):
        upstream(client).complete(request(), Cancellation())
    assert len(client.seen) == 1


def test_nobody_is_asked_again_for_a_client_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_SECONDS", 3600)
    monkeypatch.setattr(retry, "LONGEST_PAUSE_SECONDS", 3600)
    gone = Cancellation()
    threading.Timer(0.05, gone.cancel).start()
    client = Client([refused("ThrottlingException"), ANSWER])
    with pytest.raises(WireError):
        upstream(client).complete(request(), gone)
    assert len(client.seen) == 1


def test_a_throttle_inside_a_stream_that_has_said_nothing_is_tried_again() -> None:
    throttled = Events(START, refused("throttlingException"))
    client = Client([throttled, Events(START, SAID, *END)])
    deltas = [
        piece["choices"][0]["delta"]
        for piece in upstream(client).stream(request(stream=True), Cancellation())
        if piece["choices"]
    ]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "Pa"}, {}]


def test_a_stream_that_has_said_something_is_never_begun_anew() -> None:
    client = Client([Events(START, SAID, refused("throttlingException")), Events(START, *END)])
    pieces = upstream(client).stream(request(stream=True), Cancellation())
    assert next(pieces)["choices"][0]["delta"]["role"] == "assistant"
    with pytest.raises(WireError):
        list(pieces)
    assert len(client.seen) == 1


def test_every_call_is_under_the_guardrail_and_through_the_profile() -> None:
    settings = BedrockSettings(guardrail=("gr1", "3"), profile_arn=PROFILE)
    client = Client([ANSWER, Events(START, SAID, *END)])
    upstream(client, settings).complete(request(), Cancellation())
    list(upstream(client, settings).stream(request(stream=True), Cancellation()))
    whole, streamed = client.seen
    assert whole["modelId"] == streamed["modelId"] == PROFILE
    assert whole["guardrailConfig"] == {"guardrailIdentifier": "gr1", "guardrailVersion": "3"}
    assert streamed["guardrailConfig"] == {
        "guardrailIdentifier": "gr1",
        "guardrailVersion": "3",
        "streamProcessingMode": "sync",
    }


def test_what_a_guardrail_stopped_is_told_as_filtered() -> None:
    stopped = {**ANSWER, "stopReason": "guardrail_intervened"}
    answer = upstream(Client([stopped])).complete(request(), Cancellation())
    assert answer["choices"][0]["finish_reason"] == "content_filter"
    assert answer["choices"][0]["message"]["content"] == "Paris"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PORTWAY_BEDROCK_API": "invoke"}, "PORTWAY_BEDROCK_API"),
        ({"PORTWAY_BEDROCK_GUARDRAIL": "gr1"}, "PORTWAY_BEDROCK_GUARDRAIL"),
        ({"PORTWAY_BEDROCK_GUARDRAIL": "gr1:DRAFT"}, "PORTWAY_BEDROCK_GUARDRAIL"),
        ({"PORTWAY_BEDROCK_PROFILE_ARN": "mine"}, "PORTWAY_BEDROCK_PROFILE_ARN"),
        ({"PORTWAY_BEDROCK_API": "openai", "PORTWAY_BEDROCK_GUARDRAIL": "g:1"}, "openai"),
    ],
)
def test_settings_that_cannot_be_used_are_named(variables: dict[str, str], named: str) -> None:
    faults: list[str] = []
    read_bedrock(variables, faults)
    assert len(faults) == 1
    assert named in faults[0]


class Native:
    """Bedrock's OpenAI endpoint on loopback: answers in order, remembers what it was sent."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        native = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                native.seen.append((self.path, headers, body))
                status, given, said = native.answers[len(native.seen) - 1]
                self.send_response(status)
                for name, value in given.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def served() -> Generator[list[Native], None, None]:
    made: list[Native] = []
    yield made
    for one in made:
        one.server.shutdown()
        one.server.server_close()


KEYS = Credentials("AKIDEXAMPLE", "secret", "token")


def ours() -> Frozen:
    return Frozen("AKIDEXAMPLE", "secret", "token")


def nobody() -> None:
    return None


COMPLETION = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": "<reasoning>Easy.</reasoning>Paris"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip


def native(served: list[Native], *answers: tuple[int, dict[str, str], bytes]) -> Native:
    served.append(Native(*answers))
    return served[-1]


def test_the_openai_endpoint_is_asked_with_a_signature_and_answers_pass(
    served: list[Native],
) -> None:
    fake = native(
        served, (200, {"content-type": "application/json"}, json.dumps(COMPLETION).encode())
    )
    answer = BedrockOpenAI(CONFIG, fake.url, ours).complete(request(), Cancellation())
    message = answer["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Paris", "Easy.")
    path, headers, body = fake.seen[0]
    assert path == "/openai/v1/chat/completions"
    sent = json.loads(body)
    assert (sent["model"], sent["max_completion_tokens"]) == ("openai.gpt-oss-20b-1:0", 50)
    # signed again from what arrived, at the time that it names: whatever was changed would show
    kept = {name: headers[name] for name in _signed_names(headers) if name not in _BY_SIGNER}
    again: Any = AWSRequest("POST", f"{fake.url}{path}", kept, body)
    again.context["timestamp"] = headers["x-amz-date"]
    again.headers["X-Amz-Date"] = headers["x-amz-date"]
    again.headers["X-Amz-Security-Token"] = "token"
    signer: Any = SigV4Auth(KEYS, "bedrock", "eu-west-1")
    text = signer.string_to_sign(again, signer.canonical_request(again))
    assert f"Signature={signer.signature(text, again)}" in headers["authorization"]


_BY_SIGNER = {"x-amz-date", "x-amz-security-token"}


def _signed_names(headers: dict[str, str]) -> list[str]:
    return headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")


def _events(*pieces: dict[str, Any]) -> bytes:
    lines = [f"data: {json.dumps(piece)}\n\n" for piece in pieces]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def _delta(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def test_the_openai_endpoint_streams_after_a_throttle(served: list[Native]) -> None:
    throttle = (429, {"x-amzn-errortype": "ThrottlingException"}, b'{"message": "slow down"}')
    pieces = [
        _delta("<reaso"),
        _delta("ning>Ea"),
        _delta("sy.</reasoning>Pa"),
        _delta("ris", "stop"),
    ]
    fake = native(served, throttle, (200, {}, _events(*pieces, {"choices": [], "usage": {}})))
    found = list(BedrockOpenAI(CONFIG, fake.url, ours).stream(request(stream=True), Cancellation()))
    deltas = [piece["choices"][0]["delta"] for piece in found if piece["choices"]]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Easy."
    assert "".join(delta.get("content", "") for delta in deltas) == "Paris"
    assert [p["choices"][0]["finish_reason"] for p in found if p["choices"]][-1] == "stop"
    assert json.loads(fake.seen[1][2])["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (403, {"x-amzn-errortype": "AccessDeniedException:http://x"}, (403, "permission_denied")),
        (403, {}, (403, "permission_denied")),
        (404, {"x-amzn-errortype": "ResourceNotFoundException"}, (404, "model_not_found")),
        (400, {}, (400, None)),
        (500, {}, (502, "upstream_error")),
    ],
)
def test_its_refusals_are_those_of_converse(
    served: list[Native], status: int, headers: dict[str, str], expected: tuple[int, str | None]
) -> None:
    fake = native(served, (status, headers, b'{"message": "arn:aws:iam::123456789012:role/x"}'))
    with pytest.raises(WireError) as told:
        BedrockOpenAI(CONFIG, fake.url, ours).complete(request(), Cancellation())
    assert (told.value.status, told.value.code) == expected


def test_without_credentials_the_request_fails_and_says_nothing_of_them(
    served: list[Native],
) -> None:
    fake = native(served)
    with pytest.raises(WireError) as told:
        BedrockOpenAI(CONFIG, fake.url, nobody).complete(request(), Cancellation())
    assert (told.value.status, fake.seen) == (500, [])


@given(st.text("<reasoning>/ ab", max_size=40), st.lists(st.integers(1, 9), max_size=12))
def test_a_split_answer_is_the_same_wherever_the_stream_is_cut(text: str, cuts: list[int]) -> None:
    pieces: list[str] = []
    rest = text
    for cut in cuts:
        pieces, rest = [*pieces, rest[:cut]], rest[cut:]
    stream = [_delta(piece) for piece in (*pieces, rest)] + [_delta("", "stop")]
    deltas = [p["choices"][0]["delta"] for p in SplitStream().pieces(stream)]
    reasoning = "".join(delta.get("reasoning_content", "") for delta in deltas)
    content = "".join(delta.get("content", "") for delta in deltas)
    expected, answer = split_whole(text)
    assert (reasoning, content) == (expected or "", answer)
