"""The zip in front of Bedrock, through the AWS SDK's real client and event-stream parser."""

import json
import sysconfig
from collections.abc import Generator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from support.fake_aws import FakeAws, frame, text_events
from support.runtime_process import KEY, MODEL, RuntimeProcess, environment, started

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Capital of France?"}]
BEDROCK_ID = "mistral.ministral-3-8b-instruct"


@pytest.fixture
def aws() -> Generator[FakeAws, None, None]:
    with FakeAws(secret=json.dumps({"keys": ["pw-older-key-000000", KEY]})) as fake:
        yield fake


@pytest.fixture
def runtime(archive: Path, aws: FakeAws, tmp_path: Path) -> Generator[RuntimeProcess, None, None]:
    env = environment(
        f"bedrock:{BEDROCK_ID}",
        tmp_path,
        PORTWAY_API_KEYS_FILE=None,
        PORTWAY_UPSTREAM_MODEL=None,
        PORTWAY_API_KEYS_SECRET="arn:aws:secretsmanager:eu-west-1:111122223333:secret:chat-x",
        PYTHONPATH=sysconfig.get_path("purelib"),
        **aws.environment(),
    )
    with started(archive, env) as process:
        yield process.serving()


@pytest.fixture
def client(runtime: RuntimeProcess) -> Generator[openai.OpenAI, None, None]:
    with openai.OpenAI(
        base_url=f"{runtime.url}/v1", api_key=KEY, max_retries=0, timeout=20
    ) as found:
        yield found


def test_an_answer_goes_through_converse_with_its_limits(
    client: openai.OpenAI, aws: FakeAws
) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        temperature=0.5,
        messages=[{"role": "system", "content": "Be brief."}, *ASK],
    )
    assert (answer.model, answer.choices[0].message.content) == (MODEL, "Paris")
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_unset=True) == {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
    }
    assert aws.seen == [
        (
            f"/model/{BEDROCK_ID}/converse",
            {
                "messages": [{"role": "user", "content": [{"text": "Capital of France?"}]}],
                "system": [{"text": "Be brief."}],
                "inferenceConfig": {"maxTokens": 50, "temperature": 0.5},
            },
        )
    ]


def test_a_stream_arrives_piece_by_piece(client: openai.OpenAI, aws: FakeAws) -> None:
    aws.pause_after = 1
    stream = client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    pieces = iter(stream)
    assert [next(pieces).choices[0].delta.content for _ in range(2)] == ["", "Pa"]
    aws.go.set()
    rest = list(pieces)
    assert [p.choices[0].delta.content for p in rest[:-1]] == ["ris", None]
    assert rest[-2].choices[0].finish_reason == "stop"
    assert rest[-1].usage is not None
    assert rest[-1].usage.total_tokens == 7


def test_a_client_that_hangs_up_ends_the_stream_of_bedrock(
    client: openai.OpenAI, aws: FakeAws, runtime: RuntimeProcess
) -> None:
    aws.pause_after = 1
    stream = client.chat.completions.create(model=MODEL, messages=ASK, stream=True)
    next(iter(stream))
    stream.close()
    client.close()
    assert aws.hung_up.wait(10)
    assert runtime.next_line()["status"] == 499


def test_a_throttle_before_the_first_token_is_a_real_429(
    client: openai.OpenAI, aws: FakeAws
) -> None:
    aws.error = (429, "ThrottlingException", "Too many tokens, please wait")
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=MODEL, messages=ASK, stream=stream)
        assert caught.value.code == "rate_limit_exceeded"
        assert caught.value.response.headers["retry-after"] == "2"
    aws.error = None
    aws.events = [frame("throttlingException", {"message": "slow down"}, exception=True)]
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=MODEL, messages=ASK, stream=True)


def test_a_failure_in_mid_stream_is_the_last_event(client: openai.OpenAI, aws: FakeAws) -> None:
    failure = {"message": "model broke", "originalStatusCode": 500}
    broken = frame("modelStreamErrorException", failure, exception=True)
    for tail, code in (([broken], "upstream_error"), ([], "upstream_error")):
        aws.events = text_events("Pa", "ris")[:2] + tail
        stream = client.chat.completions.create(model=MODEL, messages=ASK, stream=True)
        with pytest.raises(openai.APIError) as caught:
            list(stream)
        assert (caught.value.code, caught.value.type) == (code, "server_error")


def test_a_denied_model_is_told_without_its_resource_names(
    client: openai.OpenAI, aws: FakeAws, runtime: RuntimeProcess
) -> None:
    arn = "arn:aws:bedrock:eu-west-1::foundation-model/x"
    aws.error = (403, "AccessDeniedException", f"not authorized to perform InvokeModel on {arn}")
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model=MODEL, messages=ASK)
    assert caught.value.code == "permission_denied"
    assert "arn:" not in caught.value.message
    assert arn in runtime.next_line()["detail"]


def test_a_field_that_bedrock_cannot_honour_never_reaches_it(
    client: openai.OpenAI, aws: FakeAws
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=ASK, seed=7)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "seed")
    assert aws.seen == []


def test_both_keys_of_the_secret_are_valid(client: openai.OpenAI) -> None:
    for key in (KEY, "pw-older-key-000000"):
        assert client.with_options(api_key=key).models.list().data[0].id == MODEL
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="pw-removed").models.list()
