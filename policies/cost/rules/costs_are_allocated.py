"""What a resource costs can be told apart from what others cost: by tags, labels and profiles."""

from collections.abc import Iterator
from typing import Final

from portway.gate.absence import cost_absence, named
from portway.gate.context import CostContext
from portway.gate.environments import labels
from portway.gate.links import of_types
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.statements import Statement, statements
from portway.gate.values import Known

_ID: Final = "cost-costs-are-allocated"
_BILLED: Final = {
    "aws": (
        "aws:lambda/function:Function", "aws:ec2/instance:Instance", "aws:eks/cluster:Cluster",
        "aws:eks/nodeGroup:NodeGroup", "aws:autoscaling/group:Group", "aws:ecs/service:Service",
        "aws:ec2/natGateway:NatGateway", "aws:lb/loadBalancer:LoadBalancer",
        "aws:dynamodb/table:Table", "aws:rds/instance:Instance", "aws:rds/cluster:Cluster",
        "aws:elasticache/replicationGroup:ReplicationGroup", "aws:s3/bucket:Bucket",
        "aws:ebs/volume:Volume", "aws:efs/fileSystem:FileSystem",
        "aws:sagemaker/endpoint:Endpoint", "aws:cloudwatch/logGroup:LogGroup",
        "aws:bedrock/provisionedModelThroughput:ProvisionedModelThroughput",
        "aws:bedrock/inferenceProfile:InferenceProfile",
    ),
    "gcp": (
        "gcp:cloudrunv2/service:Service", "gcp:cloudrunv2/job:Job",
        "gcp:cloudrunv2/workerPool:WorkerPool", "gcp:compute/instance:Instance",
        "gcp:compute/disk:Disk", "gcp:container/cluster:Cluster",
        "gcp:container/nodePool:NodePool", "gcp:sql/databaseInstance:DatabaseInstance",
        "gcp:storage/bucket:Bucket", "gcp:redis/instance:Instance",
        "gcp:filestore/instance:Instance", "gcp:bigquery/dataset:Dataset",
    ),
}  # fmt: skip
"""By cloud, the types that cost most in stacks like these, and that tags or labels tell apart."""

_WORD: Final = {"aws": ("tag", "defaultTags"), "gcp": ("label", "defaultLabels")}
_PROFILE: Final = "aws:bedrock/inferenceProfile:InferenceProfile"
_CALLS: Final = ("bedrock:invokemodel", "bedrock:invokemodelwithresponsestream")
_POLICIES: Final = ("policy", "inlinePolicies[].policy")


def _lacks(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Advise one tag for all of a provider's resources, and a profile where models are called."""
    del context
    for cloud, types in _BILLED.items():
        bare = [one for one in of_types(stack, types) if not _is_told_apart(one)]
        if bare:
            word, everywhere = _WORD[cloud]
            message = (
                f"no {word} says whose cost this is: {named(bare)}; set {everywhere} on the provider, "
                "such as service and team"
            )
            yield Violation(message, bare[0].urn, everywhere)
    caller = next((one for one in stack.resources if _calls_bedrock(one)), None)
    if caller is not None and not of_types(stack, (_PROFILE,)):
        message = (
            f"{caller} lets models of Bedrock be called, whose tokens carry no tag of their own; call "
            f"them through an {_PROFILE} with tags, which the bill then shows apart"
        )
        yield Violation(message, caller.urn, "inferenceProfile")


def _is_told_apart(resource: Resource) -> bool:
    """Whether a tag says anything besides a name. One that is not known yet is not there."""
    return any(name.lower() != "name" and value for name, value in labels(resource))


def _calls_bedrock(resource: Resource) -> bool:
    """Whether an IAM policy lets somebody call models, and says so by name."""
    if not resource.type.startswith("aws:iam/"):
        return False
    return any(
        isinstance(seen, Known) and any(map(_is_leave, statements(seen.value)))
        for path in _POLICIES
        for seen in resource.properties.every(path)
    )


def _is_leave(statement: Statement) -> bool:
    if statement.parts is None or statement.is_denial or not statement.allows(_CALLS):
        return False
    return "bedrock:" in str(statement.parts.get("action")).lower()


RULE = Rule(
    id=_ID,
    severity=Severity.MEDIUM,
    description="What each service costs can be told apart on the bill.",
    remediation="Set defaultTags or defaultLabels on the provider, and call models by a profile.",
    judge_stack=cost_absence(_ID, _lacks),
    controls=(
        "FinOps Framework: Allocation",
        "AWS Well-Architected COST03-BP05",
        "Google Cloud Well-Architected, cost optimization: Align spending with business value",
    ),
    advises=True,
)
