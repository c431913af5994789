"""Logs are kept, and paid for, as long as somebody will read them, and no longer."""

from collections.abc import Iterator
from typing import Final

from portway.gate.context import CostContext
from portway.gate.judged_cost import judge_family
from portway.gate.links import beside, meant, of_types
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing

_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
_IMPLICIT: Final = {
    "aws:lambda/function:Function": ("/aws/lambda/", "loggingConfig.logGroup", ""),
    "aws:codebuild/project:Project": ("/aws/codebuild/", "logsConfig.cloudwatchLogs.groupName", ""),
    "aws:eks/cluster:Cluster": ("/aws/eks/", "", "enabledClusterLogTypes[]"),
}
"""Types that write into a group which AWS makes at the first line, and keeps for ever: the beginning
of its name, where another group is named, and what must be set for anything to be written."""

_BUCKETS: Final = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
_LIFECYCLES: Final = (
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
)
_WRITERS: Final = {
    "aws:s3/bucketLogging:BucketLogging": "targetBucket",
    "aws:s3/bucketLoggingV2:BucketLoggingV2": "targetBucket",
    "aws:cloudtrail/trail:Trail": "s3BucketName",
    "aws:ec2/flowLog:FlowLog": "logDestination",
    "aws:lb/loadBalancer:LoadBalancer": "accessLogs.bucket",
    "aws:cloudfront/distribution:Distribution": "loggingConfig.bucket",
    "aws:bedrockmodel/invocationLoggingConfiguration:InvocationLoggingConfiguration": (
        "loggingConfig.s3Config.bucketName"
    ),
}
"""By type, where it names the bucket that its logs go to."""


def judge_stack(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Advise on groups that come into being by themselves, and on buckets of logs that only grow."""
    del context
    for resource in of_types(stack, _IMPLICIT):
        start, named, given = _IMPLICIT[resource.type]
        if given and not resource.properties.every(given):
            continue
        if named and not isinstance(resource.properties.get(named), Missing):
            continue
        if not _is_declared(resource, start, stack):
            message = (
                f"{resource} writes into a log group that comes into being by itself and keeps "
                f"everything for ever; declare {start}<its name> here, with retentionInDays"
            )
            yield Violation(message, resource.urn, "logGroup", advice=True)
    yield from _of_buckets(stack)


def _is_declared(resource: Resource, start: str, stack: Stack) -> bool:
    """Whether the stack holds the group: by its whole name, or by a name that hangs on ``resource``."""
    for group in of_types(stack, (_GROUP,)):
        sources = (urn for urns in (group.depends_on or {}).values() for urn in urns)
        if resource.urn in sources:
            return True
        name = group.properties.get("name")
        if isinstance(name, Known) and str(name.value).startswith(start):
            its_own = str(name.value).removeprefix(start).partition("/")[0]
            if its_own in _names(resource):
                return True
    # The other way round: a function that waits for its group.
    return any(
        urn in stack.by_urn and stack.by_urn[urn].type == _GROUP
        for urns in (resource.depends_on or {}).values()
        for urn in urns
    )


def _names(resource: Resource) -> set[str]:
    """What it may be called: as it says, else as the engine begins the name that it makes."""
    name = resource.properties.get("name")
    return {str(name.value)} if isinstance(name, Known) else {resource.name}


def _of_buckets(stack: Stack) -> Iterator[Violation]:
    said: set[str] = set()
    for writer in of_types(stack, _WRITERS):
        for bucket in meant(writer, _WRITERS[writer.type], stack, _BUCKETS):
            if bucket.urn in said or _expires(bucket, stack):
                continue
            said.add(bucket.urn)
            message = (
                f"{bucket} takes the logs of {writer} and never deletes one; give it a lifecycle "
                "that moves them to a colder class and ends them"
            )
            yield Violation(message, bucket.urn, "lifecycleRules", advice=True)


def _expires(bucket: Resource, stack: Stack) -> bool:
    own = bool(bucket.properties.every("lifecycleRules[]"))
    return own or next(beside(bucket, stack, _LIFECYCLES), None) is not None


RULE = Rule(
    id="cost-logs-expire",
    severity=Severity.MEDIUM,
    description="Logs are kept as long as somebody reads them, and no longer.",
    remediation="Set retentionInDays on every log group, and a lifecycle on buckets of logs.",
    judge=judge_family("log_retention"),
    judge_stack=judge_stack,
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST04-BP05",
        "ISO/IEC 27001:2022 A.8.10",
    ),
)
