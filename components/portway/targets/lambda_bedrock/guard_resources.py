"""The guard rails as Pulumi resources: the meter's table, the budget, its stop, topic and alarms.

Decides nothing: every value is the plan's. Only the account's number is filled in here.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import pulumi
from pulumi_aws import budgets, cloudwatch, dynamodb, iam, sns

from portway.targets.lambda_bedrock.shapes import (
    LambdaBedrockPlan,
    MeterTable,
    SpendingGuard,
    Statement,
    Trust,
)

POLICY_VERSION: Final = "2012-10-17"

Options = Callable[[Sequence[pulumi.Resource]], pulumi.ResourceOptions]
"""Makes a child's options; takes what the child waits for."""


def policy_text(statements: Iterable[Statement]) -> str:
    """Statements as the document that IAM takes."""
    return _document([_statement(one) for one in statements])


def make_table(
    prefix: str, plan: LambdaBedrockPlan, table: MeterTable, options: Options
) -> dynamodb.Table:
    """The table that the runtime counts in, billed by the request."""
    return dynamodb.Table(
        f"{prefix}-meter",
        name=table.name,
        attributes=[dynamodb.TableAttributeArgs(name=table.key, type="S")],
        hash_key=table.key,
        billing_mode="PAY_PER_REQUEST",
        ttl=dynamodb.TableTtlArgs(attribute_name=table.expires, enabled=True),
        server_side_encryption=_encryption(plan.kms_key_arn),
        region=plan.region,
        tags=plan.tags,
        opts=options([]),
    )


def _encryption(key: str | None) -> dynamodb.TableServerSideEncryptionArgs | None:
    """None leaves the table under a key that AWS owns."""
    if key is None:
        return None
    return dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=key)


def make_denial(
    prefix: str, plan: LambdaBedrockPlan, guard: SpendingGuard, options: Options
) -> iam.Policy:
    """The policy that AWS Budgets attaches to the function's role when the budget is spent."""
    return iam.Policy(
        f"{prefix}-stop",
        name=guard.stop.policy_name,
        description=f"Attached when the budget of {guard.name} is spent",
        policy=policy_text([guard.stop.statement]),
        tags=plan.tags,
        opts=options([]),
    )


def make_guard(
    prefix: str,
    plan: LambdaBedrockPlan,
    guard: SpendingGuard,
    denial: iam.Policy,
    role: iam.Role,
    options: Options,
) -> None:
    """The budget, who is told of it, what stops when it is spent, and the function's alarms."""
    topic = sns.Topic(
        f"{prefix}-alerts",
        name=guard.topic,
        region=plan.region,
        tags=plan.tags,
        opts=options([]),
    )
    account = role.arn.apply(account_of)
    told = sns.TopicPolicy(
        f"{prefix}-alerts",
        arn=topic.arn,
        policy=account.apply(
            lambda known: _trusting(
                guard.publishers, known, f"arn:aws:sns:{plan.region}:{known}:{guard.topic}"
            )
        ),
        region=plan.region,
        opts=options([]),
    )
    budget = _budget(prefix, plan, guard, topic, options([told]))
    _stop(prefix, plan, guard, (budget, topic, denial, role), options)
    for alarm in guard.alarms:
        cloudwatch.MetricAlarm(
            f"{prefix}-{alarm.metric.lower()}",
            name=alarm.name,
            alarm_description=alarm.description,
            namespace="AWS/Lambda",
            metric_name=alarm.metric,
            dimensions={"FunctionName": plan.function_name},
            statistic="Sum",
            period=alarm.period_seconds,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=alarm.least,
            treat_missing_data="notBreaching",
            alarm_actions=[topic.arn],
            region=plan.region,
            tags=plan.tags,
            opts=options([told]),
        )


def _budget(
    prefix: str,
    plan: LambdaBedrockPlan,
    guard: SpendingGuard,
    topic: sns.Topic,
    opts: pulumi.ResourceOptions,
) -> budgets.Budget:
    notices = [
        budgets.BudgetNotificationArgs(
            notification_type=one.kind,
            comparison_operator="GREATER_THAN",
            threshold=one.percent,
            threshold_type="PERCENTAGE",
            subscriber_email_addresses=list(guard.emails) or None,
            subscriber_sns_topic_arns=[topic.arn],
        )
        for one in guard.thresholds
    ]
    return budgets.Budget(
        f"{prefix}-budget",
        name=guard.name,
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=guard.limit_usd,
        limit_unit="USD",
        metrics="UnblendedCost",
        filter_expression=_counted(guard),
        notifications=notices,
        tags=plan.tags,
        opts=opts,
    )


def _counted(guard: SpendingGuard) -> budgets.BudgetFilterExpressionArgs:
    """What carries the stack's tag, and what of Bedrock carries none."""
    key, value = guard.tag
    if not guard.bedrock:
        return budgets.BudgetFilterExpressionArgs(
            tags=budgets.BudgetFilterExpressionTagsArgs(
                key=key, values=[value], match_options=["EQUALS"]
            )
        )
    tagged = budgets.BudgetFilterExpressionOrArgs(
        tags=budgets.BudgetFilterExpressionOrTagsArgs(
            key=key, values=[value], match_options=["EQUALS"]
        )
    )
    untagged = budgets.BudgetFilterExpressionOrArgs(
        ands=[
            budgets.BudgetFilterExpressionOrAndArgs(
                dimensions=budgets.BudgetFilterExpressionOrAndDimensionsArgs(
                    key=name, values=[wanted], match_options=["EQUALS"]
                )
            )
            for name, wanted in guard.bedrock.items()
        ]
    )
    return budgets.BudgetFilterExpressionArgs(ors=[tagged, untagged])


def _stop(
    prefix: str,
    plan: LambdaBedrockPlan,
    guard: SpendingGuard,
    made: tuple[budgets.Budget, sns.Topic, iam.Policy, iam.Role],
    options: Options,
) -> None:
    budget, topic, denial, role = made
    stop = guard.stop
    acting = iam.Role(
        f"{prefix}-budget-role",
        name=stop.role_name,
        description=f"AWS Budgets stops {guard.name} with it",
        assume_role_policy=role.arn.apply(lambda arn: _trusting([stop.trust], account_of(arn))),
        tags=plan.tags,
        opts=options([]),
    )
    allowed = iam.RolePolicy(
        f"{prefix}-budget-role",
        name=stop.role_name,
        role=acting.name,
        policy=policy_text(stop.grants),
        opts=options([]),
    )
    budgets.BudgetAction(
        f"{prefix}-budget",
        budget_name=budget.name,
        action_type="APPLY_IAM_POLICY",
        approval_model="AUTOMATIC",
        notification_type="ACTUAL",
        action_threshold=budgets.BudgetActionActionThresholdArgs(
            action_threshold_type="PERCENTAGE", action_threshold_value=100
        ),
        definition=budgets.BudgetActionDefinitionArgs(
            iam_action_definition=budgets.BudgetActionDefinitionIamActionDefinitionArgs(
                policy_arn=denial.arn, roles=[role.name]
            )
        ),
        execution_role_arn=acting.arn,
        subscribers=[
            budgets.BudgetActionSubscriberArgs(address=topic.arn, subscription_type="SNS"),
            *(
                budgets.BudgetActionSubscriberArgs(address=one, subscription_type="EMAIL")
                for one in guard.emails
            ),
        ],
        tags=plan.tags,
        opts=options([allowed]),
    )


def _trusting(trusts: Iterable[Trust], account: str, resource: str | None = None) -> str:
    on = {} if resource is None else {"Resource": resource}
    return _document(
        [
            {
                "Sid": one.sid,
                "Effect": "Allow",
                "Principal": {"Service": one.service},
                "Action": one.action,
                **on,
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": account},
                    "ArnLike": {
                        "aws:SourceArn": [
                            source.replace("{account}", account) for source in one.sources
                        ]
                    },
                },
            }
            for one in trusts
        ]
    )


def _statement(statement: Statement) -> dict[str, object]:
    condition = {
        operator: {key: list(one) if isinstance(one, tuple) else one for key, one in keys.items()}
        for operator, keys in statement.condition.items()
    }
    return {
        "Sid": statement.sid,
        "Effect": statement.effect,
        "Action": list(statement.actions),
        "Resource": list(statement.resources),
        **({"Condition": condition} if condition else {}),
    }


def _document(statements: list[dict[str, object]]) -> str:
    return json.dumps({"Version": POLICY_VERSION, "Statement": statements})


def account_of(arn: str) -> str:
    """The account in an ARN."""
    return arn.split(":")[4]
