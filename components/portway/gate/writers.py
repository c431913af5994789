"""Which functions of a stack may write to which buckets, as the policies of their roles say."""

from collections.abc import Iterator
from typing import Final

from portway.gate.links import meant, of_types, sources
from portway.gate.resource import Resource, Stack
from portway.gate.statements import statements
from portway.gate.values import Known, Unknown

BUCKETS: Final = frozenset({"aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"})
_ROLE: Final = "aws:iam/role:Role"
_ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
_POLICY: Final = "aws:iam/policy:Policy"
_PUT: Final = ("s3:putobject",)
_FULL_ACCESS: Final = "AmazonS3FullAccess"


def may_write(function: Resource, bucket: Resource, stack: Stack) -> bool | None:
    """Whether ``function`` may write to ``bucket``; None where a policy is not known yet."""
    answers = {
        _lets_write(resource, path, bucket, stack)
        for role in meant(function, "role", stack, {_ROLE})
        for resource, path in _policies(role, stack)
    }
    if True in answers:
        return True
    return None if None in answers else False


def _policies(role: Resource, stack: Stack) -> Iterator[tuple[Resource, str]]:
    """Every resource that holds a policy of ``role``, and where."""
    yield role, "inlinePolicies[].policy"
    for one in of_types(stack, ("aws:iam/rolePolicy:RolePolicy",)):
        if role in meant(one, "role", stack, {_ROLE}):
            yield one, "policy"
    for one in of_types(stack, (_ATTACHMENT,)):
        if role in meant(one, "role", stack, {_ROLE}):
            yield one, "policyArn"
            yield from ((policy, "policy") for policy in meant(one, "policyArn", stack, {_POLICY}))


def _lets_write(resource: Resource, path: str, bucket: Resource, stack: Stack) -> bool | None:
    for seen in resource.properties.every(path):
        if isinstance(seen, Unknown):
            # What an attachment names is read where it is.
            if path != "policyArn" and bucket in sources(resource, path, stack, BUCKETS):
                return None
        elif path == "policyArn":
            if str(seen.value).endswith(f"/{_FULL_ACCESS}"):
                return True
        elif _grants(seen, bucket):
            return True
    return False


def _grants(policy: Known, bucket: Resource) -> bool:
    """Whether a document that is known allows to write to ``bucket``, or to every bucket."""
    named = bucket.properties.get("bucket")
    for one in statements(policy.value):
        if one.is_denial or not one.allows(_PUT):
            continue
        for grant in one.grants():
            if grant.resource is None:
                if not grant.is_known:
                    continue
                return True
            bucket_of = grant.resource.rpartition(":::")[2].partition("/")[0]
            if bucket_of == "*" or (isinstance(named, Known) and bucket_of == named.value):
                return True
    return False
