import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.providers import wire
from portway.sandbox.providers.amazon_lambda import bare_name
from portway.sandbox.providers.cloud import CloudError, Code
from support.plugin import Json, Plugin

FUNCTION = "lambda/function:Function"
URL = "lambda/functionUrl:FunctionUrl"
PERMISSION = "lambda/permission:Permission"
ALIAS = "lambda/alias:Alias"
PROVISIONED = "lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:chat"


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def amazon(tmp_path: Path) -> Plugin:
    plugin = Plugin(tmp_path, "aws", {"region": "eu-west-1"})
    inputs = {"name": "chat", "assumeRolePolicy": trust("lambda.amazonaws.com")}
    plugin.create("iam/role:Role", "role", inputs)
    return plugin


def code(folder: Path, content: str = "x = 1") -> Json:
    path = folder / f"code-{abs(hash(content))}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("main.py", content)
    return {wire.SIGNATURE: wire.ARCHIVE, "hash": content, "path": str(path)}


def function(folder: Path, **changes: Any) -> Json:
    return {
        "name": "chat",
        "role": "arn:aws:iam::111122223333:role/chat",
        "runtime": "python3.13",
        "handler": "main.handler",
        "code": code(folder),
        **changes,
    }


def refusal(plugin: Plugin, kind: str, inputs: Json) -> str:
    with pytest.raises(CloudError) as caught:
        plugin.create(kind, "it", inputs)
    assert caught.value.code in (Code.INVALID_ARGUMENT, Code.NOT_FOUND)
    return str(caught.value)


def test_a_function_has_its_arn_and_its_code_is_kept_for_whoever_runs_it(
    amazon: Plugin, tmp_path: Path
) -> None:
    made = amazon.create(FUNCTION, "fn", function(tmp_path))
    assert made.id == "chat"
    assert (made.outputs["arn"], made.outputs["version"]) == (ARN, "$LATEST")
    assert made.outputs["memorySize"] == 128
    row = next(r for r in amazon.store.all() if r.key.type.endswith(":Function"))
    kept = amazon.root / "objects" / row.outputs["__object"]
    assert zipfile.ZipFile(kept).read("main.py") == b"x = 1"
    assert made.outputs["sourceCodeSize"] == kept.stat().st_size


def test_new_code_is_an_update_and_the_same_code_elsewhere_is_none(
    amazon: Plugin, tmp_path: Path
) -> None:
    made = amazon.create(FUNCTION, "fn", function(tmp_path))
    moved = {**code(tmp_path), "path": "/elsewhere.zip"}
    assert not amazon.diff(made, function(tmp_path, code=moved)).diffs
    newer = function(tmp_path, code=code(tmp_path, "x = 2"))
    assert list(amazon.diff(made, newer).diffs) == ["code"]
    before = amazon.store.all(type="aws:lambda/function:Function")[0].outputs["__object"]
    amazon.update(made, newer)
    (row,) = amazon.store.all(type="aws:lambda/function:Function")
    assert row.outputs["__object"] != before
    assert row.generation == 2


def test_publishing_counts_versions_up(amazon: Plugin, tmp_path: Path) -> None:
    made = amazon.create(FUNCTION, "fn", function(tmp_path, publish=True))
    assert (made.outputs["version"], made.outputs["qualifiedArn"]) == ("1", f"{ARN}:1")
    changed = amazon.update(made, function(tmp_path, publish=True, timeout=30))
    assert changed.outputs["version"] == "2"


@pytest.mark.parametrize(
    ("changes", "path", "text"),
    [
        ({"timeout": 901}, "timeout", "expected timeout to be in the range (1 - 900), got 901"),
        ({"memorySize": 64}, "memorySize", "expected memory_size to be in the range (128 - 32768), got 64"),
        ({"ephemeralStorage": {"size": 100}}, "ephemeralStorage.size", "expected ephemeral_storage.0.size to be in the range (512 - 10240), got 100"),
        ({"handler": None}, "handler", "handler and runtime must be set when PackageType is Zip"),
        ({"code": None}, "code", "one of code, imageUri or s3Bucket must be set"),
        ({"packageType": "Image"}, "imageUri", "image_uri must be set when PackageType is Image"),
        ({"name": "a b"}, "name", 'invalid value for name (must be valid function name or function ARN): "a b"'),
    ],
)  # fmt: skip
def test_what_the_provider_itself_refuses_is_refused_in_the_preview(
    amazon: Plugin, tmp_path: Path, changes: Json, path: str, text: str
) -> None:
    assert amazon.failures(FUNCTION, function(tmp_path, **changes)) == {path: text}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"role": "arn:aws:iam::111122223333:role/nobody"}, "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda."),
        ({"role": "chat"}, "Value 'chat' at 'role' failed to satisfy constraint"),
        ({"environment": {"variables": {"AWS_REGION": "x", "LAMBDA_TASK_ROOT": "y"}}}, "Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT"),
        ({"environment": {"variables": {"9": "x"}}}, "[a-zA-Z]([a-zA-Z0-9_])+"),
        ({"environment": {"variables": {"LONG": "x" * 4096}}}, "exceeded the 4KB limit"),
        ({"memorySize": 10241}, "Member must have value less than or equal to 10240"),
        ({"runtime": "python2.7"}, "Value python2.7 at 'runtime' failed to satisfy constraint"),
        ({"architectures": ["arm64", "x86_64"]}, "at 'architectures' failed to satisfy constraint"),
        ({"reservedConcurrentExecutions": 901}, "below its minimum value of [100]."),
    ],
)  # fmt: skip
def test_what_lambda_refuses_is_refused_in_its_words(
    amazon: Plugin, tmp_path: Path, changes: Json, text: str
) -> None:
    message = refusal(amazon, FUNCTION, function(tmp_path, **changes))
    start = "creating Lambda Function (chat): operation error Lambda: CreateFunction, https response error StatusCode: 400, "
    assert message.startswith(start)
    assert text in message
    assert amazon.store.all(type="aws:lambda/function:Function") == []


def test_a_role_that_trusts_somebody_else_cannot_be_assumed(amazon: Plugin, tmp_path: Path) -> None:
    amazon.create(
        "iam/role:Role", "ec2", {"name": "ec2", "assumeRolePolicy": trust("ec2.amazonaws.com")}
    )
    role = "arn:aws:iam::111122223333:role/ec2"
    assert "cannot be assumed by Lambda." in refusal(
        amazon, FUNCTION, function(tmp_path, role=role)
    )


def test_reservations_of_all_functions_leave_a_hundred(amazon: Plugin, tmp_path: Path) -> None:
    made = amazon.create(
        FUNCTION, "a", function(tmp_path, name="a", reservedConcurrentExecutions=800)
    )
    amazon.update(made, function(tmp_path, name="a", reservedConcurrentExecutions=850))
    second = function(tmp_path, name="b", reservedConcurrentExecutions=51)
    assert "UnreservedConcurrentExecution below its minimum" in refusal(amazon, FUNCTION, second)
    amazon.create(FUNCTION, "b", {**second, "reservedConcurrentExecutions": 50})


def test_a_file_that_is_no_zip_cannot_be_unzipped(amazon: Plugin, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_text("no zip")
    bad = {wire.SIGNATURE: wire.ARCHIVE, "hash": "1", "path": str(tmp_path / "bad.zip")}
    assert "Could not unzip uploaded file." in refusal(
        amazon, FUNCTION, function(tmp_path, code=bad)
    )


def test_a_function_url_is_served_on_loopback_and_belongs_to_its_function(
    amazon: Plugin, tmp_path: Path
) -> None:
    given = {"functionName": "chat", "authorizationType": "NONE"}
    assert f"ResourceNotFoundException: Function not found: {ARN}" in refusal(amazon, URL, given)
    amazon.create(FUNCTION, "fn", function(tmp_path))
    made = amazon.create(URL, "url", given)
    (row,) = amazon.store.all(type="aws:lambda/functionUrl:FunctionUrl")
    assert made.outputs["functionUrl"] == f"http://127.0.0.1:{amazon.store.port(str(row.key))}/"
    assert (made.id, made.outputs["functionArn"]) == ("chat", ARN)
    with pytest.raises(CloudError, match="FunctionUrlConfig exists for this Lambda function"):
        amazon.create(URL, "again", {**given, "functionName": ARN})


def test_a_function_url_takes_an_alias_and_never_a_version(amazon: Plugin, tmp_path: Path) -> None:
    amazon.create(FUNCTION, "fn", function(tmp_path, publish=True))
    given = {"functionName": "chat", "authorizationType": "NONE"}
    assert "Value '1' at 'qualifier'" in refusal(amazon, URL, {**given, "qualifier": "1"})
    assert "Function not found" in refusal(amazon, URL, {**given, "qualifier": "live"})
    amazon.create(ALIAS, "live", {"functionName": "chat", "functionVersion": "1", "name": "live"})
    made = amazon.create(URL, "url", {**given, "qualifier": "live"})
    assert (made.id, made.outputs["functionArn"]) == ("chat/live", f"{ARN}:live")


def test_a_permission_needs_its_function_and_an_action_of_lambda(
    amazon: Plugin, tmp_path: Path
) -> None:
    given = {"function": "chat", "action": "lambda:InvokeFunctionUrl", "principal": "*"}
    assert "Function not found" in refusal(amazon, PERMISSION, given)
    amazon.create(FUNCTION, "fn", function(tmp_path))
    assert "at 'action'" in refusal(amazon, PERMISSION, {**given, "action": "s3:GetObject"})
    wrong = {**given, "action": "lambda:InvokeFunction", "functionUrlAuthType": "NONE"}
    assert "FunctionUrlAuthType is only supported" in refusal(amazon, PERMISSION, wrong)
    made = amazon.create(PERMISSION, "open", {**given, "statementId": "open"})
    assert made.id == "chat/open"
    with pytest.raises(CloudError, match=r"The statement id \(open\) provided already exists"):
        amazon.create(PERMISSION, "again", {**given, "statementId": "open"})


def test_an_alias_names_a_published_version(amazon: Plugin, tmp_path: Path) -> None:
    amazon.create(FUNCTION, "fn", function(tmp_path, publish=True))
    given = {"functionName": "chat", "functionVersion": "1", "name": "live"}
    assert f"Function not found: {ARN}:2" in refusal(
        amazon, ALIAS, {**given, "functionVersion": "2"}
    )
    assert "Value '7' at 'name'" in refusal(amazon, ALIAS, {**given, "name": "7"})
    weights = {"additionalVersionWeights": {"1": 0.1}}
    assert "AdditionalVersionWeights" in refusal(amazon, ALIAS, {**given, "routingConfig": weights})
    assert amazon.create(ALIAS, "live", given).outputs["arn"] == f"{ARN}:live"


def test_provisioned_concurrency_needs_a_version_within_the_reservation(
    amazon: Plugin, tmp_path: Path
) -> None:
    given = function(tmp_path, publish=True, reservedConcurrentExecutions=2)
    amazon.create(FUNCTION, "fn", given)
    wanted = {"functionName": "chat", "qualifier": "1", "provisionedConcurrentExecutions": 3}
    assert "should not be greater than the reservedConcurrentExecution" in refusal(
        amazon, PROVISIONED, wanted
    )
    latest = {**wanted, "qualifier": "$LATEST"}
    assert "cannot be applied to unpublished function versions." in refusal(
        amazon, PROVISIONED, latest
    )
    made = amazon.create(PROVISIONED, "warm", {**wanted, "provisionedConcurrentExecutions": 2})
    assert made.id == "chat,1"


@pytest.mark.parametrize(
    "given", ["chat", ARN, f"{ARN}:live", "111122223333:function:chat", "chat:3"]
)
def test_a_function_is_known_by_any_of_its_names(given: str) -> None:
    assert bare_name(given) == "chat"
