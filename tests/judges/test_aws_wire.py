"""The runtime's own AWS client beside the AWS SDK's: what both send, and what both make of answers.

The SDK's serializer, signer and parsers are the judge. Of the same call both must send the same path
and the same JSON and, for the same bytes at the same second, the same signature; of the same answer
both must understand the same.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.runtime.aws import (
    BEDROCK,
    DYNAMODB,
    SECRETS_MANAGER,
    Api,
    AwsError,
    Service,
    endpoint,
)
from portway.runtime.bedrock_answer import chunks, completion
from portway.runtime.bedrock_client import ConverseClient
from portway.runtime.bedrock_request import converse_arguments
from portway.runtime.meter_amounts import Amounts
from portway.runtime.meter_dynamodb import DynamoStore
from portway.runtime.pump import Cancellation
from portway.runtime.secrets_manager import secret_reader
from portway.runtime.upstream import ChatRequest
from portway.targets.lambda_bedrock.refusals import regions
from support.aws_wire import ENVIRONMENT, REGION, Endpoint, Sdk, Sent, serving
from support.fake_aws import frame, text_events

PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
MODELS = (
    "mistral.ministral-3-8b-instruct",
    "openai.gpt-oss-20b-1:0",
    "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    PROFILE,
    "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0",
    "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/my endpoint+é~_%2F?#",
)
ASKED = [{"role": "user", "content": [{"text": "Capital of France?"}]}]
BLOCKS: list[dict[str, Any]] = [
    {"text": 'Grüße, "\u2028" 🎉'},
    {"image": {"format": "png", "source": {"bytes": bytes(range(256))}}},
    {"toolResult": {"toolUseId": "t", "content": [{"text": "x"}, {"json": {"a": [None, 1.5]}}]}},
    {"toolUse": {"toolUseId": "t", "name": "n", "input": {"deep": [{"none": None}, True]}}},
]


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_EXECUTION_ENV"):
            patch.delenv(name, raising=False)
        yield


class Both:
    """One endpoint, the runtime's client of it and the SDK's."""

    def __init__(self, end: Endpoint) -> None:
        self.end = end
        self.sdk = Sdk(end.url)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", end.url)
            self.services = {
                api: Service(api, REGION, 10.0) for api in (BEDROCK, DYNAMODB, SECRETS_MANAGER)
            }
        self.converse = ConverseClient(self.services[BEDROCK])

    def sent(self) -> Sent:
        return self.end.seen[-1]

    def answer(self, body: object, status: int = 200, **headers: str) -> None:
        self.end.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.end.status = status
        self.end.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def stream(self, *frames: bytes) -> None:
        self.answer(b"".join(frames), content_type="application/vnd.amazon.eventstream")


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with serving() as end:
        found = Both(end)
        yield found
        found.sdk.close()
        for service in found.services.values():
            service.close()


def close(answer: dict[str, Any]) -> None:
    """Let the SDK's answer go, where it is one that streams."""
    if "stream" in answer:
        answer["stream"].close()


def assert_sent_alike(both: Both, service: str, operation: str, arguments: dict[str, Any]) -> None:
    """The runtime's newest request is the SDK's."""
    ours = both.sent()
    close(both.sdk.call(service, operation, like=ours, **arguments))
    signed = both.sent()
    assert signed.body == ours.body
    assert (signed.target, signed.signature) == (ours.target, ours.signature)
    assert signed.headers["content-type"] == ours.headers["content-type"]
    assert signed.headers.get("x-amz-target") == ours.headers.get("x-amz-target")
    close(both.sdk.call(service, operation, **arguments))
    assert json.loads(both.sent().body) == json.loads(ours.body)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_bedrock_is_asked_as_the_sdk_asks_it(both: Both, model: str, operation: str) -> None:
    arguments = {
        "modelId": model,
        "messages": [{"role": "user", "content": BLOCKS}],
        "inferenceConfig": {"maxTokens": 7, "temperature": 0.25, "topP": 1},
        "additionalModelRequestFields": {"reasoning_effort": "low"},
        "requestMetadata": {"user": "me"},
    }
    both.answer({})
    if operation == "converse":
        both.converse.converse(arguments, Cancellation())
    else:
        both.converse.converse_stream(arguments, Cancellation()).close()
    assert_sent_alike(both, "bedrock-runtime", operation, arguments)


@settings(max_examples=40)
@given(model=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_model_id_has_the_same_path_and_signature(both: Both, model: str) -> None:
    arguments = {"modelId": model, "messages": ASKED}
    both.answer({})
    both.converse.converse(arguments, Cancellation())
    assert_sent_alike(both, "bedrock-runtime", "converse", arguments)


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 1, "stop": ["END"], "user": "u-1", "metadata": {"a": "b"}},
        {"reasoning_effort": "high", "service_tier": "flex"},
        {
            "tools": [{"type": "function", "function": {
                "name": "weather", "strict": True,
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            }}],
            "tool_choice": "required",
        },
        {"response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "schema": {"type": "object", "properties": {}},
        }}},
    ],
)  # fmt: skip
def test_what_the_mapping_makes_is_sent_as_the_sdk_sends_it(
    both: Both, body: dict[str, Any]
) -> None:
    image = f"data:image/png;base64,{base64.b64encode(b'px').decode()}"
    parts = [
        {"type": "text", "text": "Was ist das?"},
        {"type": "image_url", "image_url": {"url": image}},
    ]
    asked = [{"role": "system", "content": "Kurz."}, {"role": "user", "content": parts}]
    request = ChatRequest({"messages": asked, **body}, asked, False, False, None, 50, "r")  # noqa: FBT003
    arguments = converse_arguments(request, "openai.gpt-oss-20b-1:0")
    both.answer({})
    both.converse.converse(arguments, Cancellation())
    assert_sent_alike(both, "bedrock-runtime", "converse", arguments)


def test_the_secret_is_asked_for_as_the_sdk_does(both: Both) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:chat-keys-AbCdEf"
    both.answer({"SecretString": "é"})
    assert secret_reader(arn, both.services[SECRETS_MANAGER])() == "é".encode()
    assert_sent_alike(both, "secretsmanager", "get_secret_value", {"SecretId": arn})


def test_the_counters_are_changed_as_the_sdk_does(both: Both) -> None:
    store = DynamoStore("chat", "chat-meter", both.services[DYNAMODB])
    both.answer({"Attributes": {}})
    assert store.reserve("2026-11", "t-1", Amounts(1, 2, 3), {"tokens": 9}) is None
    arguments = json.loads(both.sent().body)
    assert_sent_alike(both, "dynamodb", "update_item", arguments)


@pytest.mark.parametrize("api", [BEDROCK, DYNAMODB, SECRETS_MANAGER])
def test_every_region_has_the_sdks_endpoint(api: Api) -> None:
    session: Any = botocore.session.Session()
    for region in sorted(regions()):
        client = session.create_client(api.host, region_name=region)
        assert endpoint(api, region) == client.meta.endpoint_url
        assert client.meta.config.region_name == region
        client.close()


# What answers hold


def understood(both: Both) -> dict[str, Any]:
    """What the SDK makes of the answer, without what it adds."""
    told = both.sdk.call("bedrock-runtime", "converse", modelId="m.m", messages=ASKED)
    return {name: value for name, value in told.items() if name != "ResponseMetadata"}


ANSWERS: dict[str, dict[str, Any]] = {
    "text": {
        "output": {"message": {"role": "assistant", "content": [{"text": "Paris"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
        "metrics": {"latencyMs": 3},
    },
    "tools, thoughts and members that are null": {
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": base64.b64encode(b"\0\xff").decode()}},
            {"text": "Now", "toolUse": None},
            {"toolUse": {"toolUseId": "t-1", "name": "weather", "input": {
                "city": None, "bytes": "not a blob", "list": [{"x": None}]}}},
        ]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7,
                  "cacheReadInputTokens": 3, "cacheWriteInputTokens": None},
        "metrics": {"latencyMs": 3},
        "additionalModelResponseFields": {"stop_sequence": None},
        "serviceTier": {"type": "flex"},
        "trace": None,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_means_what_the_sdk_makes_of_it(both: Both, name: str) -> None:
    both.answer(ANSWERS[name])
    ours = both.converse.converse({"modelId": "m.m", "messages": ASKED}, Cancellation())
    assert ours == understood(both)
    assert completion(ours)["usage"]["completion_tokens"] == 2


def streamed(both: Both) -> list[dict[str, Any]]:
    told = both.sdk.call("bedrock-runtime", "converse_stream", modelId="m.m", messages=ASKED)
    with closing(told["stream"]) as events:
        return list(events)


def test_a_stream_means_what_the_sdk_makes_of_it(both: Both) -> None:
    start = {"toolUse": {"toolUseId": "t-1", "name": "weather"}}
    both.stream(
        *text_events("Pa", "ris 🎉")[:3],
        frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": {
            "reasoningContent": {"redactedContent": "AP8="}}}),
        frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": {
            "reasoningContent": {"signature": "c2ln", "text": None}}}),
        frame("contentBlockStart", {"contentBlockIndex": 2, "start": start}),
        frame("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": "{}"}}}),
        frame("contentBlockStop", {"contentBlockIndex": 2}),
        *text_events()[-2:],
    )  # fmt: skip
    theirs = streamed(both)
    events = both.converse.converse_stream({"modelId": "m.m", "messages": ASKED}, Cancellation())
    ours = list(events)
    events.close()
    assert ours == theirs
    assert list(chunks(ours)) == list(chunks(theirs))


def test_events_and_members_that_are_new_change_nothing(both: Both) -> None:
    both.stream(
        frame("messageStart", {"role": "assistant", "p": "abc"}),
        frame("heartbeat", {"p": "ab"}),
        frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Pa"}, "p": "abcd"}),
        *text_events()[-2:],
    )
    theirs = streamed(both)
    events = both.converse.converse_stream({"modelId": "m.m", "messages": ASKED}, Cancellation())
    assert list(chunks(events)) == list(chunks(theirs))
    events.close()


# What failures are called


def response(error: Any) -> dict[str, Any]:
    """What the SDK keeps of an answer that was an error; it has no types."""
    return error.response


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (429, {"x_amzn_errortype": "ThrottlingException"}, {"message": "slow"}),
        (400, {"x_amzn_errortype": "ValidationException:http://internal/x"}, {"Message": "bad"}),
        (403, {}, {"__type": "com.amazon.coral#AccessDeniedException", "message": "no"}),
        (404, {}, {"code": "ResourceNotFoundException", "message": "gone"}),
        (500, {}, {"Code": "InternalServerException"}),
        (503, {}, {"message": "nobody"}),
        (424, {"x_amzn_errortype": "aws.bedrock#ModelErrorException"}, b""),
    ],
)
def test_a_refusal_has_the_sdks_code_and_message(
    both: Both, status: int, headers: dict[str, str], body: object
) -> None:
    both.answer(body, status, **headers)
    with pytest.raises(ClientError) as theirs:
        understood(both)
    with pytest.raises(AwsError) as ours:
        both.converse.converse({"modelId": "m.m", "messages": ASKED}, Cancellation())
    told = response(theirs.value)["Error"]
    assert (ours.value.code, ours.value.message) == (told["Code"], told["Message"])


@pytest.mark.parametrize(
    "failure",
    [
        frame("throttlingException", {"message": "slow down"}, exception=True),
        frame("modelStreamErrorException", {"message": "x", "originalStatusCode": 500}, exception=True),
        frame("validationException", {}, exception=True),
    ],
)  # fmt: skip
def test_an_exception_in_a_stream_has_the_sdks_code_and_message(both: Both, failure: bytes) -> None:
    both.stream(*text_events("Pa")[:2], failure)
    with pytest.raises(ClientError) as theirs:
        streamed(both)
    events = both.converse.converse_stream({"modelId": "m.m", "messages": ASKED}, Cancellation())
    with pytest.raises(AwsError) as ours:
        list(events)
    events.close()
    told = response(theirs.value)["Error"]
    assert (ours.value.code, ours.value.message) == (told["Code"], told["Message"])


def test_a_condition_that_failed_brings_the_item_with_it(both: Both) -> None:
    item = {"requests": {"N": "5"}, "open": {"SS": ["a-1"]}}
    kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
    both.answer({"__type": kind, "message": "no", "Item": item}, 400)
    key = {"id": {"S": "x"}}
    with pytest.raises(ClientError) as theirs:
        both.sdk.call("dynamodb", "update_item", TableName="chat-meter", Key=key)
    with pytest.raises(AwsError) as ours:
        both.services[DYNAMODB].call("DynamoDB_20120810.UpdateItem", "1.0", {})
    assert ours.value.code == response(theirs.value)["Error"]["Code"]
    assert ours.value.body["Item"] == response(theirs.value)["Item"]
