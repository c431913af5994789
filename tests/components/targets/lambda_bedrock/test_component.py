"""The Lambda and Bedrock component against the mock engine: what no plan can say."""

import json
from typing import Any, cast

import botocore.session
import pytest
from botocore.validate import ParamValidator

from support import builders, golden
from support.mock_engine import Run

FUNCTION = "aws:lambda/function:Function"
URL = "aws:lambda/functionUrl:FunctionUrl"
PERMISSION = "aws:lambda/permission:Permission"
BUDGET = "aws:budgets/budget:Budget"
TAGS = {
    "service": "chat",
    "environment": "prod",
    "model": "ministral-3-8b",
    "managed-by": "portway",
    "stack": "chat-prod",
}


def run(**spec: Any) -> Run[Any]:
    options, settings = spec.pop("options", {}), spec.pop("settings", {"aws:region": "eu-west-1"})
    place = builders.placement("lambda-bedrock", options=options, settings=settings)
    return golden.deployed(builders.plan(builders.spec(**spec), place))


def test_a_function_waits_for_its_log_group_policy_and_keys() -> None:
    assert set(run().one(FUNCTION).depends_on) == {
        "chat-logs", "chat-policy", "chat-keys", "chat-role", "chat-meter",
    }  # fmt: skip


def test_a_url_is_open_only_with_both_permissions() -> None:
    made = run()
    conditions = {
        item.inputs["action"]: (
            item.inputs.get("functionUrlAuthType"), item.inputs.get("invokedViaFunctionUrl"),
        )
        for item in made.of(PERMISSION)
    }  # fmt: skip
    assert conditions == {
        "lambda:InvokeFunctionUrl": ("NONE", None),
        "lambda:InvokeFunction": (None, True),
    }


def test_url_and_permissions_carry_the_same_alias() -> None:
    made = run(scaling={"min": 1, "max": 2, "concurrency": 1})
    assert made.one(URL).inputs["qualifier"] == "live"
    assert {item.inputs["qualifier"] for item in made.of(PERMISSION)} == {"live"}
    assert "chat-alias" in made.one(URL).depends_on


def test_answers_stream() -> None:
    assert run().one(URL).inputs["invokeMode"] == "RESPONSE_STREAM"


def test_everything_is_in_the_placement_s_region() -> None:
    made = run()
    places = {
        item.inputs["region"]
        for item in made.created
        if item.type.startswith("aws:") and not item.type.startswith(("aws:iam/", "aws:budgets/"))
    }
    assert places == {"eu-west-1"}


def test_without_a_configured_region_a_provider_of_the_region_is_used() -> None:
    made = run(settings={})
    assert made.one("pulumi:providers:aws").inputs["region"] == "eu-west-1"
    used = {item.provider for item in made.created if item.type.startswith("aws:")}
    assert used == {"chat-aws"}


def test_only_lambda_may_assume_the_role() -> None:
    (role,) = [one for one in run().of("aws:iam/role:Role") if one.name == "chat-role"]
    trust = json.loads(role.inputs["assumeRolePolicy"])
    assert [each["Principal"] for each in trust["Statement"]] == [
        {"Service": "lambda.amazonaws.com"}
    ]


def test_the_meter_s_table_is_billed_by_the_request_and_forgets() -> None:
    assert run().one("aws:dynamodb/table:Table").inputs == {
        "name": "chat-prod-meter",
        "attributes": [{"name": "id", "type": "S"}],
        "hashKey": "id",
        "billingMode": "PAY_PER_REQUEST",
        "ttl": {"attributeName": "expires", "enabled": True},
        "region": "eu-west-1",
        "tags": TAGS,
    }


def test_the_role_may_write_the_meter_s_table_and_no_other() -> None:
    made = run()
    (policy,) = [
        one for one in made.of("aws:iam/rolePolicy:RolePolicy") if one.name == "chat-policy"
    ]
    document = json.loads(policy.inputs["policy"])
    (meter,) = [one for one in document["Statement"] if one["Sid"] == "Meter"]
    assert meter == {
        "Sid": "Meter",
        "Effect": "Allow",
        "Action": ["dynamodb:UpdateItem"],
        "Resource": ["arn:aws:dynamodb:eu-west-1:*:table/chat-prod-meter"],
    }


def test_the_budget_counts_the_stack_s_tag_and_what_of_bedrock_has_none() -> None:
    budget = run(budget={"monthly_usd": 2500, "alert_emails": ["ml@example.com"]}).one(BUDGET)
    topic = "arn:aws:sns:eu-west-1:123456789012:chat-prod-alerts"
    assert budget.inputs == {
        "name": "chat-prod",
        "budgetType": "COST",
        "timeUnit": "MONTHLY",
        "limitAmount": "2500",
        "limitUnit": "USD",
        "metrics": "UnblendedCost",
        "filterExpression": {
            "ors": [
                {"tags": {"key": "stack", "values": ["chat-prod"], "matchOptions": ["EQUALS"]}},
                {
                    "ands": [
                        {"dimensions": {"key": key, "values": [value], "matchOptions": ["EQUALS"]}}
                        for key, value in (("SERVICE", "Amazon Bedrock"), ("REGION", "eu-west-1"))
                    ]
                },
            ]
        },
        "notifications": [
            {
                "notificationType": kind,
                "comparisonOperator": "GREATER_THAN",
                "threshold": percent,
                "thresholdType": "PERCENTAGE",
                "subscriberEmailAddresses": ["ml@example.com"],
                "subscriberSnsTopicArns": [topic],
            }
            for kind, percent in (
                ("ACTUAL", 50), ("ACTUAL", 90), ("ACTUAL", 100), ("FORECASTED", 100),
            )
        ],
        "tags": TAGS,
    }  # fmt: skip
    assert "chat-alerts" in budget.depends_on


def test_in_a_shared_account_the_budget_counts_the_tag_alone() -> None:
    budget = run(options={"shared_account": True}).one(BUDGET)
    assert budget.inputs["filterExpression"] == {
        "tags": {"key": "stack", "values": ["chat-prod"], "matchOptions": ["EQUALS"]}
    }


def test_everything_that_can_carry_tags_carries_the_one_that_the_budget_counts() -> None:
    untagged = {
        item.type
        for item in run().created
        if item.type.startswith("aws:") and item.inputs.get("tags") != TAGS
    }
    assert untagged == {
        "aws:iam/rolePolicy:RolePolicy", "aws:lambda/functionUrl:FunctionUrl",
        "aws:lambda/permission:Permission", "aws:secretsmanager/secretVersion:SecretVersion",
        "aws:sns/topicPolicy:TopicPolicy",
    }  # fmt: skip


def test_a_spent_budget_denies_the_model_to_the_function_s_role() -> None:
    made = run(budget={"monthly_usd": 2500, "alert_emails": ["ml@example.com"]})
    action = made.one("aws:budgets/budgetAction:BudgetAction")
    assert action.inputs == {
        "budgetName": "chat-prod",
        "actionType": "APPLY_IAM_POLICY",
        "approvalModel": "AUTOMATIC",
        "notificationType": "ACTUAL",
        "actionThreshold": {
            "actionThresholdType": "PERCENTAGE", "actionThresholdValue": 100,
        },
        "definition": {
            "iamActionDefinition": {
                "policyArn": "arn:aws:iam::123456789012:policy/chat-prod-stop",
                "roles": ["chat-prod-lambda"],
            }
        },
        "executionRoleArn": "arn:aws:iam::123456789012:role/chat-prod-budget",
        "subscribers": [
            {
                "address": "arn:aws:sns:eu-west-1:123456789012:chat-prod-alerts",
                "subscriptionType": "SNS",
            },
            {"address": "ml@example.com", "subscriptionType": "EMAIL"},
        ],
        "tags": TAGS,
    }  # fmt: skip
    denial = json.loads(made.one("aws:iam/policy:Policy").inputs["policy"])
    assert denial == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "BudgetIsSpent",
                "Effect": "Deny",
                "Action": ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
                "Resource": ["*"],
            }
        ],
    }


def test_what_budgets_acts_with_may_attach_that_one_policy_to_that_one_role() -> None:
    made = run()
    (role,) = [one for one in made.of("aws:iam/role:Role") if one.name == "chat-budget-role"]
    (policy,) = [
        one for one in made.of("aws:iam/rolePolicy:RolePolicy") if one.name == "chat-budget-role"
    ]
    assert json.loads(role.inputs["assumeRolePolicy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "BudgetsMayAct",
                "Effect": "Allow",
                "Principal": {"Service": "budgets.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": "123456789012"},
                    "ArnLike": {
                        "aws:SourceArn": [
                            "arn:aws:budgets::123456789012:budget/chat-prod",
                            "arn:aws:budgets::123456789012:budget/chat-prod/action/*",
                        ]
                    },
                },
            }
        ],
    }
    assert json.loads(policy.inputs["policy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DenyTheModel",
                "Effect": "Allow",
                "Action": ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
                "Resource": ["arn:aws:iam::*:role/chat-prod-lambda"],
                "Condition": {"ArnLike": {"iam:PolicyARN": "arn:aws:iam::*:policy/chat-prod-stop"}},
            }
        ],
    }


def test_the_role_can_go_although_budgets_attached_the_denial() -> None:
    (role,) = [one for one in run().of("aws:iam/role:Role") if one.name == "chat-role"]
    assert role.inputs["forceDetachPolicies"] is True
    assert role.depends_on == ("chat-stop",)


def test_only_this_budget_and_these_alarms_publish_to_the_topic() -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:chat-prod-alerts"
    alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:chat-prod-"
    document = json.loads(run().one("aws:sns/topicPolicy:TopicPolicy").inputs["policy"])
    sources = {
        "budgets.amazonaws.com": ["arn:aws:budgets::123456789012:budget/chat-prod"],
        "cloudwatch.amazonaws.com": [f"{alarm}throttles", f"{alarm}errors"],
    }
    assert document["Statement"] == [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sns:Publish",
            "Resource": topic,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"aws:SourceArn": sources[service]},
            },
        }
        for sid, service in (
            ("Budget", "budgets.amazonaws.com"), ("Alarms", "cloudwatch.amazonaws.com"),
        )
    ]  # fmt: skip


def test_alarms_of_the_function_tell_the_topic() -> None:
    found = {
        one.inputs["name"]: (
            one.inputs["metricName"], one.inputs["dimensions"], one.inputs["alarmActions"],
        )
        for one in run().of("aws:cloudwatch/metricAlarm:MetricAlarm")
    }  # fmt: skip
    told = ["arn:aws:sns:eu-west-1:123456789012:chat-prod-alerts"]
    assert found == {
        f"chat-prod-{metric.lower()}": (metric, {"FunctionName": "chat-prod"}, told)
        for metric in ("Throttles", "Errors")
    }


def test_without_a_budget_there_is_no_guard() -> None:
    made = run(budget=None)
    assert not {BUDGET, "aws:dynamodb/table:Table", "aws:sns/topic:Topic"} & set(made.types())
    assert "PORTWAY_METER" not in made.one(FUNCTION).inputs["environment"]["variables"]
    assert made.one("aws:iam/role:Role").inputs["forceDetachPolicies"] is False


def test_budgets_own_service_model_accepts_budget_and_action() -> None:
    made = run(budget={"monthly_usd": 2500, "alert_emails": ["ml@example.com"]})
    given = made.one(BUDGET).inputs
    session: Any = botocore.session
    service = session.get_session().get_service_model("budgets")

    def refused(operation: str, call: dict[str, Any]) -> str:
        shape = service.operation_model(operation).input_shape
        report = cast("Any", ParamValidator()).validate(call, shape)
        return str(report.generate_report())

    def expression(plain: dict[str, Any]) -> dict[str, Any]:
        names = {"ors": "Or", "ands": "And", "tags": "Tags", "dimensions": "Dimensions"}
        made: dict[str, Any] = {}
        for key, value in plain.items():
            inner: Any = value
            if key in {"ors", "ands"}:
                made[names[key]] = [expression(one) for one in inner]
            else:
                made[names[key]] = {name[0].upper() + name[1:]: inner[name] for name in inner}
        return made

    subscribers = [
        {"SubscriptionType": one["subscriptionType"], "Address": one["address"]}
        for one in made.one("aws:budgets/budgetAction:BudgetAction").inputs["subscribers"]
    ]
    budget = {
        "BudgetName": given["name"],
        "BudgetLimit": {"Amount": given["limitAmount"], "Unit": given["limitUnit"]},
        "TimeUnit": given["timeUnit"],
        "BudgetType": given["budgetType"],
        "FilterExpression": expression(given["filterExpression"]),
        "Metrics": [given["metrics"]],
    }
    notifications = [
        {
            "Notification": {
                "NotificationType": one["notificationType"],
                "ComparisonOperator": one["comparisonOperator"],
                "Threshold": float(one["threshold"]),
                "ThresholdType": one["thresholdType"],
            },
            "Subscribers": subscribers,
        }
        for one in given["notifications"]
    ]
    call = {
        "AccountId": "123456789012",
        "Budget": budget,
        "NotificationsWithSubscribers": notifications,
    }
    assert refused("CreateBudget", call) == ""
    assert given["metrics"] in service.shape_for("Metric").enum


@pytest.mark.parametrize("spec", [{}, {"scaling": {"min": 1, "max": 2, "concurrency": 1}}])
def test_lambda_s_own_service_model_accepts_the_function(spec: dict[str, Any]) -> None:
    inputs = run(**spec).one(FUNCTION).inputs
    call: dict[str, Any] = {
        "FunctionName": inputs["name"],
        "Description": inputs["description"],
        "Role": inputs["role"],
        "PackageType": inputs["packageType"],
        "Code": {"ZipFile": b"zip"},
        "Runtime": inputs["runtime"],
        "Handler": inputs["handler"],
        "Architectures": inputs["architectures"],
        "MemorySize": inputs["memorySize"],
        "Timeout": inputs["timeout"],
        "Publish": inputs["publish"],
        "Environment": {"Variables": inputs["environment"]["variables"]},
        "LoggingConfig": {
            "LogFormat": inputs["loggingConfig"]["logFormat"],
            "LogGroup": inputs["loggingConfig"]["logGroup"],
        },
        "Tags": inputs["tags"],
    }
    service = cast("Any", botocore.session).get_session().get_service_model("lambda")
    shape = service.operation_model("CreateFunction").input_shape
    report = cast("Any", ParamValidator()).validate(call, shape)
    assert not report.has_errors(), report.generate_report()
    assert call["Runtime"] in shape.members["Runtime"].enum
    assert call["Architectures"][0] in shape.members["Architectures"].member.enum
