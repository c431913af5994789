"""No disk is paid for that nothing uses, and nothing grows for ever unseen."""

from collections.abc import Iterator
from typing import Final

from portway.gate.billing import amount
from portway.gate.context import CostContext
from portway.gate.judged_cost import judge_family
from portway.gate.links import beside
from portway.gate.resource import Resource, Stack
from portway.gate.rows import is_refused
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.usage import is_used
from portway.gate.values import Known, Unknown

_DISKS: Final = (
    "aws:ebs/volume:Volume", "gcp:compute/disk:Disk", "gcp:compute/regionDisk:RegionDisk",
)  # fmt: skip
_NO_USE: Final = frozenset(
    {
        "pulumi:pulumi:Stack", "aws:ssm/parameter:Parameter", "aws:ec2/tag:Tag",
        "aws:ebs/snapshot:Snapshot", "gcp:compute/snapshot:Snapshot",
        "gcp:compute/diskResourcePolicyAttachment:DiskResourcePolicyAttachment",
        "gcp:compute/regionDiskResourcePolicyAttachment:RegionDiskResourcePolicyAttachment",
    }
)  # fmt: skip
"""What hangs on a disk and uses it for nothing."""

_S3: Final = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
_GCS: Final = "gcp:storage/bucket:Bucket"
_VERSIONING: Final = (
    "aws:s3/bucketVersioning:BucketVersioning", "aws:s3/bucketVersioningV2:BucketVersioningV2",
)  # fmt: skip
_LIFECYCLES: Final = (
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
)
_EXPIRES: Final = (
    "lifecycleRules[].noncurrentVersionExpiration", "rules[].noncurrentVersionExpiration",
)  # fmt: skip
_EXPIRES_GCS: Final = (
    "lifecycleRules[].condition.numNewerVersions",
    "lifecycleRules[].condition.daysSinceNoncurrentTime",
    "lifecycleRules[].condition.noncurrentTimeBefore",
)
_BY_TABLE = judge_family("storage_cost")


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse disks that nothing uses, and versions of objects that are never deleted."""
    yield from _BY_TABLE(resource, context, stack)
    if stack is None:
        return
    if resource.type in _DISKS and not is_used(resource, stack, _NO_USE):
        said = amount(resource, stack)
        cost = f" ({said})" if said else ""
        message = (
            f"{resource} is a disk that nothing in this stack uses{cost}; attach it, or remove it"
        )
        yield Violation(message, resource.urn, "attachment")
    elif resource.type == _GCS:
        yield from _of_google_bucket(resource)
    elif resource.type in _S3:
        yield from _of_amazon_bucket(resource, stack)


def _of_google_bucket(resource: Resource) -> Iterator[Violation]:
    seen = resource.properties.get("versioning.enabled")
    if not isinstance(seen, Unknown) and not (
        isinstance(seen, Known) and is_refused(seen.value, (True,), ())
    ):
        return
    ends = [one for path in _EXPIRES_GCS for one in resource.properties.every(path)]
    if not ends:
        way_out = "add a lifecycle rule with daysSinceNoncurrentTime or numNewerVersions"
        yield _kept(resource, seen, way_out)


def _of_amazon_bucket(resource: Resource, stack: Stack) -> Iterator[Violation]:
    seen = [
        *resource.properties.every("versioning.enabled"),
        *(
            status
            for one in beside(resource, stack, _VERSIONING)
            for status in one.properties.every("versioningConfiguration.status")
        ),
    ]
    on = next((one for one in seen if _may_be_on(one)), None)
    if on is None:
        return
    ends = [resource, *beside(resource, stack, _LIFECYCLES)]
    if not any(one.properties.every(path) for one in ends for path in _EXPIRES):
        yield _kept(resource, on, "add a lifecycle rule with noncurrentVersionExpiration")


def _may_be_on(seen: Known | Unknown) -> bool:
    return isinstance(seen, Unknown) or is_refused(seen.value, (True, "Enabled"), ())


def _kept(resource: Resource, seen: object, way_out: str) -> Violation:
    message = f"{resource} keeps, and pays for, every version of every object for ever; {way_out}"
    undetermined = isinstance(seen, Unknown)
    return Violation(message, resource.urn, "versioning", undetermined, advice=True)


RULE = Rule(
    id="cost-storage-is-used",
    severity=Severity.MEDIUM,
    description="No disk is paid for that nothing uses, and no old version is kept for ever.",
    remediation="Attach disks or remove them, and let old versions of objects expire.",
    judge=judge,
    controls=(
        "FinOps Framework: Workload Optimization",
        "AWS Well-Architected COST04-BP05",
        "ISO/IEC 27001:2022 A.8.10",
    ),
)
