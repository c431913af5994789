"""Tables that count, budgets and what they stop, topics and alarms, in the embedded AWS.

The text for an execution role that Budgets cannot assume is ours: no copy of the service's was found.
"""

import re
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from portway.sandbox.providers import amazon_errors
from portway.sandbox.providers.amazon_iam import check_policy, statements, trusts
from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, objects_at
from portway.sandbox.providers.cloud import ACCOUNT, Failure, Request
from portway.sandbox.providers.wire import UNKNOWN, Json, Value, is_list
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

TABLE = "aws:dynamodb/table:Table"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
BUDGET = "aws:budgets/budget:Budget"
ACTION = "aws:budgets/budgetAction:BudgetAction"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
_BUDGETS = "budgets.amazonaws.com"
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_BUDGET_NAME = re.compile(r"[^:\\]{1,100}")
_AMOUNT = re.compile(r"([0-9]*\.)?[0-9]+")
_SHORT_PERIODS = (10, 20, 30)
_MINUTE = 60
_MOST_NOTIFICATIONS = 10


def check_table(inputs: Json) -> list[Failure]:
    """Names, and attributes that are exactly the ones that keys are made of."""
    name = inputs.get("name")
    if isinstance(name, str) and name != UNKNOWN and not _TABLE_NAME.fullmatch(name):
        text = f'invalid value for name ({name}): must be 3 to 255 characters of "a-z", "A-Z", "0-9", "_", "-" and "."'
        return [Failure("name", text)]
    named = {str(one.get("name")) for one in objects_at(inputs, "attributes")}
    keys = set(_keys(inputs))
    if UNKNOWN in named | keys:
        return []
    if named - keys:
        text = f"all attributes must be indexed. Unused attributes: {_quoted(named - keys)}"
        return [Failure("attributes", text)]
    if keys - named:
        text = f"all indexes must match a defined attribute. Unmatched indexes: {_quoted(keys - named)}"
        return [Failure("attributes", text)]
    return []


def admit_table(cloud: "StoredCloud", deployed: Deployed) -> None:
    """Provisioned capacity is given where it is to be provisioned.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    del cloud
    inputs = deployed.inputs
    provisioned = (inputs.get("billingMode") or "PROVISIONED") == "PROVISIONED"
    if provisioned and not (inputs.get("readCapacity") and inputs.get("writeCapacity")):
        text = "ValidationException: One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        raise amazon_errors.refused(deployed, text)


def release_table(cloud: "StoredCloud", row: Row, request: Request) -> None:
    """A protected table stays.

    Raises:
        CloudError: FAILED_PRECONDITION.
    """
    del cloud
    if row.inputs.get("deletionProtectionEnabled") is True:
        text = "ValidationException: Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
        raise amazon_errors.conflict(request, "delete", text)


def admit_topic_policy(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A policy needs its topic, and speaks of SNS alone.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    arn = str(deployed.inputs.get("arn"))
    if cloud.store.get(Key("aws", deployed.key.scope, TOPIC, arn)) is None:
        raise amazon_errors.not_found(deployed, "NotFound: Topic does not exist")
    for statement in statements(deployed.inputs.get("policy")):
        actions = [str(one).lower() for one in _listed(statement.get("Action"))]
        if not actions or not all(one.startswith("sns:") for one in actions):
            text = (
                "InvalidParameter: Invalid parameter: Policy statement action out of service scope!"
            )
            raise amazon_errors.refused(deployed, text)


def check_budget(inputs: Json) -> list[Failure]:
    """A name that can stand in an ARN, and somebody to tell of each threshold."""
    failures: list[Failure] = []
    name = inputs.get("name")
    if isinstance(name, str) and name != UNKNOWN and not _BUDGET_NAME.fullmatch(name):
        text = "expected 1 to 100 characters; The ':' and '\\' characters aren't allowed"
        failures.append(Failure("name", text))
    for index, one in enumerate(objects_at(inputs, "notifications")):
        if not (one.get("subscriberEmailAddresses") or one.get("subscriberSnsTopicArns")):
            text = "Notification must have at least one subscriber!"
            failures.append(Failure(f"notifications[{index}]", text))
    return failures


def admit_budget(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An amount that is a number, and as many notifications as a budget can have.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    del cloud
    amount = deployed.inputs.get("limitAmount")
    if amount is not None and not _AMOUNT.fullmatch(str(amount)):
        text = (
            f"ValidationException: 1 validation error detected: Value '{amount}' at 'budget.budgetLimit.amount' failed to "
            "satisfy constraint: Member must satisfy regular expression pattern: ([0-9]*\\.)?[0-9]+"
        )
        raise amazon_errors.refused(deployed, text)
    if len(objects_at(deployed.inputs, "notifications")) > _MOST_NOTIFICATIONS:
        name = deployed.inputs.get("name")
        text = f"CreationLimitExceededException: Unable to create notification - the budget {name} has {_MOST_NOTIFICATIONS}"
        raise amazon_errors.refused(deployed, text)


def admit_action(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An action needs its budget, and a role that Budgets may assume.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    name = str(deployed.inputs.get("budgetName"))
    if cloud.store.get(Key("aws", deployed.key.scope, BUDGET, f"{ACCOUNT}:{name}")) is None:
        text = f"NotFoundException: Unable to get budget: {name} - the budget doesn't exist."
        raise amazon_errors.not_found(deployed, text)
    role = str(deployed.inputs.get("executionRoleArn"))
    if not trusts(cloud, role, _BUDGETS):
        text = f"InvalidParameterException: {_BUDGETS} cannot assume the execution role {role}"
        raise amazon_errors.refused(deployed, text)
    if not _has_definition(deployed.inputs):
        text = f"InvalidParameterException: the definition is not one of {deployed.inputs.get('actionType')}"
        raise amazon_errors.refused(deployed, text)


def identify_action(cloud: "StoredCloud", inputs: Json) -> str:
    """Account, action and budget, as the provider joins them."""
    del cloud
    return f"{ACCOUNT}:{uuid.uuid4()}:{inputs.get('budgetName')}"


def action_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """The action's own id, its ARN, and that nothing was done yet."""
    del cloud, known
    _, action, budget = deployed.key.id.split(":", 2)
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/{budget}/action/{action}"
    return {"actionId": action, "arn": arn, "status": "STANDBY"}


def check_alarm(inputs: Json) -> list[Failure]:
    """Periods that CloudWatch has."""
    period = inputs.get("period")
    if isinstance(period, str) or period is None:
        return []
    seconds = int(period)
    if seconds in _SHORT_PERIODS or (seconds > 0 and seconds % _MINUTE == 0):
        return []
    text = f"expected period to be one of [10 20 30], got {seconds}; expected period to be divisible by 60, got: {seconds}"
    return [Failure("period", text)]


def admit_alarm(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An alarm tells topics of its own region.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    del cloud
    own = deployed.key.scope.partition(":")[2]
    for field in ("alarmActions", "okActions", "insufficientDataActions"):
        for arn in map(str, _listed(deployed.inputs.get(field))):
            found = re.match(r"arn:[\w-]+:sns:([\w-]+):", arn)
            if found and found[1] != own:
                text = f"ValidationError: Invalid region {found[1]} specified. Only {own} is supported."
                raise amazon_errors.refused(deployed, text)


def _keys(inputs: Json) -> Iterator[str]:
    indexes = ("globalSecondaryIndexes", "localSecondaryIndexes")
    for one in (inputs, *(index for name in indexes for index in objects_at(inputs, name))):
        yield from (str(one[key]) for key in ("hashKey", "rangeKey") if one.get(key))
        yield from (str(key.get("attributeName")) for key in objects_at(one, "keySchemas"))


def _has_definition(inputs: Json) -> bool:
    part = {
        "APPLY_IAM_POLICY": "iamActionDefinition",
        "APPLY_SCP_POLICY": "scpActionDefinition",
        "RUN_SSM_DOCUMENTS": "ssmActionDefinition",
    }.get(str(inputs.get("actionType")))
    return part is not None and bool(nested(inputs, f"definition.{part}"))


def _listed(value: Value) -> list[Value]:
    if value is None:
        return []
    return value if is_list(value) else [value]


def _quoted(names: set[str]) -> str:
    return "[" + " ".join(f'"{name}"' for name in sorted(names)) + "]"


BEHAVIOURS = {
    TABLE: Behaviour(validate=check_table, admit=admit_table, release=release_table),
    TOPIC_POLICY: Behaviour(validate=check_policy, admit=admit_topic_policy),
    BUDGET: Behaviour(validate=check_budget, admit=admit_budget),
    ACTION: Behaviour(identify=identify_action, admit=admit_action, outputs=action_outputs),
    ALARM: Behaviour(validate=check_alarm, admit=admit_alarm),
}
