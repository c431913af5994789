"""Secrets Manager, log groups and inference profiles: small services with rules of their own."""

import re
import time
import uuid
from typing import TYPE_CHECKING

from portway.sandbox.providers import amazon_errors
from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested
from portway.sandbox.providers.cloud import Failure, Request
from portway.sandbox.providers.wire import UNKNOWN, Json
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type token
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PROFILE = "aws:bedrock/inferenceProfile:InferenceProfile"
_PROFILE_NAME = re.compile(r"([0-9a-zA-Z][ _-]?)+")
_RETENTION_DAYS = (0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)  # fmt: skip
_DAY_SECONDS = 86_400
_RECOVERY_DAYS = 30


def admit_secret(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A name stays taken until its recovery window is over.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    until = cloud.store.meta(_tombstone(deployed.key))
    if deployed.before is None and until and float(until) > time.time():
        text = "InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion."
        raise amazon_errors.refused(deployed, text)


def admit_version(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A version needs its secret.

    Raises:
        CloudError: NOT_FOUND.
    """
    given = str(deployed.inputs.get("secretId"))
    secrets = cloud.rows(SECRET, deployed.key.scope)
    if not any(given in (row.key.id, row.inputs.get("name")) for row in secrets):
        text = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
        raise amazon_errors.not_found(deployed, text)


def identify_version(cloud: "StoredCloud", inputs: Json) -> str:
    """Secret and version id, as the provider joins them."""
    del cloud
    return f"{inputs.get('secretId')}|{uuid.uuid4()}"


def version_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """The version's own id is the second half of the resource's."""
    del cloud, known
    return {"versionId": deployed.key.id.rsplit("|", 1)[-1]}


def release_secret(cloud: "StoredCloud", row: Row, request: Request) -> None:
    """Deleting schedules the deletion: until then nobody can have the name."""
    days = int(request.old_outputs.get("recoveryWindowInDays", _RECOVERY_DAYS))
    cloud.store.set_meta(_tombstone(row.key), str(time.time() + days * _DAY_SECONDS))


def check_log_group(inputs: Json) -> list[Failure]:
    """Retention is one of a fixed list."""
    days = inputs.get("retentionInDays")
    if days is None or days == UNKNOWN or int(days) in _RETENTION_DAYS:
        return []
    listed = " ".join(map(str, _RETENTION_DAYS))
    text = f"expected retention_in_days to be one of [{listed}], got {days}"
    return [Failure("retentionInDays", text)]


def check_profile(inputs: Json) -> list[Failure]:
    """A name that Bedrock takes."""
    name = inputs.get("name")
    if not isinstance(name, str) or name == UNKNOWN or _PROFILE_NAME.fullmatch(name):
        return []
    text = "Attribute name must match the regular expression ^([0-9a-zA-Z][ _-]?)+$"
    return [Failure("name", text)]


def admit_profile(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An application profile copies a model or a profile that its region can have.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    source = str(nested(deployed.inputs, "modelSource.copyFrom"))
    region = str(cloud.values(PROFILE, deployed.inputs)["region"])
    wanted = rf"arn:aws[\w-]*:bedrock:{region}:\d*:(foundation-model|inference-profile)/[\w.:-]+"
    if not re.fullmatch(wanted, source):
        text = "ValidationException: The provided model identifier is invalid."
        raise amazon_errors.refused(deployed, text)


def profile_outputs(cloud: "StoredCloud", deployed: Deployed, known: Json) -> Json:
    """Where an application profile is and what it is called."""
    del known
    values = cloud.values(PROFILE, deployed.inputs)
    arn = f"arn:aws:bedrock:{values['region']}:{values['account']}:application-inference-profile/{deployed.key.id}"
    return {"arn": arn, "status": "ACTIVE", "type": "APPLICATION"}


def _tombstone(key: Key) -> str:
    return f"scheduled-for-deletion:{key}"


BEHAVIOURS = {
    SECRET: Behaviour(admit=admit_secret, release=release_secret),
    VERSION: Behaviour(identify=identify_version, admit=admit_version, outputs=version_outputs),
    LOG_GROUP: Behaviour(validate=check_log_group),
    PROFILE: Behaviour(validate=check_profile, admit=admit_profile, outputs=profile_outputs),
}
