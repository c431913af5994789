"""The embedded DynamoDB, called with the AWS SDK, and its expressions by themselves."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import botocore.session
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from portway.sandbox.dataplane.dynamodb import TABLE
from portway.sandbox.dataplane.dynamodb_expressions import Expressions, Invalid
from support.databases import REGION, Deployed, allowed, dynamodb

KEY = {"id": {"S": "a"}}


@pytest.fixture
def deployed(tmp_path: Path) -> Generator[Deployed]:
    with dynamodb(tmp_path) as found:
        yield found


@pytest.fixture
def client(deployed: Deployed) -> Generator[Any]:
    given = deployed.environment
    found: Any = botocore.session.Session().create_client(  # pyright: ignore[reportUnknownMemberType] - the SDK has no types
        "dynamodb", region_name=REGION, endpoint_url=given["AWS_ENDPOINT_URL_DYNAMODB"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    yield found
    found.close()


def update(client: Any, expression: str, **more: Any) -> Any:
    whole = {"TableName": "chat-meter", "Key": KEY, "UpdateExpression": expression}
    return client.update_item(**{**whole, **more})


def refused(client: Any, expression: str = "REMOVE a", **more: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        update(client, expression, **more)
    error: Any = caught.value
    return error.response["Error"]["Code"], error.response["Error"]["Message"]


def number(value: int) -> dict[str, dict[str, str]]:
    return {":v": {"N": str(value)}}


def test_an_item_is_made_changed_and_returned(client: Any) -> None:
    update(client, "SET a = :v", ExpressionAttributeValues=number(7))
    answer = update(
        client, "ADD a :v", ExpressionAttributeValues=number(-2), ReturnValues="ALL_NEW"
    )
    assert answer["Attributes"] == {"id": {"S": "a"}, "a": {"N": "5"}}
    answer = update(client, "REMOVE a", ReturnValues="ALL_OLD")
    assert answer["Attributes"] == {"id": {"S": "a"}, "a": {"N": "5"}}


def test_a_condition_that_does_not_hold_shows_the_item_where_that_was_asked(client: Any) -> None:
    update(client, "SET a = :v", ExpressionAttributeValues=number(7))
    with pytest.raises(ClientError) as caught:
        update(
            client, "ADD a :v", ConditionExpression="a < :v",
            ExpressionAttributeValues=number(5), ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )  # fmt: skip
    error: Any = caught.value
    response = error.response
    assert response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert response["Error"]["Message"] == "The conditional request failed"
    assert response["Item"] == {"id": {"S": "a"}, "a": {"N": "7"}}


def test_what_is_not_deployed_or_not_allowed_is_refused_in_its_own_words(
    client: Any, deployed: Deployed
) -> None:
    assert refused(client, TableName="other")[0] == "AccessDeniedException"
    deployed.rows[2] = allowed("dynamodb:*", "*")
    assert refused(client, TableName="other") == (
        "ResourceNotFoundException",
        "Requested resource not found",
    )
    deployed.rows[2] = allowed("dynamodb:PutItem", "*")
    code, message = refused(client)
    assert code == "AccessDeniedException"
    assert (
        "is not authorized to perform: dynamodb:UpdateItem on resource: arn:aws:dynamodb" in message
    )
    table = next(row for row in deployed.rows if row.key.type == TABLE)
    assert table.key.id == "chat-meter"


def test_a_key_of_another_schema_is_refused(client: Any) -> None:
    expected = ("ValidationException", "The provided key element does not match the schema")
    assert refused(client, Key={"other": {"S": "a"}}) == expected
    assert refused(client, Key={"id": {"N": "1"}}) == expected


def test_the_key_cannot_be_changed(client: Any) -> None:
    code, message = refused(
        client, "SET id = :v", ExpressionAttributeValues={":v": {"S": "another"}}
    )
    assert code == "ValidationException"
    assert "Cannot update attribute id. This attribute is part of the key" in message


def test_an_item_is_read_by_whom_a_policy_allows(client: Any, deployed: Deployed) -> None:
    update(client, "SET a = :v", ExpressionAttributeValues=number(7))
    with pytest.raises(ClientError, match="not authorized to perform: dynamodb:GetItem"):
        client.get_item(TableName="chat-meter", Key=KEY)
    deployed.rows.append(allowed("dynamodb:GetItem", "*"))
    found = client.get_item(TableName="chat-meter", Key=KEY)["Item"]
    assert found == {"id": {"S": "a"}, "a": {"N": "7"}}
    assert "Item" not in client.get_item(TableName="chat-meter", Key={"id": {"S": "other"}})


def test_other_operations_are_not_known(client: Any) -> None:
    with pytest.raises(ClientError, match="UnknownOperationException"):
        client.delete_item(TableName="chat-meter", Key=KEY)


def test_who_signed_nothing_is_nobody(deployed: Deployed) -> None:
    address = deployed.environment["AWS_ENDPOINT_URL_DYNAMODB"]
    headers = {"x-amz-target": "DynamoDB_20120810.UpdateItem"}
    answer = httpx.post(address, json={}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["__type"].endswith("#MissingAuthenticationTokenException")
    assert (
        httpx.post(address, content=b"{", headers=headers)
        .json()["__type"]
        .endswith("#SerializationException")
    )


ITEM: dict[str, dict[str, Any]] = {"n": {"N": "10"}, "s": {"SS": ["a", "b"]}, "t": {"S": "text"}}
VALUES: dict[str, dict[str, Any]] = {
    ":nine": {"N": "9"},
    ":ten": {"N": "10"},
    ":a": {"S": "a"},
    ":b": {"SS": ["b"]},
    ":ab": {"SS": ["a", "b"]},
    ":z": {"SS": ["z"]},
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("n > :nine", True),
        ("n <= :nine", False),
        ("n = :ten AND n <> :nine", True),
        ("n < :nine OR n >= :ten", True),
        ("NOT n > :nine", False),
        ("NOT (n > :nine AND missing = :ten)", True),
        ("n > :nine OR n > :nine AND missing = :ten", True),
        ("missing <= :ten", False),
        ("missing <> :ten", False),
        ("t <> :ten", True),
        ("t < :ten", False),
        ("attribute_exists(n)", True),
        ("attribute_not_exists(missing)", True),
        ("attribute_not_exists(#n)", False),
        ("contains(s, :a)", True),
        ("contains(missing, :a)", False),
        ("NOT contains(missing, :a)", True),
        ("contains(t, :a)", False),
        ("contains(n, :ten)", False),
    ],
)
def test_conditions(condition: str, holds: bool) -> None:  # noqa: FBT001 - a table
    assert Expressions({"#n": "n"}, VALUES).holds(condition, ITEM) is holds


@pytest.mark.parametrize(
    ("expression", "after"),
    [
        ("SET n = :nine", {**ITEM, "n": {"N": "9"}}),
        ("ADD n :nine, m :ten", {**ITEM, "n": {"N": "19"}, "m": {"N": "10"}}),
        ("ADD s :z SET t = :a", {**ITEM, "s": {"SS": ["a", "b", "z"]}, "t": {"S": "a"}}),
        ("DELETE s :b", {**ITEM, "s": {"SS": ["a"]}}),
        ("DELETE s :ab", {"n": ITEM["n"], "t": ITEM["t"]}),
        ("DELETE missing :b", ITEM),
        ("REMOVE n, s", {"t": {"S": "text"}}),
    ],
)
def test_updates(expression: str, after: dict[str, Any]) -> None:
    assert Expressions({}, VALUES).updated(expression, ITEM)[0] == after


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "The expression can not be empty"),
        ("PUT n :nine", 'Syntax error; token: "PUT"'),
        ("SET n", 'Syntax error; token: "<EOF>"'),
        ("SET n + :nine", 'Syntax error; token: "+"'),
        ("SET a.b = :nine", 'Syntax error; token: "."'),
        ("SET n = n", 'Syntax error; token: "n"'),
        ("SET n = :other", "value used in expression is not defined; attribute value: :other"),
        ("SET #x = :nine", "is not defined; attribute name: #x"),
        ("SET n = :nine, n = :ten", "Two document paths overlap"),
        ("ADD t :nine", "An operand in the update expression has an incorrect data type"),
        ("ADD n :a", "Incorrect operand type for operator or function; operator: ADD"),
        ("DELETE n :nine", "Incorrect operand type for operator or function; operator: DELETE"),
        ("DELETE n :b", "An operand in the update expression has an incorrect data type"),
    ],
)
def test_expressions_that_are_refused(expression: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        Expressions({}, VALUES).updated(expression, ITEM)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "condition",
    ["n", "n >", "n > n", "(n > :nine", "size(n) > :nine", "n > :nine extra", "n ! :ten"],
)
def test_conditions_that_are_refused(condition: str) -> None:
    with pytest.raises(Invalid, match="Invalid ConditionExpression: Syntax error"):
        Expressions({}, VALUES).holds(condition, ITEM)


def test_what_no_expression_uses_is_refused() -> None:
    used = Expressions({"#n": "n"}, {":a": {"S": "a"}, ":b": {"S": "b"}})
    used.updated("SET #n = :a", {})
    with pytest.raises(Invalid, match=r"ExpressionAttributeValues unused .* keys: \{:b\}"):
        used.check_all_used()
