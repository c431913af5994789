"""An API Gateway REST API with streamed answers before the function, as Pulumi resources.

Decides nothing: every value is the plan's. One resource and one method take every path, so that
the runtime's routes are the only ones.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Final

import pulumi
from pulumi_aws import apigateway, lambda_, wafv2

from portway.targets.lambda_bedrock.guard_resources import POLICY_VERSION
from portway.targets.lambda_bedrock.shapes import Firewall, LambdaBedrockPlan, RestEdge

Options = Callable[[Sequence[pulumi.Resource]], pulumi.ResourceOptions]

_STREAMING: Final = "2021-11-15"
"""The version of Lambda's API that API Gateway streams through (Lambda proxy integration,
response-streaming-invocations)."""


def make_rest_edge(
    prefix: str,
    plan: LambdaBedrockPlan,
    edge: RestEdge,
    function: lambda_.Function,
    warm: Sequence[pulumi.Resource],
    options: Options,
) -> pulumi.Output[str]:
    """The API, its stage, and what holds callers back; its URL, known once it may call the function."""
    api = apigateway.RestApi(
        f"{prefix}-api",
        name=edge.name,
        description=f"{plan.service} in {plan.environment}",
        endpoint_configuration=apigateway.RestApiEndpointConfigurationArgs(types="REGIONAL"),
        policy=_policy(edge),
        region=plan.region,
        tags=plan.tags,
        opts=options([]),
    )
    called = _permission(prefix, plan, api, function, options)
    integration = _routes(prefix, plan, edge, api, function, options([*warm, called]), options)
    deployment = apigateway.Deployment(
        f"{prefix}-deployment",
        rest_api=api.id,
        description=f"Routes of {plan.service}",
        triggers={"routes": _fingerprint(edge)},
        region=plan.region,
        opts=options([integration]),
    )
    stage = apigateway.Stage(
        f"{prefix}-stage",
        rest_api=api.id,
        deployment=deployment.id,
        stage_name=edge.stage,
        region=plan.region,
        tags=plan.tags,
        opts=options([]),
    )
    held = [_throttle(prefix, plan, edge, api, stage, options)] if edge.throttles else []
    held += [_firewall(prefix, plan, one, stage, options) for one in edge.firewalls]
    # Nobody is told the address before everything that holds callers back is in place.
    ready = pulumi.Output.all(*[one.urn for one in (called, *held)])
    return pulumi.Output.all(stage.invoke_url, ready).apply(lambda both: str(both[0]).rstrip("/"))


def _routes(
    prefix: str,
    plan: LambdaBedrockPlan,
    edge: RestEdge,
    api: apigateway.RestApi,
    function: lambda_.Function,
    after: pulumi.ResourceOptions,
    options: Options,
) -> apigateway.Integration:
    every = apigateway.Resource(
        f"{prefix}-every",
        rest_api=api.id,
        parent_id=api.root_resource_id,
        path_part="{proxy+}",
        region=plan.region,
        opts=options([]),
    )
    method = apigateway.Method(
        f"{prefix}-every",
        rest_api=api.id,
        resource_id=every.id,
        http_method="ANY",
        authorization=edge.authorization,
        region=plan.region,
        opts=options([]),
    )
    qualified = function.arn.apply(lambda arn: f"{arn}:{plan.qualifier}" if plan.qualifier else arn)
    return apigateway.Integration(
        f"{prefix}-every",
        rest_api=api.id,
        resource_id=every.id,
        http_method=method.http_method,
        integration_http_method="POST",
        type="AWS_PROXY",
        uri=pulumi.Output.concat(
            f"arn:aws:apigateway:{plan.region}:lambda:path/{_STREAMING}/functions/",
            qualified,
            "/response-streaming-invocations",
        ),
        response_transfer_mode="STREAM",
        timeout_milliseconds=edge.timeout_milliseconds,
        region=plan.region,
        opts=after,
    )


def _permission(
    prefix: str,
    plan: LambdaBedrockPlan,
    api: apigateway.RestApi,
    function: lambda_.Function,
    options: Options,
) -> lambda_.Permission:
    return lambda_.Permission(
        f"{prefix}-api",
        statement_id="api",
        function=function.name,
        qualifier=plan.qualifier,
        action="lambda:InvokeFunction",
        principal="apigateway.amazonaws.com",
        source_arn=pulumi.Output.concat(api.execution_arn, "/*/*"),
        region=plan.region,
        opts=options([]),
    )


def _throttle(
    prefix: str,
    plan: LambdaBedrockPlan,
    edge: RestEdge,
    api: apigateway.RestApi,
    stage: apigateway.Stage,
    options: Options,
) -> pulumi.Resource:
    (throttle,) = edge.throttles
    return apigateway.MethodSettings(
        f"{prefix}-throttle",
        rest_api=api.id,
        stage_name=stage.stage_name,
        method_path="*/*",
        settings=apigateway.MethodSettingsSettingsArgs(
            throttling_rate_limit=throttle.rate_per_second,
            throttling_burst_limit=throttle.burst,
            logging_level="OFF",
        ),
        region=plan.region,
        opts=options([]),
    )


def _firewall(
    prefix: str,
    plan: LambdaBedrockPlan,
    firewall: Firewall,
    stage: apigateway.Stage,
    options: Options,
) -> pulumi.Resource:
    acl = wafv2.WebAcl(
        f"{prefix}-firewall",
        name=firewall.name,
        scope="REGIONAL",
        default_action=wafv2.WebAclDefaultActionArgs(allow=wafv2.WebAclDefaultActionAllowArgs()),
        rules=[
            wafv2.WebAclRuleArgs(
                name="rate-by-address",
                priority=1,
                action=wafv2.WebAclRuleActionArgs(block=wafv2.WebAclRuleActionBlockArgs()),
                statement=wafv2.WebAclRuleStatementArgs(
                    rate_based_statement=wafv2.WebAclRuleStatementRateBasedStatementArgs(
                        aggregate_key_type="IP",
                        limit=firewall.limit,
                        evaluation_window_sec=firewall.window_seconds,
                    )
                ),
                visibility_config=wafv2.WebAclRuleVisibilityConfigArgs(
                    cloudwatch_metrics_enabled=True,
                    metric_name="rate-by-address",
                    # Samples keep headers, keys among them, where no log rule looks.
                    sampled_requests_enabled=False,
                ),
            )
        ],
        visibility_config=wafv2.WebAclVisibilityConfigArgs(
            cloudwatch_metrics_enabled=True,
            metric_name=firewall.name,
            sampled_requests_enabled=False,
        ),
        region=plan.region,
        tags=plan.tags,
        opts=options([]),
    )
    return wafv2.WebAclAssociation(
        f"{prefix}-firewall",
        resource_arn=stage.arn,
        web_acl_arn=acl.arn,
        region=plan.region,
        opts=options([]),
    )


def _policy(edge: RestEdge) -> str | None:
    """Who may call, where IAM decides: written so that API Gateway fills in the API's own ARN."""
    if not edge.invokers:
        return None
    statement = {
        "Sid": "Invoke",
        "Effect": "Allow",
        "Principal": {"AWS": list(edge.invokers)},
        "Action": "execute-api:Invoke",
        "Resource": "execute-api:/*",
    }
    return json.dumps({"Version": POLICY_VERSION, "Statement": [statement]})


def _fingerprint(edge: RestEdge) -> str:
    """Differs whenever the routes do: a stage serves what was deployed, not what was changed since."""
    told = f"{edge.authorization} {edge.timeout_milliseconds} {' '.join(edge.invokers)}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]
