"""The embedded Bedrock and Secrets Manager, called with the AWS SDK as deployed functions call them."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError

from portway.sandbox.dataplane import eventstream
from portway.sandbox.dataplane.amazon_cloud import (
    ATTACHMENT,
    POLICY,
    ROLE,
    ROLE_POLICY,
    SECRET,
    SECRET_VERSION,
    credentials,
)
from portway.sandbox.dataplane.bedrock import Bedrock
from portway.sandbox.dataplane.bedrock_catalogue import Catalogue
from portway.sandbox.dataplane.secrets_manager import SecretsManager
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.dataplane.text import Identity, Turn, answer
from portway.sandbox.dataplane.troubles import Troubles
from portway.sandbox.dataplane.world import World
from portway.sandbox.layout import Layout
from portway.sandbox.store import Key, Row, Store
from support.loop_thread import listening

REGION = "eu-west-1"
SCOPE = f"123456789012:{REGION}"
ROLE_ARN = "arn:aws:iam::123456789012:role/app"
MODEL = "acme.model-1"
MODEL_ARN = f"arn:aws:bedrock:{REGION}::foundation-model/{MODEL}"
PROFILE = "eu.acme.model-2"
SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf"
TABLE: dict[str, Any] = {
    "weights": {"acme/model": {"revision": "abc", "precision": "fp8", "context_tokens": 400}},
    "models": {
        MODEL: {"weights": "acme/model", "regions": [REGION]},
        "acme.model-2": {"weights": "acme/model", "regions": []},
    },
    "profiles": {PROFILE: {"model": "acme.model-2", "regions": [REGION, "eu-central-1"]}},
}
HELLO: list[Any] = [{"role": "user", "content": [{"text": "Hello"}]}]
IDENTITY = Identity("acme/model", "abc", "fp8")


class Deployed:
    """A role and what is deployed around it; a test changes ``rows``."""

    def __init__(self) -> None:
        self.rows: list[Row] = [self.row(ROLE, "app", {"name": "app"}, {"arn": ROLE_ARN})]

    def row(self, kind: str, id_: str, inputs: Any, outputs: Any = None) -> Row:
        return Row(Key("aws", SCOPE, kind, id_), "", inputs, outputs or inputs)

    def world(self) -> World:
        return World(self.rows, Path())

    def allow(self, action: str, *resources: str, **more: Any) -> None:
        statement = {"Effect": "Allow", "Action": action, "Resource": list(resources), **more}
        policy = json.dumps({"Statement": [statement]})
        self.rows.append(
            self.row(ROLE_POLICY, f"app:{len(self.rows)}", {"role": "app", "policy": policy})
        )


@pytest.fixture
def deployed() -> Deployed:
    return Deployed()


def make_client(service: str, address: str, region: str = REGION, key_id: str | None = None) -> Any:
    keys = credentials(ROLE_ARN)
    return botocore.session.Session().create_client(  # pyright: ignore[reportUnknownMemberType] - the SDK has no types
        service, region_name=region, endpoint_url=address,
        aws_access_key_id=key_id or keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key, aws_session_token=keys.session_token,
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


@pytest.fixture
def bedrock(deployed: Deployed) -> Generator[str]:
    server = Bedrock(deployed.world, Settings(token_delay_seconds=0), Catalogue(TABLE))
    with listening(server.handle) as address:
        yield address


@pytest.fixture
def secrets(deployed: Deployed) -> Generator[str]:
    with listening(SecretsManager(deployed.world).handle) as address:
        yield address


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    caught: Any = refused.value
    error: dict[str, str] = caught.response["Error"]
    return error["Code"], error["Message"]


def test_converse_and_its_stream_say_the_same_and_count_the_same(
    deployed: Deployed, bedrock: str
) -> None:
    deployed.allow("bedrock:InvokeModel*", MODEL_ARN)
    client = make_client("bedrock-runtime", bedrock)
    asked: dict[str, Any] = {"modelId": MODEL, "messages": HELLO, "system": [{"text": "Be brief"}]}
    whole = client.converse(**asked)
    text = whole["output"]["message"]["content"][0]["text"]
    assert text == answer(IDENTITY, [Turn("system", "Be brief"), Turn("user", "Hello")])
    assert whole["stopReason"] == "end_turn"
    events = list(client.converse_stream(**asked)["stream"])
    deltas = [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e]
    assert "".join(deltas) == text
    assert [next(iter(event)) for event in events if "contentBlockDelta" not in event] == [
        "messageStart", "contentBlockStop", "messageStop", "metadata",
    ]  # fmt: skip
    assert events[-1]["metadata"]["usage"] == whole["usage"]


def test_limits_stops_and_tools_end_an_answer_for_their_own_reason(
    deployed: Deployed, bedrock: str
) -> None:
    deployed.allow("bedrock:*", "*")
    client = make_client("bedrock-runtime", bedrock)
    short = client.converse(modelId=MODEL, messages=HELLO, inferenceConfig={"maxTokens": 2})
    assert (short["stopReason"], short["usage"]["outputTokens"]) == ("max_tokens", 2)
    word = answer(IDENTITY, [Turn("user", "Hello")]).split()[2]
    stopped = client.converse(
        modelId=MODEL, messages=HELLO, inferenceConfig={"stopSequences": [word]}
    )
    assert stopped["stopReason"] == "stop_sequence"
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    tools: dict[str, Any] = {
        "tools": [{"toolSpec": {"name": "add", "inputSchema": {"json": schema}}}],
        "toolChoice": {"any": {}},
    }
    called = client.converse(modelId=MODEL, messages=HELLO, toolConfig=tools)
    assert called["stopReason"] == "tool_use"
    assert called["output"]["message"]["content"][0]["toolUse"]["input"] == {"x": 1}
    parts = [
        event["contentBlockDelta"]["delta"]["toolUse"]["input"]
        for event in client.converse_stream(modelId=MODEL, messages=HELLO, toolConfig=tools)[
            "stream"
        ]
        if "contentBlockDelta" in event
    ]
    assert json.loads("".join(parts)) == {"x": 1}
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}
    typed = client.converse(modelId=MODEL, messages=HELLO, outputConfig={"textFormat": form})
    assert json.loads(typed["output"]["message"]["content"][0]["text"]) == {"x": 1}


def test_a_role_without_the_permission_is_denied_in_awss_words(
    deployed: Deployed, bedrock: str
) -> None:
    client = make_client("bedrock-runtime", bedrock)
    assert refusal(client.converse, modelId=MODEL, messages=HELLO) == (
        "AccessDeniedException",
        f"User: arn:aws:sts::123456789012:assumed-role/app/function is not authorized to perform: bedrock:InvokeModel on resource: {MODEL_ARN} because no identity-based policy allows the bedrock:InvokeModel action",
    )
    deployed.allow("bedrock:InvokeModel", MODEL_ARN)
    assert client.converse(modelId=MODEL, messages=HELLO)["stopReason"] == "end_turn"
    code, text = refusal(client.converse_stream, modelId=MODEL, messages=HELLO)
    assert (code, "InvokeModelWithResponseStream" in text) == ("AccessDeniedException", True)
    deny = json.dumps({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})
    inline = {"name": "app", "inlinePolicies": [{"name": "deny", "policy": deny}]}
    deployed.rows[0] = deployed.row(ROLE, "app", inline, {"arn": ROLE_ARN})
    assert "with an explicit deny" in refusal(client.converse, modelId=MODEL, messages=HELLO)[1]


def test_attached_policies_and_boundaries_count(deployed: Deployed, bedrock: str) -> None:
    client = make_client("bedrock-runtime", bedrock)
    every = json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    own = "arn:aws:iam::123456789012:policy/own"
    deployed.rows.append(deployed.row(POLICY, own, {"policy": every}))
    deployed.rows.append(deployed.row(ATTACHMENT, "a", {"role": "app", "policyArn": own}))
    assert client.converse(modelId=MODEL, messages=HELLO)["stopReason"] == "end_turn"
    bounded = {
        "name": "app",
        "permissionsBoundary": "arn:aws:iam::aws:policy/SecretsManagerReadWrite",
    }
    deployed.rows[0] = deployed.row(ROLE, "app", bounded, {"arn": ROLE_ARN})
    assert refusal(client.converse, modelId=MODEL, messages=HELLO)[0] == "AccessDeniedException"


def test_a_profile_needs_itself_and_the_model_wherever_it_may_send_a_call(
    deployed: Deployed, bedrock: str
) -> None:
    client = make_client("bedrock-runtime", bedrock)
    profile = f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/{PROFILE}"
    here = f"arn:aws:bedrock:{REGION}::foundation-model/acme.model-2"
    there = "arn:aws:bedrock:eu-central-1::foundation-model/acme.model-2"
    deployed.allow("bedrock:InvokeModel", profile, here)
    code, text = refusal(client.converse, modelId=PROFILE, messages=HELLO)
    assert (code, there in text) == ("AccessDeniedException", True)
    only_through = {"StringLike": {"bedrock:InferenceProfileArn": profile}}
    deployed.allow("bedrock:InvokeModel", there, Condition=only_through)
    assert client.converse(modelId=PROFILE, messages=HELLO)["stopReason"] == "end_turn"
    assert client.converse(modelId=profile, messages=HELLO)["stopReason"] == "end_turn"
    code, text = refusal(client.converse, modelId="acme.model-2", messages=HELLO)
    assert (code, "on-demand throughput" in text) == ("ValidationException", True)


def test_unknown_models_regions_and_callers_are_refused(deployed: Deployed, bedrock: str) -> None:
    deployed.allow("*", "*")
    invalid = ("ValidationException", "The provided model identifier is invalid.")
    client = make_client("bedrock-runtime", bedrock)
    assert refusal(client.converse, modelId="acme.nothing", messages=HELLO) == invalid
    elsewhere = make_client("bedrock-runtime", bedrock, region="us-east-1")
    assert refusal(elsewhere.converse, modelId=MODEL, messages=HELLO) == invalid
    stranger = make_client("bedrock-runtime", bedrock, key_id="AKIANOBODY")
    code, _ = refusal(stranger.converse, modelId=MODEL, messages=HELLO)
    assert code == "UnrecognizedClientException"


INVALID: list[Any] = [
        ({"messages": [{"role": "assistant", "content": [{"text": "x"}]}]}, "must start with a user message"),
        ({"messages": [*HELLO, *HELLO]}, "Roles must alternate"),
        ({"messages": [{"role": "user", "content": [{"text": "word " * 500}]}]}, "Input is too long"),
        ({"messages": [{"role": "user", "content": []}]}, "is empty"),
        ({"inferenceConfig": {"temperature": 1.5}}, "less than or equal to 1"),
        ({"inferenceConfig": {"maxTokens": 5000}}, "exceeds the model limit of 400"),
    ]  # fmt: skip


@pytest.mark.parametrize(("changed", "words"), INVALID)
def test_what_bedrock_would_not_accept_is_a_validation_exception(
    deployed: Deployed, bedrock: str, changed: dict[str, Any], words: str
) -> None:
    deployed.allow("*", "*")
    client = make_client("bedrock-runtime", bedrock)
    code, text = refusal(client.converse, **({"modelId": MODEL, "messages": HELLO} | changed))
    assert (code, words in text) == ("ValidationException", True), text


def test_an_exception_in_a_stream_is_one_the_sdk_raises() -> None:
    buffer: Any = EventStreamBuffer()
    buffer.add_data(eventstream.event("messageStart", {"role": "assistant"}))
    buffer.add_data(eventstream.exception("throttlingException", "slow down"))
    started, failed = list(buffer)
    assert started.headers[":event-type"] == "messageStart"
    assert json.loads(started.payload) == {"role": "assistant"}
    assert failed.to_response_dict()["status_code"] == 400
    assert failed.headers[":exception-type"] == "throttlingException"


def test_a_secret_is_read_by_name_or_arn_with_permission_only(
    deployed: Deployed, secrets: str
) -> None:
    client = make_client("secretsmanager", secrets)
    secret = {"name": "keys"}
    deployed.rows.append(deployed.row(SECRET, SECRET_ARN, secret, {"arn": SECRET_ARN}))
    denied = refusal(client.get_secret_value, SecretId="keys")
    assert (denied[0], SECRET_ARN in denied[1]) == ("AccessDeniedException", True)
    deployed.allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:keys-??????")
    missing = refusal(client.get_secret_value, SecretId="keys")
    assert missing == (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    )
    for number in (1, 2):
        version = {"secretId": SECRET_ARN, "secretString": f"value {number}"}
        deployed.rows.append(
            deployed.row(SECRET_VERSION, f"v{number}", version, {"versionId": f"{number}" * 32})
        )
    assert client.get_secret_value(SecretId="keys")["SecretString"] == "value 2"
    previous = client.get_secret_value(SecretId=SECRET_ARN, VersionStage="AWSPREVIOUS")
    assert (previous["SecretString"], previous["VersionId"]) == ("value 1", "1" * 32)
    assert client.get_secret_value(SecretId="keys", VersionId="1" * 32)["SecretString"] == "value 1"
    deployed.allow("secretsmanager:*", "*")
    assert refusal(client.get_secret_value, SecretId="other")[0] == "ResourceNotFoundException"
    elsewhere = make_client("secretsmanager", secrets, region="us-east-1")
    assert refusal(elsewhere.get_secret_value, SecretId="keys")[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("model_access", "AccessDeniedException", "Model access is denied due to IAM user or service role"),
        ("throttled", "ThrottlingException", "Too many requests, please wait before trying again."),
        ("expired", "ExpiredTokenException", "The security token included in the request is expired"),
        ("unavailable", "ServiceUnavailableException", "Bedrock is unable to process your request."),
    ],
)  # fmt: skip
def test_a_model_refuses_as_it_was_told_to_and_only_the_one_that_is_named(
    fault: str, code: str, said: str, deployed: Deployed, tmp_path: Path
) -> None:
    deployed.allow("bedrock:InvokeModel*", "*")
    layout = Layout(tmp_path)
    rule = f"{{type: 'aws:bedrock/model', operation: invoke, fault: {fault}, times: 2}}"
    layout.faults.write_text(f"[{rule}, {{operation: invoke, name: other, fault: expired}}]")
    troubles = Troubles(layout, Store(layout.store))
    server = Bedrock(deployed.world, Settings(token_delay_seconds=0), Catalogue(TABLE), troubles)
    with listening(server.handle) as address:
        client = make_client("bedrock-runtime", address)
        whole, stream = client.converse, client.converse_stream
        found = [refusal(call, modelId=MODEL, messages=HELLO) for call in (whole, stream)]
        assert [one[0] for one in found] == [code, code]
        assert all(one[1].startswith(said) for one in found)
        assert client.converse(modelId=MODEL, messages=HELLO)["output"]


def test_faults_that_cannot_be_read_strike_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layout = Layout(tmp_path)
    layout.faults.write_text("[{fault: earthquake}]")
    troubles = Troubles(layout, Store(layout.store))
    assert troubles.due("invoke", "aws:bedrock/model", MODEL) == []
    assert "no fault is injected: " in caplog.text
