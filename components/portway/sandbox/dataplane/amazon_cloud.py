"""Reading deployed AWS resources: roles and what their policies allow, callers, permissions."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from portway.sandbox.dataplane import iam
from portway.sandbox.dataplane.front import Exchange
from portway.sandbox.dataplane.world import World, items, text
from portway.sandbox.store import Row

ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
POLICY = "aws:iam/policy:Policy"
FUNCTION = "aws:lambda/function:Function"
FUNCTION_URL = "aws:lambda/functionUrl:FunctionUrl"
PERMISSION = "aws:lambda/permission:Permission"
PROVISIONED = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
STAGE = "aws:apigateway/stage:Stage"
SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type token
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"  # noqa: S105 - a type token

# What the policies that AWS itself maintains allow, as far as the data plane serves it.
_MANAGED: Mapping[str, str] = {
    "AdministratorAccess": "*",
    "PowerUserAccess": "*",
    "AmazonBedrockFullAccess": "bedrock:*",
    "SecretsManagerReadWrite": "secretsmanager:*",
}
# Credentials that the sandbox's closed environment gives to the person who deploys.
DEPLOYER = "sandbox"
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")


@dataclass(frozen=True)
class Credentials:
    """What a function's processes sign with; belongs to one role."""

    access_key_id: str
    secret_access_key: str
    session_token: str


@dataclass(frozen=True)
class Caller:
    """Who signed a request, and for which region.

    Attributes:
        arn: an assumed role, or the account's root for the person who deploys.
        role: None for that person, who may do everything.
    """

    arn: str
    role: Row | None
    region: str
    account: str


class Unsigned(Exception):
    """The request has no usable signature: ``code`` and message are AWS's own."""

    def __init__(self, code: str, message: str) -> None:
        """Keep AWS's error ``code``."""
        super().__init__(message)
        self.code = code


def credentials(role_arn: str) -> Credentials:
    """The credentials of a role: always the same, so that a caller is known by its key id."""
    digest = hashlib.sha256(f"sandbox role {role_arn}".encode()).digest()
    name = base64.b32encode(digest).decode()[:16]
    return Credentials(f"ASIA{name}", digest.hex()[:40], f"sandbox-session-{digest.hex()}")


def caller(exchange: Exchange, world: World) -> Caller:
    """Who signed ``exchange``; the signature's own value is not verified.

    Raises:
        Unsigned: nobody, or a key that belongs to nobody.
    """
    found = _CREDENTIAL.search(exchange.header("authorization") or "")
    if found is None:
        raise Unsigned("MissingAuthenticationTokenException", "Missing Authentication Token")
    key_id, region = found[1], found[3]
    if key_id == DEPLOYER:
        account = next((row.key.scope.partition(":")[0] for row in world.of(ROLE)), "")
        return Caller(f"arn:aws:iam::{account}:root", None, region, account)
    for role in world.of(ROLE):
        arn = role_arn(role)
        if credentials(arn).access_key_id == key_id:
            account = arn.split(":")[4]
            name = arn.rpartition("/")[2]
            assumed = f"arn:aws:sts::{account}:assumed-role/{name}/function"
            return Caller(assumed, role, region, account)
    raise Unsigned(
        "UnrecognizedClientException", "The security token included in the request is invalid."
    )


def role_arn(role: Row) -> str:
    """The ARN of a role."""
    account = role.key.scope.partition(":")[0]
    return text(role.outputs, "arn") or f"arn:aws:iam::{account}:role/{role.key.id}"


def refusal(world: World, who: Caller, action: str, resource: str, **context: str) -> str | None:
    """AWS's sentence when ``who`` may not do ``action`` on ``resource``; None when it may.

    ``context`` are condition keys with ``__`` for the colon: ``aws__RequestedRegion``.
    """
    if who.role is None:
        return None
    keys = {name.replace("__", ":"): value for name, value in context.items()}
    keys |= {"aws:RequestedRegion": who.region, "aws:PrincipalArn": role_arn(who.role)}
    keys |= {"aws:SecureTransport": "true", "aws:PrincipalAccount": who.account}
    request = iam.Request(action, resource, keys)
    decision = iam.evaluate(policies(world, who.role), request)
    boundary = text(who.role.inputs, "permissionsBoundary")
    if decision is iam.Decision.ALLOWED and boundary:
        decision = iam.evaluate(_policy(world, boundary), request)
    if decision is iam.Decision.ALLOWED:
        return None
    sentence = f"User: {who.arn} is not authorized to perform: {action} on resource: {resource}"
    if decision is iam.Decision.EXPLICIT_DENY:
        return f"{sentence} with an explicit deny in an identity-based policy"
    return f"{sentence} because no identity-based policy allows the {action} action"


def policies(world: World, role: Row) -> list[iam.Document]:
    """Every identity-based policy of ``role``."""
    names = {role.key.id, text(role.inputs, "name"), text(role.outputs, "name"), role_arn(role)} - {
        ""
    }
    found = [_document(p.get("policy")) for p in items(role.inputs, "inlinePolicies")]
    for row in world.of(ROLE_POLICY):
        if text(row.inputs, "role") in names:
            found.append(_document(row.inputs.get("policy")))  # noqa: PERF401 - clearer than one expression
    attached = [str(arn) for arn in cast("list[Any]", role.inputs.get("managedPolicyArns") or [])]
    attached += [
        text(row.inputs, "policyArn")
        for row in world.of(ATTACHMENT)
        if text(row.inputs, "role") in names
    ]
    return [*found, *(document for arn in attached for document in _policy(world, arn))]


def _policy(world: World, arn: str) -> list[iam.Document]:
    managed = _MANAGED.get(arn.rpartition("/")[2]) if arn.startswith("arn:aws:iam::aws:") else None
    if managed is not None:
        return [{"Statement": {"Effect": "Allow", "Action": managed, "Resource": "*"}}]
    return [
        _document(row.inputs.get("policy")) for row in world.of(POLICY)
        if arn in (row.key.id, text(row.outputs, "arn"))
    ]  # fmt: skip


def _document(policy: Any) -> iam.Document:  # noqa: ANN401 - JSON text or an object
    if not isinstance(policy, str):
        return policy or {}
    try:
        document: Any = json.loads(policy)
    except ValueError:
        return {}
    return cast("iam.Document", document) if isinstance(document, dict) else {}
