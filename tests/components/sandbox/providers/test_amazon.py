import json
from pathlib import Path

import pytest

from portway.sandbox.providers import wire
from portway.sandbox.providers.cloud import CloudError, Code
from support.plugin import Json, Plugin

ROLE = "iam/role:Role"
ROLE_POLICY = "iam/rolePolicy:RolePolicy"
SECRET = "secretsmanager/secret:Secret"
VERSION = "secretsmanager/secretVersion:SecretVersion"
LOGS = "cloudwatch/logGroup:LogGroup"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def policy(resource: str) -> str:
    statement = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def amazon(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "aws", {"region": "eu-west-1"})


def refusal(plugin: Plugin, kind: str, inputs: Json) -> tuple[Code, str]:
    with pytest.raises(CloudError) as caught:
        plugin.create(kind, "it", inputs)
    return caught.value.code, str(caught.value)


def test_the_providers_region_is_every_regional_resources_region(amazon: Plugin) -> None:
    checked, _ = amazon.check(LOGS, "logs", {"name": "logs"})
    assert checked == {"name": "logs", "region": "eu-west-1"}
    own, _ = amazon.check(LOGS, "logs", {"name": "logs", "region": "eu-west-3"})
    assert own["region"] == "eu-west-3"
    role, _ = amazon.check(ROLE, "role", {"assumeRolePolicy": TRUST})
    assert "region" not in role


def test_a_provider_without_a_region_says_how_to_set_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    cloud = Plugin(tmp_path, "aws").cloud
    (missing,) = cloud.check_config({})
    assert "pulumi config set aws:region" in missing.message
    assert [f.message for f in cloud.check_config({"region": "eu-west-9"})] == [
        "invalid AWS Region: eu-west-9"
    ]
    (misspelt,) = cloud.check_config({"region": "eu-west-1", "regoin": "x"})
    assert misspelt.path == "regoin"


def test_a_policy_document_may_be_an_object_and_is_kept_as_text(amazon: Plugin) -> None:
    checked, _ = amazon.check(ROLE, "role", {"name": "chat", "assumeRolePolicy": TRUST})
    assert json.loads(checked["assumeRolePolicy"]) == TRUST
    unknown = {**TRUST, "Statement": wire.UNKNOWN}
    assert (
        amazon.check(ROLE, "role", {"assumeRolePolicy": unknown})[0]["assumeRolePolicy"]
        == wire.UNKNOWN
    )


def test_a_role_has_its_arn_and_a_name_of_its_own(amazon: Plugin) -> None:
    named = amazon.create(ROLE, "role", {"name": "chat", "assumeRolePolicy": TRUST})
    assert named.id == "chat"
    assert named.outputs["arn"] == "arn:aws:iam::111122223333:role/chat"
    unnamed = amazon.create(ROLE, "role", {"assumeRolePolicy": TRUST})
    assert unnamed.id.startswith("role-")


@pytest.mark.parametrize(
    ("kind", "inputs", "call", "status", "text"),
    [
        (ROLE, {"name": "chat", "assumeRolePolicy": TRUST}, "IAM: CreateRole", 409, "EntityAlreadyExists: Role with name chat already exists."),
        (LOGS, {"name": "chat"}, "CloudWatch Logs: CreateLogGroup", 400, "ResourceAlreadyExistsException: The specified log group already exists"),
        (SECRET, {"name": "chat"}, "Secrets Manager: CreateSecret", 400, "ResourceExistsException: The operation failed because the secret chat already exists."),
    ],
)  # fmt: skip
def test_a_name_that_is_taken_is_the_services_own_exception(
    amazon: Plugin, kind: str, inputs: Json, call: str, status: int, text: str
) -> None:
    amazon.create(kind, "first", inputs)
    code, message = refusal(amazon, kind, inputs)
    assert code is Code.ALREADY_EXISTS
    assert (
        f"operation error {call}, https response error StatusCode: {status}, RequestID: " in message
    )
    assert message.endswith(f", {text}")


def test_the_same_name_in_another_region_is_another_resource(amazon: Plugin) -> None:
    amazon.create(LOGS, "logs", {"name": "chat"})
    other = amazon.create(LOGS, "logs", {"name": "chat", "region": "eu-central-1"})
    assert other.outputs["arn"] == "arn:aws:logs:eu-central-1:111122223333:log-group:chat"


def test_an_inline_policy_needs_its_role_and_resources_iam_can_read(amazon: Plugin) -> None:
    arn = "arn:aws:bedrock:eu-west-1::foundation-model/x"
    given = {"role": "chat", "name": "p", "policy": policy(arn)}
    assert (
        "NoSuchEntity: The role with name chat cannot be found."
        in refusal(amazon, ROLE_POLICY, given)[1]
    )
    amazon.create(ROLE, "role", {"name": "chat", "assumeRolePolicy": TRUST})
    bad = {**given, "policy": policy("bedrock:eu-west-1:foundation-model/x")}
    assert 'must be in ARN format or "*".' in refusal(amazon, ROLE_POLICY, bad)[1]
    wrong = {**given, "policy": policy(arn.replace("arn:aws:", "arn:awz:"))}
    assert 'Partition "awz" is not valid' in refusal(amazon, ROLE_POLICY, wrong)[1]
    assert amazon.create(ROLE_POLICY, "p", given).id == "chat:p"


def test_a_role_stays_while_it_has_policies(amazon: Plugin) -> None:
    role = amazon.create(ROLE, "role", {"name": "chat", "assumeRolePolicy": TRUST})
    made = amazon.create(ROLE_POLICY, "p", {"role": "chat", "name": "p", "policy": policy("*")})
    with pytest.raises(
        CloudError, match="DeleteConflict: Cannot delete entity, must delete policies first"
    ):
        amazon.delete(role)
    amazon.delete(made)
    amazon.delete(role)


def test_text_that_is_no_policy_is_refused_in_the_preview(amazon: Plugin) -> None:
    failures = amazon.failures(ROLE, {"assumeRolePolicy": "not json"})
    assert "contains an invalid JSON policy" in failures["assumeRolePolicy"]


def test_a_deleted_secrets_name_is_not_free_before_its_recovery_window_is_over(
    amazon: Plugin,
) -> None:
    amazon.delete(amazon.create(SECRET, "s", {"name": "chat"}))
    assert "already scheduled for deletion" in refusal(amazon, SECRET, {"name": "chat"})[1]
    at_once = {"name": "other", "recoveryWindowInDays": 0}
    amazon.delete(amazon.create(SECRET, "s", at_once))
    assert amazon.create(SECRET, "s", at_once).outputs["arn"].startswith("arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-")  # fmt: skip


def test_a_secrets_value_stays_secret_and_its_version_has_an_id(amazon: Plugin) -> None:
    secret = amazon.create(SECRET, "s", {"name": "chat"})
    value = wire.secret("hidden")
    made = amazon.create(VERSION, "v", {"secretId": secret.id, "secretString": value})
    assert made.outputs["secretString"] == value
    assert made.id == f"{secret.id}|{made.outputs['versionId']}"
    imported = amazon.read(VERSION, "v", made.id)
    assert imported
    assert (imported.inputs["secretString"], imported.outputs["secretString"]) == (value, value)
    (row,) = amazon.store.all(type="aws:secretsmanager/secretVersion:SecretVersion")
    assert row.inputs["secretString"] == "hidden"


def test_a_version_of_no_secret_is_not_found(amazon: Plugin) -> None:
    code, text = refusal(amazon, VERSION, {"secretId": "arn:nowhere", "secretString": "x"})
    assert code is Code.NOT_FOUND
    assert "Secrets Manager can't find the specified secret." in text


def test_a_retention_that_cloudwatch_does_not_have_is_refused(amazon: Plugin) -> None:
    text = amazon.failures(LOGS, {"name": "x", "retentionInDays": 8})["retentionInDays"]
    assert text.startswith("expected retention_in_days to be one of [0 1 3 5 7 14 30 ")
    assert text.endswith(", got 8")


def test_an_inference_profile_copies_what_its_region_has(amazon: Plugin) -> None:
    kind = "bedrock/inferenceProfile:InferenceProfile"
    arn = "arn:aws:bedrock:{}::foundation-model/mistral.x"
    given = {"name": "p", "modelSource": {"copyFrom": arn.format("us-east-1")}}
    assert "The provided model identifier is invalid." in refusal(amazon, kind, given)[1]
    made = amazon.create(kind, "p", {**given, "modelSource": {"copyFrom": arn.format("eu-west-1")}})
    assert ":application-inference-profile/" in made.outputs["arn"]


def test_who_asks_and_where_can_be_looked_up(amazon: Plugin) -> None:
    identity, _ = amazon.invoke("aws:index/getCallerIdentity:getCallerIdentity")
    region, _ = amazon.invoke("aws:index/getRegion:getRegion")
    assert (identity["accountId"], region["region"]) == ("111122223333", "eu-west-1")
    _, failures = amazon.invoke("aws:ec2/getAmi:getAmi")
    assert "the sandbox has no data for aws:ec2/getAmi:getAmi" in failures[0]


def test_a_policy_document_is_written_as_the_data_source_writes_it(amazon: Plugin) -> None:
    statement = {
        "actions": ["s3:GetObject", "s3:ListBucket"],
        "resources": ["*"],
        "principals": [{"type": "AWS", "identifiers": ["*"]}],
        "conditions": [{"test": "StringEquals", "variable": "aws:RequestedRegion", "values": ["eu-west-1"]}],
    }  # fmt: skip
    found, _ = amazon.invoke(
        "aws:iam/getPolicyDocument:getPolicyDocument", {"statements": [statement]}
    )
    assert json.loads(found["json"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": "*",
                "Principal": {"AWS": ["*"]},
                "Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-west-1"]}},
            }
        ],
    }


def test_moving_to_another_region_is_a_replacement(amazon: Plugin) -> None:
    made = amazon.create(LOGS, "logs", {"name": "chat"})
    moved = Plugin(amazon.root, "aws", {"region": "eu-west-3"}).diff(made, {"name": "chat"})
    assert (list(moved.replaces), moved.deleteBeforeReplace) == (["region"], False)


def test_an_arn_says_where_a_looked_up_resource_is(amazon: Plugin, tmp_path: Path) -> None:
    made = amazon.create(SECRET, "s", {"name": "chat"})
    elsewhere = Plugin(tmp_path, "aws", {"region": "us-east-1"})
    assert elsewhere.read(SECRET, "s", made.id)


def test_a_type_without_rules_of_its_own_still_has_an_id_and_an_arn(amazon: Plugin) -> None:
    bus = amazon.create("cloudwatch/eventBus:EventBus", "b", {"name": "b"})
    assert bus.id
    stream = amazon.create("kinesis/stream:Stream", "s", {"name": "s", "shardCount": 1})
    assert stream.id == "s"
    assert stream.outputs["arn"] == "arn:aws:kinesis:eu-west-1:111122223333:stream/s"
