"""The embedded DynamoDB: UpdateItem and GetItem on the tables that are deployed, after IAM's checks.

Simulated: capacity and throttling, streams, indexes, and the deletion of items whose time is over.
Every other operation is refused as one that DynamoDB does not know.
"""

import json
import uuid
import zlib
from collections.abc import Callable
from typing import Any, cast

from portway.sandbox.dataplane.amazon_cloud import Caller, Unsigned, caller, refusal
from portway.sandbox.dataplane.bedrock import ApiError
from portway.sandbox.dataplane.dynamodb_expressions import Expressions, Invalid, Item
from portway.sandbox.dataplane.front import BodyTooLarge, Exchange
from portway.sandbox.dataplane.records import Records
from portway.sandbox.dataplane.world import World, items, text
from portway.sandbox.store import Json, Row

OWNER = "dynamodb"
TABLE = "aws:dynamodb/table:Table"
_PREFIX = "DynamoDB_20120810."
CONTENT_TYPE = "application/x-amz-json-1.0"
MAX_BODY_BYTES = 1 << 20
MAX_ITEM_BYTES = 400 << 10
_OWN = "com.amazonaws.dynamodb.v20120810#"
_CORAL = "com.amazon.coral.service#"
_VALIDATION = "com.amazon.coral.validate#ValidationException"


class ConditionFailed(Exception):
    """The item is not as the request wants it; ``item`` is how it is."""

    def __init__(self, item: Item) -> None:
        """Keep the item."""
        super().__init__("The conditional request failed")
        self.item = item


class DynamoDb:
    """``dynamodb`` of every region at once."""

    def __init__(self, world: Callable[[], World], records: Records) -> None:
        self._world = world
        self._records = records

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call."""
        try:
            await _reply(exchange, 200, await self._answer(exchange))
        except ApiError as error:
            await _reply(exchange, error.status, {"__type": error.code, "message": str(error)})
        except Invalid as error:
            await _reply(exchange, 400, {"__type": _VALIDATION, "message": str(error)})
        except ConditionFailed as error:
            body: Json = {
                "__type": f"{_OWN}ConditionalCheckFailedException",
                "message": str(error),
            }
            await _reply(exchange, 400, body | ({"Item": error.item} if error.item else {}))

    async def _answer(self, exchange: Exchange) -> Json:
        operations = {"UpdateItem": self._apply, "GetItem": self._get}
        operation = (exchange.header("x-amz-target") or "").removeprefix(_PREFIX)
        if operation not in operations:
            raise ApiError(
                400,
                f"{_CORAL}UnknownOperationException",
                f"the sandbox's DynamoDB has {' and '.join(operations)} only, not {operation[:100]}",
            )
        try:
            asked: Any = json.loads(await exchange.body(MAX_BODY_BYTES))
            who = caller(exchange, self._world())
        except (ValueError, BodyTooLarge) as error:
            raise ApiError(
                400, f"{_CORAL}SerializationException", "the request is not JSON"
            ) from error
        except Unsigned as error:
            raise ApiError(400, f"{_CORAL}{error.code}", str(error)) from error
        fields = cast("Json", asked) if isinstance(asked, dict) else {}
        table = self._table(text(fields, "TableName"), who, operation)
        return operations[operation](table, fields)

    def _get(self, table: Row, fields: Json) -> Json:
        key = _key(table, fields.get("Key") or {})
        found = self._records.get(str(table.key), json.dumps(key, sort_keys=True))
        return {} if found is None else {"Item": found}

    def _table(self, name: str, who: Caller, operation: str) -> Row:
        scope = f"{who.account}:{who.region}"
        arn = f"arn:aws:dynamodb:{who.region}:{who.account}:table/{name.rpartition('/')[2]}"
        sentence = refusal(self._world(), who, f"dynamodb:{operation}", arn)
        if sentence is not None:
            raise ApiError(400, f"{_CORAL}AccessDeniedException", sentence)
        for row in self._world().of(TABLE):
            names = (row.key.id, text(row.inputs, "name"), text(row.outputs, "arn"))
            if name in names and row.key.scope == scope:
                return row
        raise ApiError(400, f"{_OWN}ResourceNotFoundException", "Requested resource not found")

    def _apply(self, table: Row, fields: Json) -> Json:
        key = _key(table, fields.get("Key") or {})
        container, name = str(table.key), json.dumps(key, sort_keys=True)
        before = cast("Item", self._records.get(container, name) or {})
        used = Expressions(
            fields.get("ExpressionAttributeNames") or {},
            fields.get("ExpressionAttributeValues") or {},
        )
        condition = text(fields, "ConditionExpression")
        holds = not condition or used.holds(condition, before)
        after, touched = used.updated(text(fields, "UpdateExpression"), before or dict(key))
        used.check_all_used()
        if not holds:
            shown = text(fields, "ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise ConditionFailed(before if shown else {})
        if after.keys() & key.keys() and any(after.get(each) != key[each] for each in key):
            raise Invalid(
                "One or more parameter values were invalid: Cannot update attribute "
                f"{next(iter(key))}. This attribute is part of the key"
            )
        if len(json.dumps(after)) > MAX_ITEM_BYTES:
            raise Invalid("Item size to update has exceeded the maximum allowed size")
        self._records.put(container, [(name, after)])
        returned = text(fields, "ReturnValues") or "NONE"
        shown_after = {each: after[each] for each in touched if each in after}
        answers: dict[str, Json] = {
            "NONE": {},
            "ALL_NEW": {"Attributes": after},
            "ALL_OLD": {"Attributes": before} if before else {},
            "UPDATED_NEW": {"Attributes": shown_after},
        }
        if returned not in answers:
            raise Invalid(f"Return values set to invalid value: {returned}")
        return answers[returned]


def _key(table: Row, given: Json) -> Item:
    """The item's key.

    Raises:
        Invalid: it is not of the table's schema.
    """
    wanted = [
        name for name in (text(table.inputs, "hashKey"), text(table.inputs, "rangeKey")) if name
    ]
    types = {text(each, "name"): text(each, "type") for each in items(table.inputs, "attributes")}
    fits = given.keys() == set(wanted) and all(
        list(given[name]) == [types.get(name, "S")] for name in wanted
    )
    if not fits:
        raise Invalid("The provided key element does not match the schema")
    return cast("Item", given)


async def _reply(exchange: Exchange, status: int, value: Json) -> None:
    body = json.dumps(value)
    checksum = str(zlib.crc32(body.encode()))
    headers = [("x-amzn-requestid", str(uuid.uuid4())), ("x-amz-crc32", checksum)]
    await exchange.reply(status, body, CONTENT_TYPE, headers)
