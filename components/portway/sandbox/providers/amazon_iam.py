"""IAM as it admits roles and policies, and whether a role trusts a service."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from portway.sandbox.providers import amazon_errors
from portway.sandbox.providers.behaviour import Behaviour, Deployed, objects_at
from portway.sandbox.providers.cloud import ACCOUNT, Failure, Request
from portway.sandbox.providers.wire import UNKNOWN, Json, Value, has_unknown, is_list, is_object
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
POLICY = "aws:iam/policy:Policy"
_PARTITIONS = {"aws", "aws-cn", "aws-us-gov", "aws-eusc"}
_MAX_NAME = 64
_MAX_INLINE = 10_240


def as_text(document: Json) -> str:
    """A policy document as IAM keeps it; unknown when any part of it is."""
    return UNKNOWN if has_unknown(document) else json.dumps(document, separators=(",", ":"))


def trusts(cloud: "StoredCloud", role_arn: str, service: str) -> bool:
    """Whether the role is there and lets ``service`` assume it."""
    role = _role(cloud, role_arn)
    if role is None:
        return False
    for statement in statements(role.inputs.get("assumeRolePolicy")):
        principal = statement.get("Principal")
        services = _items(principal.get("Service")) if is_object(principal) else _items(principal)
        actions = [str(action).lower() for action in _items(statement.get("Action"))]
        if (
            statement.get("Effect") == "Allow"
            and {service, "*"} & set(map(str, services))
            and {"sts:assumerole", "sts:*", "*"} & set(actions)
        ):
            return True
    return False


def statements(policy: Value) -> list[Json]:
    """The statements of a policy document, given as text or as an object; none if it is neither."""
    if isinstance(policy, str):
        try:
            policy = json.loads(policy)
        except ValueError:
            return []
    if not is_object(policy):
        return []
    return [one for one in _items(policy.get("Statement")) if is_object(one)]


def policy_document(args: Json) -> Json:
    """What the ``getPolicyDocument`` data source answers: the document as JSON text."""
    found: list[Json] = []
    for given in objects_at(args, "statements"):
        statement: Json = {"Effect": given.get("effect") or "Allow"}
        for field, name in (("sid", "Sid"), ("actions", "Action"), ("notActions", "NotAction"), ("resources", "Resource"), ("notResources", "NotResource")):  # fmt: skip
            if given.get(field):
                value = given[field]
                statement[name] = value[0] if is_list(value) and len(value) == 1 else value
        for principal in objects_at(given, "principals"):
            kinds: Json = statement.setdefault("Principal", {})
            kinds[principal["type"]] = principal["identifiers"]
        for condition in objects_at(given, "conditions"):
            tests: Json = statement.setdefault("Condition", {}).setdefault(condition["test"], {})
            tests[condition["variable"]] = condition["values"]
        found.append(statement)
    document = {"Version": args.get("version") or "2012-10-17", "Statement": found}
    text = json.dumps(document, indent=2)
    made = str(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16))
    return {**args, "id": made, "json": text, "minifiedJson": json.dumps(document)}


def admit_role(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A trust policy must name principals and actions.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    del cloud
    for statement in statements(deployed.inputs.get("assumeRolePolicy")):
        if "Principal" not in statement and "NotPrincipal" not in statement:
            text = "MalformedPolicyDocument: AssumeRole policy must contain a principal"
            raise amazon_errors.refused(deployed, text)


def admit_role_policy(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An inline policy needs its role, a size IAM takes and resources it can read.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    _need_role(cloud, deployed)
    policy = str(deployed.inputs.get("policy"))
    if len(re.sub(r"\s", "", policy)) > _MAX_INLINE:
        text = f"LimitExceeded: Maximum policy size of {_MAX_INLINE} bytes exceeded for role {deployed.inputs.get('role')}"
        raise amazon_errors.refused(deployed, text)
    _well_formed(deployed, policy)


def admit_policy(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A managed policy needs resources IAM can read.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    del cloud
    _well_formed(deployed, str(deployed.inputs.get("policy")))


def admit_attachment(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An attachment needs its role, and its policy where that is one of the account's own.

    Raises:
        CloudError: NOT_FOUND.
    """
    _need_role(cloud, deployed)
    arn = str(deployed.inputs.get("policyArn"))
    own = arn.startswith(f"arn:aws:iam::{ACCOUNT}:policy/")
    if own and cloud.store.get(Key("aws", deployed.key.scope, POLICY, arn)) is None:
        text = f"NoSuchEntity: Policy {arn} does not exist or is not attachable."
        raise amazon_errors.not_found(deployed, text)


def release_role(cloud: "StoredCloud", row: Row, request: Request) -> None:
    """A role that still has policies stays.

    Raises:
        CloudError: FAILED_PRECONDITION.
    """
    if request.old_outputs.get("forceDetachPolicies") is True:
        return
    for token in (ROLE_POLICY, ATTACHMENT):
        for one in cloud.rows(token, row.key.scope):
            if one.inputs.get("role") == row.key.id:
                word = "detach all policies" if token == ATTACHMENT else "delete policies"
                text = f"DeleteConflict: Cannot delete entity, must {word} first."
                raise amazon_errors.conflict(request, "delete", text)


def _role(cloud: "StoredCloud", name_or_arn: str) -> Row | None:
    name = name_or_arn.rsplit("/", 1)[-1]
    row = cloud.store.get(Key("aws", f"{ACCOUNT}:global", ROLE, name))
    if row is None or (name_or_arn.startswith("arn:") and row.outputs.get("arn") != name_or_arn):
        return None
    return row


def _need_role(cloud: "StoredCloud", deployed: Deployed) -> None:
    role = str(deployed.inputs.get("role"))
    if _role(cloud, role) is None:
        text = f"NoSuchEntity: The role with name {role} cannot be found."
        raise amazon_errors.not_found(deployed, text)


def _well_formed(deployed: Deployed, policy: str) -> None:
    for problem in _malformed(policy):
        raise amazon_errors.refused(deployed, f"MalformedPolicyDocument: {problem}")


def _malformed(policy: str) -> Iterator[str]:
    found = statements(policy)
    if not found:
        yield "Syntax errors in policy."
    for statement in found:
        if "Action" not in statement and "NotAction" not in statement:
            yield "Policy statement must contain actions."
        if "Resource" not in statement and "NotResource" not in statement:
            yield "Policy statement must contain resources."
        for resource in map(str, _items(statement.get("Resource"))):
            parts = resource.split(":", 5)
            if resource == "*":
                continue
            if len(parts) < 6 or parts[0] != "arn":  # noqa: PLR2004 - an ARN has six parts
                yield f'Resource {resource} must be in ARN format or "*".'
            elif parts[1] not in _PARTITIONS and "*" not in parts[1]:
                yield f'Partition "{parts[1]}" is not valid for resource "{resource}".'


def _check_name(inputs: Json) -> list[Failure]:
    name = inputs.get("name")
    if isinstance(name, str) and name != UNKNOWN and len(name) > _MAX_NAME:
        return [Failure("name", f"expected length of name to be in the range (1 - 64), got {name}")]
    return []


def _check_json(field: str) -> Any:  # noqa: ANN401 - a validator
    def validate(inputs: Json) -> list[Failure]:
        text = inputs.get(field)
        problems = _check_name(inputs)
        if isinstance(text, str) and text != UNKNOWN and not statements(text):
            snake = re.sub(r"(?<!^)(?=[A-Z])", "_", field).lower()
            problems.append(Failure(field, f'"{snake}" contains an invalid JSON policy: not a JSON object with statements'))  # fmt: skip
        return problems

    return validate


def _items(value: Value) -> list[Value]:
    if value is None:
        return []
    return value if is_list(value) else [value]


check_policy = _check_json("policy")
"""What the provider refuses of any resource with a policy document under ``policy``."""

BEHAVIOURS = {
    ROLE: Behaviour(
        validate=_check_json("assumeRolePolicy"), admit=admit_role, release=release_role
    ),
    ROLE_POLICY: Behaviour(validate=check_policy, admit=admit_role_policy),
    POLICY: Behaviour(validate=check_policy, admit=admit_policy),
    ATTACHMENT: Behaviour(admit=admit_attachment),
}
