"""Databases, budgets, alerts and channels in the embedded Google Cloud, refused as Google would."""

from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.providers.cloud import CloudError, Code
from support.plugin import Json, Plugin

DATABASE = "firestore/database:Database"
FIELD = "firestore/field:Field"
BUDGET = "billing/budget:Budget"
CHANNEL = "monitoring/notificationChannel:NotificationChannel"
ALERT = "monitoring/alertPolicy:AlertPolicy"
MEMBER = "projects/iAMMember:IAMMember"
METER: Json = {"name": "chat-meter", "locationId": "europe-west4", "type": "FIRESTORE_NATIVE"}
EMAIL: Json = {"type": "email", "labels": {"email_address": "ml@acme.example"}}
AMOUNT: Json = {"specifiedAmount": {"currencyCode": "USD", "units": "900", "nanos": 500000000}}
ACCOUNT = "01AB23-45CD67-89EF01"


@pytest.fixture
def google(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "gcp", {"project": "acme"})


def refusal(plugin: Plugin, kind: str, inputs: Json) -> tuple[Code, str]:
    with pytest.raises(CloudError) as caught:
        plugin.create(kind, "it", inputs)
    return caught.value.code, str(caught.value)


def alert(**query: Any) -> Json:
    asked = {"query": "up < 1", "duration": "300s", "evaluationInterval": "60s", **query}
    condition = {"displayName": "down", "conditionPrometheusQueryLanguage": asked}
    return {"displayName": "down", "combiner": "OR", "conditions": [condition]}


def test_a_database_and_what_expires_in_it_are_named_as_google_names_them(google: Plugin) -> None:
    made = google.create(DATABASE, "meter", METER)
    assert made.id == "projects/acme/databases/chat-meter"
    field: Json = {"database": "chat-meter", "collection": "meters", "field": "expires", "ttlConfig": {}}  # fmt: skip
    expiring = google.create(FIELD, "expires", field)
    assert expiring.id == f"{made.id}/collectionGroups/meters/fields/expires"


@pytest.mark.parametrize(
    ("kind", "inputs", "text"),
    [
        (DATABASE, {**METER, "locationId": "eu"}, "Invalid location_id 'eu'."),
        (DATABASE, {**METER, "name": "m"}, "Invalid database_id 'm'"),
        (FIELD, {"database": "none", "collection": "a", "field": "b"}, "The database none does not exist"),
        (CHANNEL, {"type": "email", "labels": {}}, "notification_channel.labels['email_address']"),
        (ALERT, alert(evaluationInterval="45s"), "must be a multiple of 30 seconds"),
        (ALERT, {**alert(), "notificationChannels": ["projects/acme/notificationChannels/1"]}, "was not found"),
        (BUDGET, {"billingAccount": "acme", "amount": AMOUNT}, "Request contains an invalid argument."),
        (BUDGET, {"billingAccount": ACCOUNT, "amount": AMOUNT, "thresholdRules": [{"thresholdPercent": -1}]}, "Request contains an invalid argument."),
        (BUDGET, {"billingAccount": ACCOUNT, "amount": AMOUNT, "allUpdatesRule": {"monitoringNotificationChannels": ["projects/acme/notificationChannels/1"]}}, "Request contains an invalid argument."),
        (BUDGET, {"billingAccount": ACCOUNT, "amount": {"specifiedAmount": {"units": "1", "nanos": 10**9}}}, "Request contains an invalid argument."),
        (MEMBER, {"project": "acme", "role": "roles/datastore.user", "member": "serviceAccount:no@acme.iam.gserviceaccount.com"}, "Service account no@acme.iam.gserviceaccount.com does not exist., badRequest"),
    ],
)  # fmt: skip
def test_what_google_would_not_take_is_refused(
    google: Plugin, kind: str, inputs: Json, text: str
) -> None:
    assert text in refusal(google, kind, inputs)[1]


def test_a_database_that_is_there_already_is_googles_409(google: Plugin) -> None:
    google.create(DATABASE, "meter", METER)
    code, text = refusal(google, DATABASE, METER)
    assert code is Code.ALREADY_EXISTS
    assert text.endswith("Error 409: Database already exists. Please use another database_id")


def test_a_database_stays_behind_unless_the_program_says_otherwise(google: Plugin) -> None:
    kept = google.create(DATABASE, "kept", METER)
    google.delete(kept)
    assert google.read(DATABASE, "kept", kept.id, kept) is not None
    gone = google.create(DATABASE, "gone", {**METER, "name": "other", "deletionPolicy": "DELETE"})
    google.delete(gone)
    assert google.read(DATABASE, "gone", gone.id, gone) is None


def test_a_protected_database_is_not_deleted(google: Plugin) -> None:
    protected = {"deleteProtectionState": "DELETE_PROTECTION_ENABLED", "deletionPolicy": "DELETE"}
    made = google.create(DATABASE, "meter", {**METER, **protected})
    with pytest.raises(CloudError, match="delete protection"):
        google.delete(made)


def test_a_budget_tells_five_channels_at_most(google: Plugin) -> None:
    channels = [google.create(CHANNEL, f"told-{one}", EMAIL).id for one in range(6)]
    rule: Json = {"monitoringNotificationChannels": channels[:5]}
    made = google.create(
        BUDGET, "budget", {"billingAccount": ACCOUNT, "amount": AMOUNT, "allUpdatesRule": rule}
    )
    assert made.id.startswith(f"billingAccounts/{ACCOUNT}/budgets/")
    six: Json = {"monitoringNotificationChannels": channels}
    wrong = {"billingAccount": ACCOUNT, "amount": AMOUNT, "allUpdatesRule": six}
    assert refusal(google, BUDGET, wrong)[0] is Code.INVALID_ARGUMENT


def test_an_amount_is_a_whole_number_as_text_and_of_one_kind(google: Plugin) -> None:
    cents: Json = {"billingAccount": ACCOUNT, "amount": {"specifiedAmount": {"units": "9.50"}}}
    assert set(google.failures(BUDGET, cents)) == {"amount.specifiedAmount.units"}
    both: Json = {"billingAccount": ACCOUNT, "amount": {**AMOUNT, "lastPeriodAmount": True}}
    assert set(google.failures(BUDGET, both)) == {"amount"}


def test_a_permission_on_a_condition_is_another_one_than_without(google: Plugin) -> None:
    google.create("serviceaccount/account:Account", "sa", {"accountId": "chat-prod"})
    member = "serviceAccount:chat-prod@acme.iam.gserviceaccount.com"
    plain: Json = {"project": "acme", "role": "roles/datastore.user", "member": member}
    condition = {"title": "only-the-meter", "expression": 'resource.name == "x"'}
    made = [google.create(MEMBER, "a", plain), google.create(MEMBER, "b", {**plain, "condition": condition})]  # fmt: skip
    assert [one.id for one in made] == [
        f"acme/roles/datastore.user/{member}",
        f"acme/roles/datastore.user/{member}/only-the-meter",
    ]
