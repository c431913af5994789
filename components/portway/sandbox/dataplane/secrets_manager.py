"""The embedded Secrets Manager: GetSecretValue over its JSON protocol, after the same IAM checks."""

import json
import uuid
from collections.abc import Callable
from typing import Any, cast

from portway.sandbox.dataplane.amazon_cloud import (
    SECRET,
    SECRET_VERSION,
    Caller,
    Unsigned,
    caller,
    refusal,
)
from portway.sandbox.dataplane.bedrock import ApiError
from portway.sandbox.dataplane.front import BodyTooLarge, Exchange
from portway.sandbox.dataplane.world import World, text
from portway.sandbox.store import Row

OWNER = "secretsmanager"
TARGET = "secretsmanager.GetSecretValue"
MAX_BODY_BYTES = 1 << 20
CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"


class SecretsManager:
    """``secretsmanager`` of every region at once."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call."""
        headers = [("x-amzn-requestid", str(uuid.uuid4()))]
        kind = "application/x-amz-json-1.1"
        try:
            body = json.dumps(await self._get(exchange))
            await exchange.reply(200, body, kind, headers)
        except ApiError as error:
            body = json.dumps({"__type": error.code, "message": str(error)})
            await exchange.reply(error.status, body, kind, headers)

    async def _get(self, exchange: Exchange) -> dict[str, Any]:
        if exchange.header("x-amz-target") != TARGET:
            raise ApiError(
                400, "UnknownOperationException", f"the sandbox's Secrets Manager has {TARGET} only"
            )
        try:
            asked: Any = json.loads(await exchange.body(MAX_BODY_BYTES))
            who = caller(exchange, self._world())
        except (ValueError, BodyTooLarge) as error:
            raise ApiError(400, "SerializationException", "the request is not JSON") from error
        except Unsigned as error:
            raise ApiError(400, error.code, str(error)) from error
        fields = cast("dict[str, Any]", asked) if isinstance(asked, dict) else {}
        name = text(fields, "SecretId")
        secret = self._secret(name, who)
        arn = text(secret.outputs, "arn") if secret else name
        sentence = refusal(
            self._world(), who, TARGET.replace("secretsmanager.", "secretsmanager:"), arn
        )
        if sentence is not None:
            raise ApiError(400, "AccessDeniedException", sentence)
        if secret is None:
            raise ApiError(
                400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
            )
        return self._value(secret, text(fields, "VersionId"), text(fields, "VersionStage"))

    def _secret(self, name: str, who: Caller) -> Row | None:
        scope = f"{who.account}:{who.region}"
        for row in self._world().of(SECRET):
            names = (row.key.id, text(row.outputs, "arn"), text(row.inputs, "name"))
            if name in names and (who.role is None or row.key.scope == scope):
                return row
        return None

    def _value(self, secret: Row, version: str, stage: str) -> dict[str, Any]:
        names = {secret.key.id, text(secret.outputs, "arn"), text(secret.inputs, "name")} - {""}
        versions = [
            row for row in self._world().of(SECRET_VERSION)
            if row.key.scope == secret.key.scope and text(row.inputs, "secretId") in names
        ]  # fmt: skip
        stages = {CURRENT: versions[-1:], PREVIOUS: versions[-2:-1]}
        found = stages.get(stage or CURRENT, [])
        if version:
            found = [row for row in versions if text(row.outputs, "versionId") == version]
        if not found:
            raise ApiError(
                400,
                "ResourceNotFoundException",
                f"Secrets Manager can't find the specified secret value for staging label: {stage or CURRENT}",
            )
        row = found[0]
        payload = {
            "SecretString": row.inputs.get("secretString") or row.inputs.get("secretStringWo")
        }
        if row.inputs.get("secretBinary"):
            payload = {"SecretBinary": row.inputs["secretBinary"]}
        return {
            "ARN": text(secret.outputs, "arn"),
            "Name": text(secret.inputs, "name") or text(secret.outputs, "name"),
            "VersionId": text(row.outputs, "versionId"),
            "VersionStages": [CURRENT if row is versions[-1] else PREVIOUS],
            **payload,
        }
