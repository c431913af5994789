"""Tables that count, budgets and what they stop, topics and alarms, as AWS admits them."""

import json
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.providers.cloud import CloudError, Code
from portway.sandbox.providers.wire import Json
from support.plugin import Plugin

TABLE = "aws:dynamodb/table:Table"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
BUDGET = "aws:budgets/budget:Budget"
ACTION = "aws:budgets/budgetAction:BudgetAction"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ROLE = "aws:iam/role:Role"
METER: Json = {
    "name": "chat-meter",
    "hashKey": "id",
    "attributes": [{"name": "id", "type": "S"}],
    "billingMode": "PAY_PER_REQUEST",
}


def notice(**told: Any) -> Json:
    return {
        "comparisonOperator": "GREATER_THAN", "notificationType": "ACTUAL", "threshold": 50,
        "thresholdType": "PERCENTAGE", **told,
    }  # fmt: skip


def budget(**changed: Any) -> Json:
    return {
        "name": "chat", "budgetType": "COST", "timeUnit": "MONTHLY", "limitAmount": "2500",
        "limitUnit": "USD", **changed,
    }  # fmt: skip


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def action(role: str, **changed: Any) -> Json:
    return {
        "budgetName": "chat",
        "actionType": "APPLY_IAM_POLICY",
        "approvalModel": "AUTOMATIC",
        "notificationType": "ACTUAL",
        "actionThreshold": {"actionThresholdType": "PERCENTAGE", "actionThresholdValue": 100},
        "definition": {
            "iamActionDefinition": {"policyArn": "arn:aws:iam::111122223333:policy/p", "roles": ["r"]}
        },
        "executionRoleArn": role,
        "subscribers": [{"address": "a@b.co", "subscriptionType": "EMAIL"}],
        **changed,
    }  # fmt: skip


@pytest.fixture
def amazon(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "aws", {"region": "eu-west-1"})


def refusal(plugin: Plugin, kind: str, inputs: Json) -> tuple[Code, str]:
    with pytest.raises(CloudError) as caught:
        plugin.create(kind, "it", inputs)
    return caught.value.code, str(caught.value)


def test_a_table_has_its_arn_and_its_name_is_taken_in_its_region_alone(amazon: Plugin) -> None:
    made = amazon.create(TABLE, "meter", METER)
    assert made.id == "chat-meter"
    assert made.outputs["arn"] == "arn:aws:dynamodb:eu-west-1:111122223333:table/chat-meter"
    code, text = refusal(amazon, TABLE, METER)
    assert code is Code.ALREADY_EXISTS
    assert text.endswith("ResourceInUseException: Table already exists: chat-meter")
    amazon.create(TABLE, "other", {**METER, "region": "eu-central-1"})


@pytest.mark.parametrize(
    ("changed", "path", "said"),
    [
        ({"name": "a"}, "name", "must be 3 to 255 characters"),
        ({"attributes": [{"name": "id", "type": "S"}, {"name": "month", "type": "S"}]}, "attributes", 'all attributes must be indexed. Unused attributes: ["month"]'),
        ({"rangeKey": "month"}, "attributes", 'all indexes must match a defined attribute. Unmatched indexes: ["month"]'),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused_in_the_preview(
    amazon: Plugin, changed: Json, path: str, said: str
) -> None:
    assert amazon.failures(TABLE, METER) == {}
    assert said in amazon.failures(TABLE, {**METER, **changed})[path]


def test_keys_of_indexes_are_indexed(amazon: Plugin) -> None:
    index = {"name": "by-month", "hashKey": "month", "projectionType": "ALL"}
    attributes = [{"name": "id", "type": "S"}, {"name": "month", "type": "S"}]
    given = {**METER, "attributes": attributes, "globalSecondaryIndexes": [index]}
    assert amazon.failures(TABLE, given) == {}


def test_capacity_is_given_where_it_is_provisioned(amazon: Plugin) -> None:
    provisioned = {**METER, "billingMode": "PROVISIONED"}
    assert "must both be specified when BillingMode is PROVISIONED" in refusal(amazon, TABLE, provisioned)[1]  # fmt: skip
    amazon.create(TABLE, "meter", {**provisioned, "readCapacity": 1, "writeCapacity": 1})


def test_a_protected_table_stays(amazon: Plugin) -> None:
    made = amazon.create(TABLE, "meter", {**METER, "deletionProtectionEnabled": True})
    with pytest.raises(CloudError, match="currently protected against deletion"):
        amazon.delete(made)
    free = amazon.create(TABLE, "other", {**METER, "name": "other"})
    amazon.delete(free)


def test_a_topic_s_policy_needs_its_topic_and_speaks_of_sns(amazon: Plugin) -> None:
    arn = "arn:aws:sns:eu-west-1:111122223333:alerts"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": arn}
    given = {"arn": arn, "policy": json.dumps({"Statement": [statement]})}
    code, text = refusal(amazon, TOPIC_POLICY, given)
    assert (code, text.endswith("NotFound: Topic does not exist")) == (Code.NOT_FOUND, True)
    amazon.create(TOPIC, "alerts", {"name": "alerts"})
    assert amazon.create(TOPIC_POLICY, "policy", given).id == arn
    foreign = json.dumps({"Statement": [{**statement, "Action": ["sns:Publish", "s3:*"]}]})
    assert "action out of service scope!" in refusal(amazon, TOPIC_POLICY, {**given, "policy": foreign})[1]  # fmt: skip
    assert "policy" in amazon.failures(TOPIC_POLICY, {**given, "policy": "[]"})


def test_a_budget_belongs_to_the_account(amazon: Plugin) -> None:
    made = amazon.create(BUDGET, "b", budget())
    assert made.id == "111122223333:chat"
    assert made.outputs["arn"] == "arn:aws:budgets::111122223333:budget/chat"
    code, text = refusal(amazon, BUDGET, budget())
    assert code is Code.ALREADY_EXISTS
    assert text.startswith("creating Budgets Budget (chat): operation error Budgets: CreateBudget")
    assert text.endswith("Error creating budget: chat - the budget already exists.")


def test_a_budget_tells_somebody_of_each_threshold(amazon: Plugin) -> None:
    heard = notice(subscriberEmailAddresses=["a@b.co"])
    topic = notice(subscriberSnsTopicArns=["arn:aws:sns:eu-west-1:111122223333:alerts"])
    assert amazon.failures(BUDGET, budget(notifications=[heard, topic])) == {}
    assert amazon.failures(BUDGET, budget(notifications=[heard, notice()])) == {
        "notifications[1]": "Notification must have at least one subscriber!"
    }
    assert "The ':' and '\\' characters aren't allowed" in amazon.failures(BUDGET, budget(name="a:b"))["name"]  # fmt: skip
    eleven = budget(notifications=[heard] * 11)
    assert "CreationLimitExceededException" in refusal(amazon, BUDGET, eleven)[1]


@pytest.mark.parametrize("amount", ["lots", "-5", "1,000", ""])
def test_a_budget_s_amount_is_a_number(amazon: Plugin, amount: str) -> None:
    assert "at 'budget.budgetLimit.amount' failed to satisfy constraint" in refusal(
        amazon, BUDGET, budget(limitAmount=amount)
    )[1]  # fmt: skip


def test_an_action_needs_its_budget_and_a_role_that_budgets_may_assume(amazon: Plugin) -> None:
    role = amazon.create(
        ROLE, "r", {"name": "r", "assumeRolePolicy": trust("budgets.amazonaws.com")}
    )
    given = action(role.outputs["arn"])
    code, text = refusal(amazon, ACTION, given)
    assert code is Code.NOT_FOUND
    assert text.endswith("Unable to get budget: chat - the budget doesn't exist.")
    amazon.create(BUDGET, "b", budget())
    other = amazon.create(
        ROLE, "o", {"name": "o", "assumeRolePolicy": trust("lambda.amazonaws.com")}
    )
    assert "cannot assume the execution role" in refusal(amazon, ACTION, action(other.outputs["arn"]))[1]  # fmt: skip
    wrong = action(role.outputs["arn"], actionType="APPLY_SCP_POLICY")
    assert "the definition is not one of APPLY_SCP_POLICY" in refusal(amazon, ACTION, wrong)[1]
    made = amazon.create(ACTION, "a", given)
    account, number, name = made.id.split(":")
    assert (account, name) == ("111122223333", "chat")
    assert made.outputs["actionId"] == number
    assert made.outputs["arn"].endswith(f":budget/chat/action/{number}")
    assert made.outputs["status"] == "STANDBY"


def test_an_alarm_has_a_period_there_is_and_tells_its_own_region(amazon: Plugin) -> None:
    given: Json = {
        "name": "errors", "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1,
        "period": 300, "alarmActions": ["arn:aws:sns:eu-west-1:111122223333:alerts"],
    }  # fmt: skip
    made = amazon.create(ALARM, "errors", given)
    assert made.outputs["arn"] == "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:errors"
    assert amazon.failures(ALARM, {**given, "period": 10}) == {}
    assert "divisible by 60, got: 45" in amazon.failures(ALARM, {**given, "period": 45})["period"]
    elsewhere = {**given, "name": "x", "okActions": ["arn:aws:sns:us-east-1:111122223333:alerts"]}
    code, text = refusal(amazon, ALARM, elsewhere)
    assert code is Code.INVALID_ARGUMENT
    assert text.startswith("creating CloudWatch Metric Alarm (x): operation error CloudWatch: PutMetricAlarm")  # fmt: skip
    assert text.endswith("Invalid region us-east-1 specified. Only eu-west-1 is supported.")
