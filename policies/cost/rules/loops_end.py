"""What calls itself, or is called again when it fails, comes to an end."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.gate.context import CostContext
from portway.gate.judged_cost import judge_family, number
from portway.gate.links import beside, meant, sources
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing, Unknown
from portway.gate.writers import BUCKETS, may_write

_MAPPING: Final = "aws:lambda/eventSourceMapping:EventSourceMapping"
_FUNCTION: Final = frozenset({"aws:lambda/function:Function"})
_QUEUE: Final = frozenset({"aws:sqs/queue:Queue"})
_STREAMS: Final = frozenset({"aws:kinesis/stream:Stream", "aws:dynamodb/table:Table"})
_REDRIVE: Final = ("aws:sqs/redrivePolicy:RedrivePolicy",)
_BUS: Final = frozenset({"aws:cloudwatch/eventBus:EventBus"})
_TARGET: Final = "aws:cloudwatch/eventTarget:EventTarget"
_NOTIFICATION: Final = "aws:s3/bucketNotification:BucketNotification"
_TRIES: Final = ("maximumRetryAttempts", "maximumRecordAgeInSeconds")
_TIMES: Final = 6
"""By how much a queue should outlast its function (docs.aws.amazon.com/lambda: Amazon SQS)."""
_BY_TABLE = judge_family("loops")


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse what nothing ends; what belongs together is known when the whole stack is."""
    yield from _BY_TABLE(resource, context, stack)
    if resource.type == _MAPPING:
        if stack is not None:
            yield from _of_queue(resource, stack)
            yield from _of_stream(resource, stack)
    elif resource.type == _TARGET and stack is not None:
        yield from _of_bus(resource, stack)
    elif resource.type == _NOTIFICATION and stack is not None:
        yield from _of_bucket(resource, stack)


def _of_queue(mapping: Resource, stack: Stack) -> Iterator[Violation]:
    functions = meant(mapping, "functionName", stack, _FUNCTION)
    for queue in meant(mapping, "eventSourceArn", stack, _QUEUE):
        if not queue.properties.every("redrivePolicy") and not any(beside(queue, stack, _REDRIVE)):
            message = (
                f"{queue} hands a message that fails to {mapping.name} again and again for days, and "
                "every time is billed: it has no dead-letter queue; set redrivePolicy with a "
                "maxReceiveCount"
            )
            yield Violation(message, queue.urn, "redrivePolicy")
        for function in functions:
            yield from _outlasts(queue, function)
        if not functions and not mapping.properties.every("scalingConfig.maximumConcurrency"):
            message = (
                f"{mapping} feeds a function that is not in this stack, as many calls at once as "
                "that one allows; set scalingConfig.maximumConcurrency"
            )
            yield Violation(message, mapping.urn, "scalingConfig", advice=True)


def _outlasts(queue: Resource, function: Resource) -> Iterator[Violation]:
    """A message that shows up again while it is being handled is handled, and billed, twice."""
    hidden = _number(queue, "visibilityTimeoutSeconds", 30)
    timeout = _number(function, "timeout", 3)
    if hidden is None or timeout is None:
        message = (
            f"{queue} cannot be judged: nobody can tell how long it hides messages, or how long "
            f"{function.name} may take for one; make both literal numbers"
        )
        yield Violation(message, queue.urn, "visibilityTimeoutSeconds", undetermined=True)
    elif hidden < _TIMES * timeout:
        message = (
            f"{queue} shows a message again after {hidden} seconds while {function.name} may take "
            f"{timeout} for it, so that it is handled and billed twice; set visibilityTimeoutSeconds "
            f"to {_TIMES * timeout} or more ({_TIMES} times the timeout, as AWS advises)"
        )
        yield Violation(message, queue.urn, "visibilityTimeoutSeconds", advice=hidden >= timeout)


def _number(resource: Resource, path: str, omitted: int) -> Decimal | None:
    """The number at ``path``; what the vendor takes where it is left out; None if nobody can tell."""
    seen = resource.properties.get(path)
    if isinstance(seen, Missing):
        return Decimal(omitted)
    return None if isinstance(seen, Unknown) else number(seen.value)


def _of_stream(mapping: Resource, stack: Stack) -> Iterator[Violation]:
    """Streams alone: Kafka and DocumentDB have a starting position too, and count no tries."""
    if not (_is_stream(mapping) or meant(mapping, "eventSourceArn", stack, _STREAMS)):
        return
    if not any(_limits(mapping, path) for path in _TRIES):
        message = (
            f"{mapping} tries records that fail again until they expire, a day later or more, and "
            f"every time is billed; set {_TRIES[0]} or {_TRIES[1]}"
        )
        yield Violation(message, mapping.urn, _TRIES[0])


def _is_stream(mapping: Resource) -> bool:
    seen = mapping.properties.get("eventSourceArn")
    text = str(seen.value) if isinstance(seen, Known) else ""
    return ":kinesis:" in text or ":dynamodb:" in text


def _limits(mapping: Resource, path: str) -> bool:
    """Whether there is a number that is no -1, which stands for no limit."""
    seen = mapping.properties.get(path)
    given = number(seen.value) if isinstance(seen, Known) else None
    return given is not None and given >= 0


def _of_bus(target: Resource, stack: Stack) -> Iterator[Violation]:
    """Buses of other accounts may have the same name, so names alone say nothing."""
    own = meant(target, "eventBusName", stack, _BUS)
    sent = sources(target, "arn", stack, _BUS)
    bus, to = target.properties.get("eventBusName"), target.properties.get("arn")
    is_same = isinstance(bus, Known) and isinstance(to, Known) and bus.value == to.value
    if is_same or any(one in own for one in sent):
        message = (
            f"{target} sends what its rule matches to the bus that the rule reads (arn), so that "
            "each event comes round again; send it to another bus"
        )
        yield Violation(message, target.urn, "arn")


def _of_bucket(notification: Resource, stack: Stack) -> Iterator[Violation]:
    for bucket in meant(notification, "bucket", stack, BUCKETS):
        for called in notification.properties.every("lambdaFunctions[].lambdaFunctionArn"):
            block = called.path.removesuffix(".lambdaFunctionArn")
            if _is_filtered(notification, block) or not _is_for_new(notification, block):
                continue
            for function in meant(notification, called.path, stack, _FUNCTION):
                writes = may_write(function, bucket, stack)
                if writes is not False:
                    message = (
                        f"{notification} calls {function.name} for every object in {bucket.name}, to "
                        "which that may write new ones, each of which calls it again; write to "
                        "another bucket, or set filterPrefix or filterSuffix"
                    )
                    yield Violation(message, notification.urn, block, advice=writes is None)


def _is_filtered(notification: Resource, block: str) -> bool:
    return any(
        notification.properties.every(f"{block}.{name}")
        for name in ("filterPrefix", "filterSuffix")
    )


def _is_for_new(notification: Resource, block: str) -> bool:
    """Whether new objects are among the events, or may be."""
    events = notification.properties.every(f"{block}.events[]")
    return any(isinstance(one, Unknown) or "ObjectCreated" in str(one.value) for one in events)


RULE = Rule(
    id="cost-loops-end",
    severity=Severity.HIGH,
    description="What calls itself, or is called again when it fails, comes to an end.",
    remediation="Limit how often something is tried again, and write elsewhere than you read.",
    controls=(
        "FinOps Framework: Anomaly Management",
        "AWS Well-Architected COST09-BP02",
        "Google Cloud Well-Architected, cost optimization: Optimize continuously",
    ),
    judge=judge,
)
