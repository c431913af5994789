"""Databases that count, budgets, alerts and whom they tell, in the embedded Google Cloud."""

import re
import secrets
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from portway.sandbox.providers import google_secrets, type_facts
from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, object_at, objects_at
from portway.sandbox.providers.cloud import CloudError, Code, Failure, Request
from portway.sandbox.providers.wire import UNKNOWN, Json, is_list
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

DATABASE = "gcp:firestore/database:Database"
FIELD = "gcp:firestore/field:Field"
BUDGET = "gcp:billing/budget:Budget"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
ALERT = "gcp:monitoring/alertPolicy:AlertPolicy"
MEMBER = "gcp:projects/iAMMember:IAMMember"
_MULTI_REGIONS = {"nam5", "nam7", "eur3"}
_ACCOUNT = re.compile(r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}")
_MOST_CHANNELS = 5
_NANOS = 10**9
_INVALID = "Request contains an invalid argument."


def admit_database(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A database is somewhere, and is called what Firestore takes.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    del cloud
    name, place = str(deployed.inputs.get("name")), str(deployed.inputs.get("locationId"))
    if name != "(default)" and not re.fullmatch(r"[a-z][0-9a-z-]{2,61}[0-9a-z]", name):
        raise _refused(
            deployed,
            "Database",
            f"Invalid database_id '{name}': it should be 4 to 63 lower-case letters, digits and hyphens.",
        )
    if place not in type_facts.regions("google") | _MULTI_REGIONS:
        raise _refused(deployed, "Database", f"Invalid location_id '{place}'.")


def release_database(cloud: "StoredCloud", row: Row, request: Request) -> None:
    """A protected database stays.

    Raises:
        CloudError: FAILED_PRECONDITION.
    """
    del cloud, request
    if row.outputs.get("deleteProtectionState") == "DELETE_PROTECTION_ENABLED":
        text = (
            "Error when reading or editing Database: googleapi: Error 400: Database has delete protection "
            "enabled. Disable it to delete the database., failedPrecondition"
        )
        raise CloudError(Code.FAILED_PRECONDITION, text)


def is_abandoned(row: Row) -> bool:
    """Whether the provider only forgets the database: what it does unless it is told otherwise."""
    return row.outputs.get("deletionPolicy") == "ABANDON"


def admit_field(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A field's configuration needs its database.

    Raises:
        CloudError: NOT_FOUND.
    """
    project, name = deployed.key.scope, str(deployed.inputs.get("database") or "(default)")
    if (
        cloud.store.get(Key("gcp", project, DATABASE, f"projects/{project}/databases/{name}"))
        is None
    ):
        text = f"Error creating Field: googleapi: Error 404: The database {name} does not exist for project {project}., notFound"
        raise CloudError(Code.NOT_FOUND, text)


def check_budget(inputs: Json) -> list[Failure]:
    """What the provider itself refuses of a budget's amount."""
    amount = object_at(inputs, "amount")
    if amount.get("specifiedAmount") and amount.get("lastPeriodAmount"):
        text = '"amount.0.last_period_amount": only one of `amount.0.last_period_amount,amount.0.specified_amount` can be specified'
        return [Failure("amount", text)]
    units = nested(amount, "specifiedAmount.units")
    if isinstance(units, str) and units != UNKNOWN and not re.fullmatch(r"-?\d+", units):
        return [
            Failure(
                "amount.specifiedAmount.units", f"expected a whole number as text, got {units!r}"
            )
        ]
    return []


def admit_budget(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A budget of an account, with thresholds and channels that can be.

    Raises:
        CloudError: INVALID_ARGUMENT; Google says no more than that.
    """
    inputs = deployed.inputs
    channels = _channels(object_at(inputs, "allUpdatesRule"), "monitoringNotificationChannels")
    account = str(inputs.get("billingAccount")).removeprefix("billingAccounts/")
    nanos = nested(inputs, "amount.specifiedAmount.nanos") or 0
    shares = [nested(one, "thresholdPercent") for one in objects_at(inputs, "thresholdRules")]
    flawed = (
        not _ACCOUNT.fullmatch(account),
        len(channels) > _MOST_CHANNELS,
        any(not _has_channel(cloud, one) for one in channels),
        not isinstance(nanos, int | float) or not 0 <= nanos < _NANOS,
        any(not isinstance(share, int | float) or share < 0 for share in shares),
    )
    if any(flawed):
        raise _refused(deployed, "Budget", _INVALID)


def admit_channel(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A channel has the labels of its type.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    del cloud
    address = str(object_at(deployed.inputs, "labels").get("email_address") or "")
    if deployed.inputs.get("type") == "email" and "@" not in address:
        text = "Field \"notification_channel.labels['email_address']\" is required and has to be an e-mail address."
        raise _refused(deployed, "NotificationChannel", text)


def admit_alert(cloud: "StoredCloud", deployed: Deployed) -> None:
    """An alert tells channels that are there, and is evaluated on half minutes.

    Raises:
        CloudError: INVALID_ARGUMENT or NOT_FOUND.
    """
    for text in _alert_flaws(deployed.inputs):
        raise _refused(deployed, "AlertPolicy", text)
    for channel in _channels(deployed.inputs, "notificationChannels"):
        if not _has_channel(cloud, channel):
            text = f"Error creating AlertPolicy: googleapi: Error 404: The notification channel {channel} was not found., notFound"
            raise CloudError(Code.NOT_FOUND, text)


def bind_project(cloud: "StoredCloud", deployed: Deployed) -> None:
    """A member of a project's policy has to exist.

    Raises:
        CloudError: INVALID_ARGUMENT.
    """
    google_secrets.known_member(cloud, deployed, f'project "{deployed.key.scope}"')


def _alert_flaws(inputs: Json) -> Iterator[str]:
    for index, one in enumerate(objects_at(inputs, "conditions")):
        path = f"alert_policy.conditions[{index}].condition_prometheus_query_language"
        query = object_at(one, "conditionPrometheusQueryLanguage")
        interval = str(query.get("evaluationInterval") or "30s")
        if not re.fullmatch(r"\d+s", interval) or int(interval[:-1]) % 30:
            yield f'Field {path}.evaluation_interval had an invalid value of "{interval}": must be a multiple of 30 seconds.'


def _channels(values: Json, field: str) -> list[str]:
    found = values.get(field)
    return [str(one) for one in found] if is_list(found) else []


def _has_channel(cloud: "StoredCloud", name: str) -> bool:
    owner = name.split("/")[1] if name.startswith("projects/") else ""
    return cloud.store.get(Key("gcp", owner, CHANNEL, name)) is not None


def _refused(deployed: Deployed, kind: str, why: str) -> CloudError:
    verb = "updating" if deployed.before else "creating"
    return CloudError(Code.INVALID_ARGUMENT, f"Error {verb} {kind}: googleapi: Error 400: {why}")


def _numbered(cloud: "StoredCloud", inputs: Json, token: str, collection: str) -> str:
    project = cloud.values(token, inputs)["project"]
    return f"projects/{project}/{collection}/{10**18 + secrets.randbelow(9 * 10**18)}"


def _budget_id(cloud: "StoredCloud", inputs: Json) -> str:
    del cloud
    account = str(inputs.get("billingAccount")).removeprefix("billingAccounts/")
    return f"billingAccounts/{account}/budgets/{uuid.uuid4()}"


def _member_id(cloud: "StoredCloud", inputs: Json) -> str:
    project = cloud.values(MEMBER, inputs)["project"]
    title = nested(inputs, "condition.title")
    return "/".join(
        filter(None, (str(project), str(inputs.get("role")), str(inputs.get("member")), title))
    )


BEHAVIOURS = {
    DATABASE: Behaviour(admit=admit_database, release=release_database, stays=is_abandoned),
    FIELD: Behaviour(admit=admit_field),
    BUDGET: Behaviour(identify=_budget_id, validate=check_budget, admit=admit_budget),
    CHANNEL: Behaviour(
        identify=lambda cloud, inputs: _numbered(cloud, inputs, CHANNEL, "notificationChannels"),
        admit=admit_channel,
    ),
    ALERT: Behaviour(
        identify=lambda cloud, inputs: _numbered(cloud, inputs, ALERT, "alertPolicies"),
        admit=admit_alert,
    ),
    MEMBER: Behaviour(identify=_member_id, admit=bind_project),
}
