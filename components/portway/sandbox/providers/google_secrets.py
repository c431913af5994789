"""Who may read what in the embedded Google Cloud: service accounts, secrets and buckets a service refers to."""

import re
from typing import TYPE_CHECKING

from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, object_at, objects_at
from portway.sandbox.providers.cloud import CloudError, Code
from portway.sandbox.providers.wire import Json
from portway.sandbox.store import Key

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

ACCOUNT = "gcp:serviceaccount/account:Account"
SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type token
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"
_MEMBERS = ("gcp:secretmanager/secretIamMember:SecretIamMember", "gcp:projects/iAMMember:IAMMember")
_BUCKET = "gcp:storage/bucket:Bucket"
_ACCESSOR = "roles/secretmanager.secretAccessor"
_ALLOWING = {_ACCESSOR, "roles/secretmanager.admin", "roles/owner"}


def account_exists(cloud: "StoredCloud", scope: str, email: str) -> bool:
    """Whether a service account is there; Google's own default accounts always are."""
    if not re.fullmatch(r"[^@]+@[^@]+\.iam\.gserviceaccount\.com", email):
        return email.endswith("gserviceaccount.com")
    project = email.split("@")[1].split(".", maxsplit=1)[0]
    key = Key("gcp", project, ACCOUNT, f"projects/{project}/serviceAccounts/{email}")
    return cloud.store.get(key) is not None or project != scope


def flaw(cloud: "StoredCloud", deployed: Deployed, account: str) -> str | None:
    """The first thing a revision refers to that is not there or that its service account may not read."""
    for secret, version in _references(deployed.inputs):
        found = _secret_flaw(cloud, deployed, secret, version, account)
        if found:
            return found
    volumes = objects_at(deployed.inputs, "template.volumes")
    for bucket in filter(None, (nested(volume, "gcs.bucket") for volume in volumes)):
        if cloud.store.get(Key("gcp", "global", _BUCKET, str(bucket))) is None:
            return (
                f"Container failed to start: mounting volume failed: the specified bucket {bucket} does not "
                f"exist, or {account} does not have storage.objects.get access to it."
            )
    return None


def add_version(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A version needs its secret.

    Raises:
        CloudError: NOT_FOUND.
    """
    secret = _full(cloud, deployed.inputs, deployed.inputs.get("secret"))
    if cloud.store.get(Key("gcp", deployed.key.scope, SECRET, secret)) is None:
        text = f"Error creating SecretVersion: googleapi: Error 404: Secret [{secret}] not found., notFound"
        raise CloudError(Code.NOT_FOUND, text)


def bind(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A member of a secret's policy needs the secret and, for a service account of ours, the account.

    Raises:
        CloudError: NOT_FOUND or INVALID_ARGUMENT.
    """
    secret = _full(cloud, deployed.inputs, deployed.inputs.get("secretId"))
    if cloud.store.get(Key("gcp", deployed.key.scope, SECRET, secret)) is None:
        text = f'Error applying IAM policy for secretmanager secret "{secret}": googleapi: Error 404: Secret [{secret}] not found., notFound'
        raise CloudError(Code.NOT_FOUND, text)
    known_member(cloud, deployed, f'secretmanager secret "{secret}"')


def known_member(cloud: "StoredCloud", deployed: Deployed, what: str) -> None:
    """Google refuses a policy that names a service account that is not there.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    member = str(deployed.inputs.get("member"))
    kind, _, email = member.partition(":")
    if kind == "serviceAccount" and not account_exists(cloud, deployed.key.scope, email):
        text = f"Error applying IAM policy for {what}: googleapi: Error 400: Service account {email} does not exist., badRequest"
        raise CloudError(Code.INVALID_ARGUMENT, text)


def version_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """The number of a version is the next one of its secret and is its id too."""
    del known, cloud
    number = deployed.key.id.rsplit("/", 1)[-1]
    return {"name": deployed.key.id, "version": number}


def next_version(cloud: "StoredCloud", inputs: Json) -> str:
    """The id of a new version: numbers count up and are never used again."""
    secret = _full(cloud, inputs, inputs.get("secret"))
    counter = f"gcp-secret-versions:{secret}"
    number = int(cloud.store.meta(counter) or 0) + 1
    cloud.store.set_meta(counter, str(number))
    return f"{secret}/versions/{number}"


BEHAVIOURS = {
    VERSION: Behaviour(identify=next_version, admit=add_version, outputs=version_outputs),
    _MEMBERS[0]: Behaviour(admit=bind),
}


def _references(inputs: Json) -> list[tuple[str, str]]:
    """Every secret and version that an environment variable or a volume refers to."""
    found: list[tuple[str, str]] = []
    for one in objects_at(inputs, "template.containers"):
        for env in objects_at(one, "envs"):
            reference = object_at(env, "valueSource.secretKeyRef")
            if reference:
                version = reference.get("version") or "latest"
                found.append((str(reference.get("secret")), str(version)))
    for volume in objects_at(inputs, "template.volumes"):
        secret = nested(volume, "secret.secret")
        items = objects_at(volume, "secret.items") or [{}]
        if secret:
            found += [(str(secret), str(item.get("version") or "latest")) for item in items]
    return found


def _secret_flaw(
    cloud: "StoredCloud", deployed: Deployed, secret: str, version: str, account: str
) -> str | None:
    full = _full(cloud, deployed.inputs, secret)
    project = full.split("/")[1]
    number = cloud.values(SECRET, {"project": project})["number"]
    said = f"projects/{number}/secrets/{full.split('/')[3]}/versions/{version}"
    versions = [row for row in cloud.rows(VERSION, project) if row.key.id.startswith(f"{full}/")]
    numbers = {row.key.id.rsplit("/", 1)[-1] for row in versions}
    if not numbers or (version != "latest" and version not in numbers):
        return f"Secret {said} was not found"
    allowed = any(
        row.inputs.get("member") == f"serviceAccount:{account}"
        and row.inputs.get("role") in _ALLOWING
        and (token != _MEMBERS[0] or _full(cloud, row.inputs, row.inputs.get("secretId")) == full)
        for token in _MEMBERS
        for row in cloud.rows(token, project)
    )
    if allowed:
        return None
    return (
        f"Permission denied on secret: {said} for Revision service account {account}. The service account used "
        f"must be granted the 'Secret Manager Secret Accessor' role ({_ACCESSOR}) at the secret, project or higher level."
    )


def _full(cloud: "StoredCloud", inputs: Json, secret: object) -> str:
    """A secret's id, whichever way it was named."""
    values = cloud.values(SECRET, {"project": inputs.get("project")})
    name = str(secret)
    owner = name.split("/")[1] if name.startswith("projects/") else str(values["project"])
    if owner == values["number"]:
        owner = str(values["project"])
    return f"projects/{owner}/secrets/{name.rsplit('/', 1)[-1]}"
