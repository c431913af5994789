"""How a gate reads the AWS resources that this target creates."""

from collections.abc import Mapping
from typing import Final

from portway.target import ResourceFacts

_REGION: Final = ("region",)
_NO_PLACE: Final = ResourceFacts(is_billed=False)
_FREE: Final = ResourceFacts(region=_REGION, is_billed=False)

FACTS: Final[Mapping[str, ResourceFacts]] = {
    "aws:apigateway/deployment:Deployment": _FREE,
    "aws:apigateway/integration:Integration": _FREE,
    "aws:apigateway/method:Method": _FREE,
    "aws:apigateway/methodSettings:MethodSettings": _FREE,
    "aws:apigateway/resource:Resource": _FREE,
    "aws:apigateway/restApi:RestApi": ResourceFacts(region=_REGION),
    "aws:apigateway/stage:Stage": _FREE,
    "aws:bedrock/inferenceProfile:InferenceProfile": ResourceFacts(
        region=_REGION, is_billed=False, model_routes=("modelSource.copyFrom",)
    ),
    "aws:budgets/budget:Budget": _NO_PLACE,
    "aws:budgets/budgetAction:BudgetAction": ResourceFacts(),
    "aws:cloudwatch/dashboard:Dashboard": ResourceFacts(region=_REGION),
    "aws:cloudwatch/logGroup:LogGroup": ResourceFacts(region=_REGION),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ResourceFacts(region=_REGION),
    "aws:dynamodb/table:Table": ResourceFacts(
        region=_REGION, replicas=("replicas[].regionName", "globalTableWitness.regionName")
    ),
    "aws:iam/policy:Policy": ResourceFacts(is_billed=False, model_routes=("policy",)),
    "aws:iam/role:Role": ResourceFacts(
        is_billed=False, model_routes=("inlinePolicies[].policy", "managedPolicyArns")
    ),
    "aws:iam/rolePolicy:RolePolicy": ResourceFacts(is_billed=False, model_routes=("policy",)),
    "aws:secretsmanager/secret:Secret": ResourceFacts(
        region=_REGION, replicas=("replicas[].region",)
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": _FREE,
    "aws:sns/topic:Topic": ResourceFacts(region=_REGION),
    "aws:sns/topicPolicy:TopicPolicy": _FREE,
    "aws:lambda/function:Function": ResourceFacts(
        region=_REGION,
        maximum="reservedConcurrentExecutions",
        model_routes=("environment.variables",),
    ),
    "aws:lambda/functionUrl:FunctionUrl": _FREE,
    "aws:lambda/permission:Permission": _FREE,
    "aws:lambda/alias:Alias": _FREE,
    "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig": ResourceFacts(
        region=_REGION, maximum="provisionedConcurrentExecutions"
    ),
    "aws:wafv2/webAcl:WebAcl": ResourceFacts(region=_REGION),
    "aws:wafv2/webAclAssociation:WebAclAssociation": _FREE,
    "random:index/randomPassword:RandomPassword": _NO_PLACE,
}
