"""The embedded CloudWatch Logs: ``FilterLogEvents`` over what the deployed functions wrote.

A filter pattern is one comparison of a JSON field with a text, ``{ $.field = "text" }``, or nothing. Simulated: one stream
for each group, only JSON lines, and nothing expires.
"""

import json
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, cast

from portway.sandbox.dataplane.amazon_cloud import FUNCTION, Caller, Unsigned, caller, refusal
from portway.sandbox.dataplane.bedrock import ApiError
from portway.sandbox.dataplane.front import BodyTooLarge, Exchange
from portway.sandbox.dataplane.lambda_environment import Function
from portway.sandbox.dataplane.log_entries import Entry, LogEntries
from portway.sandbox.dataplane.world import World, child, text
from portway.sandbox.store import Json, Row

OWNER = "cloudwatch-logs"
OPERATION = "FilterLogEvents"
_TARGET = f"Logs_20140328.{OPERATION}"
_CONTENT_TYPE = "application/x-amz-json-1.1"
MAX_BODY_BYTES = 1 << 18
MOST_EVENTS = 10_000
_PATTERN = re.compile(r'\{\s*\$\.(\w+)\s*=\s*"([^"]*)"\s*\}')


class CloudWatchLogs:
    """``logs`` of every region at once."""

    def __init__(self, world: Callable[[], World], logs: LogEntries) -> None:
        self._world = world
        self._logs = logs

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call."""
        try:
            status, answer = 200, await self._answer(exchange)
        except ApiError as error:
            status, answer = error.status, {"__type": error.code, "message": str(error)}
        headers = [("x-amzn-requestid", str(uuid.uuid4()))]
        await exchange.reply(status, json.dumps(answer), _CONTENT_TYPE, headers)

    async def _answer(self, exchange: Exchange) -> Json:
        if exchange.header("x-amz-target") != _TARGET:
            message = f"the sandbox's CloudWatch Logs has {OPERATION} only"
            raise ApiError(400, "UnknownOperationException", message)
        try:
            found: Any = json.loads(await exchange.body(MAX_BODY_BYTES))
            who = caller(exchange, self._world())
        except Unsigned as error:
            raise ApiError(400, error.code, str(error)) from error
        except (ValueError, BodyTooLarge) as error:
            raise ApiError(400, "SerializationException", "the request is not JSON") from error
        asked = cast("Json", found) if isinstance(found, dict) else {}
        group = text(asked, "logGroupName")
        arn = f"arn:aws:logs:{who.region}:{who.account}:log-group:{group}:*"
        sentence = refusal(self._world(), who, f"logs:{OPERATION}", arn)
        if sentence is not None:
            raise ApiError(400, "AccessDeniedException", sentence)
        return _page(asked, self._entries(group, who))

    def _entries(self, group: str, who: Caller) -> list[Entry]:
        functions = [
            row for row in self._world().of(FUNCTION)
            if row.key.scope == f"{who.account}:{who.region}" and log_group(row) == group
        ]  # fmt: skip
        if not functions:
            raise ApiError(
                400, "ResourceNotFoundException", "The specified log group does not exist."
            )
        names = {f"lambda-{Function.read(row, self._world()).name}" for row in functions}
        return [entry for name in sorted(names) for entry in self._logs.of(name)]


def log_group(function: Row) -> str:
    """The log group that a function writes into."""
    name = text(function.inputs, "name") or text(function.outputs, "name") or function.key.id
    return text(child(function.inputs, "loggingConfig"), "logGroup") or f"/aws/lambda/{name}"


def _page(asked: Json, entries: Sequence[Entry]) -> Json:
    pattern = text(asked, "filterPattern")
    match = _PATTERN.fullmatch(pattern.strip())
    if pattern and match is None:
        raise ApiError(
            400, "InvalidParameterException", 'the sandbox reads { $.field = "text" } only'
        )
    start, end = (float(asked.get(name) or 0) / 1000 for name in ("startTime", "endTime"))
    wanted = [
        entry
        for entry in entries
        if start <= entry.at < (end or float("inf"))
        and (match is None or entry.fields.get(match[1]) == match[2])
    ]
    most = min(int(asked.get("limit") or MOST_EVENTS), MOST_EVENTS)
    token = text(asked, "nextToken") or "0"
    if not token.isdigit() or most < 1:
        raise ApiError(400, "InvalidParameterException", "the token or the limit is no number")
    first = int(token)
    shown = [
        {
            "logStreamName": "sandbox",
            "timestamp": int(entry.at * 1000),
            "message": json.dumps(entry.fields),
            "eventId": str(first + number),
        }
        for number, entry in enumerate(wanted[first : first + most])
    ]
    more = {"nextToken": str(first + most)} if first + most < len(wanted) else {}
    return {"events": shown, "searchedLogStreams": [], **more}
