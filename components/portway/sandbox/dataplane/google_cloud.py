"""Reading deployed Google Cloud resources: who may do what, secrets' values, buckets' objects."""

import base64
import binascii
from pathlib import Path

from portway.sandbox.buckets import Buckets
from portway.sandbox.dataplane.world import PlatformError, World, text
from portway.sandbox.store import Row

SERVICE = "gcp:cloudrunv2/service:Service"
INVOKERS = (
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
    "gcp:cloudrunv2/serviceIamBinding:ServiceIamBinding",
)
SECRET_VERSION = "gcp:secretmanager/secretVersion:SecretVersion"  # noqa: S105 - a type token
SECRET_MEMBERS = (
    "gcp:secretmanager/secretIamMember:SecretIamMember",
    "gcp:secretmanager/secretIamBinding:SecretIamBinding",
)
JOB = "gcp:cloudrunv2/job:Job"
BUCKET = "gcp:storage/bucket:Bucket"
BUCKET_OBJECT = "gcp:storage/bucketObject:BucketObject"
BUCKET_MEMBERS = (
    "gcp:storage/bucketIAMMember:BucketIAMMember",
    "gcp:storage/bucketIAMBinding:BucketIAMBinding",
)
PROJECT_MEMBERS = (
    "gcp:projects/iAMMember:IAMMember",
    "gcp:projects/iAMBinding:IAMBinding",
)
SERVICE_INVOKERS = frozenset({"roles/run.invoker", "roles/run.admin"})
SECRET_READERS = frozenset({"roles/secretmanager.secretAccessor", "roles/secretmanager.admin"})
OBJECT_READERS = frozenset({
    "roles/storage.objectViewer", "roles/storage.objectUser", "roles/storage.objectAdmin",
    "roles/storage.admin", "roles/storage.legacyObjectReader",
})  # fmt: skip
OBJECT_OVERWRITERS = frozenset({
    "roles/storage.objectUser", "roles/storage.objectAdmin", "roles/storage.admin",
})  # fmt: skip
OBJECT_WRITERS = OBJECT_OVERWRITERS | {"roles/storage.objectCreator"}
ANYBODY = "allUsers"


def last(name: str) -> str:
    """The short name in ``projects/p/secrets/name`` or ``b/name``."""
    return name.rstrip("/").rpartition("/")[2]


def invokers(world: World, service: Row) -> frozenset[str]:
    """The members who may invoke ``service``, such as ``allUsers`` or ``user:a@example.com``."""
    name, place = (
        text(service.inputs, "name") or last(service.key.id),
        text(service.inputs, "location"),
    )
    bindings = [
        row for row in world.of(*INVOKERS)
        if row.key.scope == service.key.scope
        and last(text(row.inputs, "name")) == name
        and text(row.inputs, "location") in ("", place)
    ]  # fmt: skip
    bindings += [row for row in world.of(*PROJECT_MEMBERS) if row.key.scope == service.key.scope]
    held = (row for row in bindings if text(row.inputs, "role") in SERVICE_INVOKERS)
    return frozenset(member for row in held for member in _members(row))


def secret_value(world: World, scope: str, secret: str, version: str, reader: str) -> bytes:
    """The payload of a secret's version, as ``reader`` (a service account's email) may see it.

    Raises:
        PlatformError: it is not there or may not be read; Google gives the same text for both.
    """
    name = last(secret)
    versions = [
        row for row in world.of(SECRET_VERSION)
        if row.key.scope == scope and last(text(row.inputs, "secret")) == name
        and row.inputs.get("enabled", True)
    ]  # fmt: skip
    wanted = (
        versions if version in ("", "latest") else [r for r in versions if _number(r) == version]
    )
    allowed = _granted(world, scope, SECRET_MEMBERS, "secretId", name, SECRET_READERS)
    if not wanted or f"serviceAccount:{reader}" not in allowed:
        raise PlatformError(
            f"Permission denied on secret: projects/{scope}/secrets/{name}/versions/{version or 'latest'} for Revision service account {reader}. The service account used must be granted the 'Secret Manager Secret Accessor' role (roles/secretmanager.secretAccessor) at the secret, project or higher level."
        )
    return _payload(wanted[-1])


def bucket_files(
    world: World, scope: str, bucket: str, reader: str, *, doing: str = "mounting volume for"
) -> dict[str, bytes | Path]:
    """The objects of a bucket by name, as ``reader`` may see them while ``doing`` something with it.

    Raises:
        PlatformError: ``reader`` may not read the bucket.
    """
    name = last(bucket)
    allowed = _granted(world, scope, BUCKET_MEMBERS, "bucket", name, OBJECT_READERS)
    if not {f"serviceAccount:{reader}", ANYBODY} & allowed:
        raise PlatformError(
            f"{doing} bucket {name} failed: {reader} does not have storage.objects.list access to the Google Cloud Storage bucket. Grant it roles/storage.objectViewer on the bucket."
        )
    written = {one.name: one.content for one in Buckets(world.root).objects(name)}
    return {**uploaded_files(world, name), **written}


def uploaded_files(world: World, bucket: str) -> dict[str, bytes | Path]:
    """The objects that deployments put into a bucket, by name."""
    found: dict[str, bytes | Path] = {}
    for row in world.of(BUCKET_OBJECT):
        if last(text(row.inputs, "bucket")) != bucket:
            continue
        path = world.object(row, "__object")
        found[text(row.inputs, "name") or text(row.outputs, "name")] = (
            path if path is not None else text(row.inputs, "content").encode()
        )
    return found


def bucket_members(world: World, bucket: Row, roles: frozenset[str]) -> frozenset[str]:
    """The members who have one of ``roles`` on a bucket, there or in its project."""
    scope = text(bucket.outputs, "project") or text(bucket.inputs, "project")
    return _granted(world, scope, BUCKET_MEMBERS, "bucket", bucket.key.id, roles)


def _granted(
    world: World, scope: str, types: tuple[str, ...], field: str, name: str, roles: frozenset[str]
) -> frozenset[str]:
    rows = [row for row in world.of(*types) if last(text(row.inputs, field)) == name]
    rows += [row for row in world.of(*PROJECT_MEMBERS) if row.key.scope == scope]
    held = (row for row in rows if text(row.inputs, "role") in roles)
    return frozenset(member for row in held for member in _members(row))


def _members(row: Row) -> list[str]:
    members: list[str] = row.inputs.get("members") or []
    return [*members, text(row.inputs, "member")]


def _number(row: Row) -> str:
    return text(row.outputs, "version") or last(row.key.id)


def _payload(row: Row) -> bytes:
    data = text(row.inputs, "secretData", "secretDataWo")
    if not row.inputs.get("isSecretDataBase64"):
        return data.encode()
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise PlatformError(f"the secret version {row.key.id} is not base64") from error
