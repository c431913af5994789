"""Buckets and their objects, and the policies on them."""

import base64
import hashlib
from typing import TYPE_CHECKING

from portway.sandbox.buckets import Buckets
from portway.sandbox.providers import google_secrets, objects
from portway.sandbox.providers.behaviour import Behaviour, Deployed
from portway.sandbox.providers.cloud import CloudError, Code, Request
from portway.sandbox.providers.wire import Json
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

BUCKET = "gcp:storage/bucket:Bucket"
OBJECT = "gcp:storage/bucketObject:BucketObject"
_MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
_RUN_MEMBER = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"
_RUN_SERVICE = "gcp:cloudrunv2/service:Service"


def in_bucket(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An object needs its bucket.

    Raises:
        CloudError: NOT_FOUND.
    """
    bucket = str(deployed.inputs.get("bucket"))
    if cloud.store.get(Key("gcp", "global", BUCKET, bucket)) is None:
        text = f"Error uploading object {deployed.inputs.get('name')}: googleapi: Error 404: The specified bucket does not exist., notFound"
        raise CloudError(Code.NOT_FOUND, text)


def bind_bucket(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A member of a bucket's policy needs the bucket and the member.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    bucket = str(deployed.inputs.get("bucket"))
    what = f'storage bucket "b/{bucket}"'
    if cloud.store.get(Key("gcp", "global", BUCKET, bucket)) is None:
        text = f"Error applying IAM policy for {what}: googleapi: Error 404: The specified bucket does not exist., notFound"
        raise CloudError(Code.NOT_FOUND, text)
    google_secrets.known_member(cloud, deployed, what)


def bind_service(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A member of a Cloud Run service's policy needs the service and the member.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    service = deployed.key.id.split("/services/")[0] + "/services/"
    name = str(cloud.values(_RUN_MEMBER, deployed.inputs)["name"])
    what = f'cloudrunv2 service "{service}{name}"'
    if cloud.store.get(Key("gcp", deployed.key.scope, _RUN_SERVICE, f"{service}{name}")) is None:
        text = f"Error applying IAM policy for {what}: googleapi: Error 404: Resource '{name}' of kind 'SERVICE' in region '{deployed.inputs.get('location')}' in project '{deployed.key.scope}' does not exist., notFound"
        raise CloudError(Code.NOT_FOUND, text)
    google_secrets.known_member(cloud, deployed, what)


def object_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """Checksums of the content, and its generation."""
    del deployed
    digest = known.get("__object")
    if not digest:
        return {}
    content = objects.path_of(cloud.root, str(digest)).read_bytes()
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    return {"md5hash": md5, "detectMd5hash": md5, "generation": int(str(digest)[:12], 16)}


def release_bucket(cloud: "StoredCloud", row: Row, request: Request) -> None:
    """A bucket with objects in it stays, unless its deletion is forced.

    Raises:
        CloudError: FAILED_PRECONDITION.
    """
    buckets = Buckets(cloud.root)
    if request.old_outputs.get("forceDestroy") is True:
        buckets.forget(row.key.id)
        return
    held = cloud.store.all(cloud="gcp", type=OBJECT)
    deployed = any(one.inputs.get("bucket") == row.key.id for one in held)
    if deployed or buckets.objects(row.key.id):
        text = f"Error trying to delete bucket {row.key.id} containing objects without `force_destroy` set to true"
        raise CloudError(Code.FAILED_PRECONDITION, text)


BEHAVIOURS = {
    BUCKET: Behaviour(release=release_bucket),
    OBJECT: Behaviour(admit=in_bucket, outputs=object_outputs, payload=("source", "content")),
    _MEMBER: Behaviour(admit=bind_bucket),
    _RUN_MEMBER: Behaviour(admit=bind_service),
}
