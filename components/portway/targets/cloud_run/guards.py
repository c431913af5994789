"""What keeps a service on Cloud Run inside its budget: the meter's store, a budget, alerts. Pure."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.errors import Problem
from portway.metering import limits_of_use
from portway.naming import Names
from portway.spec import InferenceServiceSpec
from portway.targets.cloud_run.options import CloudRunOptions
from portway.targets.cloud_run.shapes import Alert, MeterStore, SpendBudget, Threshold

COLLECTION: Final = "meters"
EXPIRING: Final = (COLLECTION, f"{COLLECTION}-open")
"""What the runtime writes: a document for each month, and one for each request in flight."""

EXPIRY: Final = "expires"

REQUESTS_A_MINUTE: Final = 30
"""Two writes to the month's document for each request, at one a second (Firestore, best practices:
"the maximum sustained write rate to a document is 1 per second")."""

MOST_CHANNELS: Final = 5
"""Notification channels of one Cloud Billing budget (Cloud Billing Budget API,
``monitoringNotificationChannels``: "a maximum of 5 channels is allowed")."""

AT_MAXIMUM_SECONDS: Final = 1800
FAILING_SECONDS: Final = 300
FAILING_SHARE: Final = "0.05"
THRESHOLDS: Final = (
    Threshold(share=0.5, basis="CURRENT_SPEND"),
    Threshold(share=0.9, basis="CURRENT_SPEND"),
    Threshold(share=1.0, basis="CURRENT_SPEND"),
    Threshold(share=1.0, basis="FORECASTED_SPEND"),
)
_ACCOUNT: Final = re.compile(r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}")


def refusals(spec: InferenceServiceSpec, options: CloudRunOptions) -> Iterator[Problem]:
    """What of the spec's budget the vendor cannot keep."""
    path, account = "placement.options.billing_account", options.billing_account
    emails = () if spec.budget is None else spec.budget.alert_emails
    if account is not None and not _ACCOUNT.fullmatch(account):
        yield Problem(
            path,
            f"is {account!r}; write the id of a Cloud Billing account, such as 01AB23-45CD67-89EF01 "
            "(gcloud billing accounts list)",
        )
    if account is not None and spec.budget is None:
        yield Problem(
            path, "is set, and the spec has no budget; add budget.monthly_usd, or remove it"
        )
    if account is None and emails:
        yield Problem(
            path,
            "is not set, and only a Cloud Billing budget can tell budget.alert_emails what was spent; "
            "name the account that pays for the project, or remove alert_emails",
        )
    if len(emails) > MOST_CHANNELS:
        yield Problem(
            "budget.alert_emails",
            f"has {len(emails)} addresses; a Cloud Billing budget tells {MOST_CHANNELS} at most: use "
            "the address of a group",
        )


def meter_store(names: Names, project: str, region: str) -> MeterStore:
    """The database of the meter, in the service's own region."""
    database = _database(names)
    return MeterStore(
        database=database,
        location=region,
        condition=f'resource.name == "projects/{project}/databases/{database}"',
        expiring=EXPIRING,
        expiry=EXPIRY,
    )


def store_of(names: Names, project: str) -> dict[str, str | int]:
    """The store as the runtime is told."""
    return {
        "kind": "firestore",
        "project": project,
        "database": _database(names),
        "collection": COLLECTION,
    }


def _database(names: Names) -> str:
    return names.physical("meter")


def budgets(
    spec: InferenceServiceSpec, options: CloudRunOptions, names: Names
) -> tuple[SpendBudget, ...]:
    """The budget of the billing account; none where the spec has none or no account is named."""
    if spec.budget is None or options.billing_account is None:
        return ()
    whole = int(spec.budget.monthly_usd)
    nanos = (spec.budget.monthly_usd - whole) * Decimal(10**9)
    return (
        SpendBudget(
            billing_account=options.billing_account,
            display_name=names.physical(limit=60),
            units=str(whole),
            nanos=int(nanos),
            service_label=spec.name,
            thresholds=THRESHOLDS,
        ),
    )


def alerts(
    spec: InferenceServiceSpec, name: str, region: str, startup_seconds: int
) -> tuple[Alert, ...]:
    """What the addresses hear of beside spending; nothing where nobody is named.

    Nothing is said of the GPU's memory: vLLM takes its whole share at the start and keeps it.
    """
    if spec.budget is None or not spec.budget.alert_emails:
        return ()
    return (
        *_at_maximum(spec, name, region),
        _failing(name, region),
        _turned_away(name, region),
        _slow(spec, name, region),
        _slow_start(name, region, startup_seconds),
    )


def notes(spec: InferenceServiceSpec, options: CloudRunOptions) -> Iterator[str]:
    """What the guards leave open."""
    if limits_of_use(spec) is not None:
        yield (
            "the meter's month is one document, and Firestore takes about one write a second to one for "
            f"long: limits of use suit some {REQUESTS_A_MINUTE} requests a minute"
        )
    if spec.budget is not None and options.billing_account is None:
        yield (
            "no Cloud Billing budget is created, so that nobody is told of spending: its account is not "
            "known; name placement.options.billing_account"
        )
    elif spec.budget is not None:
        yield (
            f"the budget counts what carries the label service={spec.name} in this project, in every "
            "environment of it; it tells, and stops nothing"
        )


def _at_maximum(spec: InferenceServiceSpec, name: str, region: str) -> Iterator[Alert]:
    most = spec.scaling.max
    if most > spec.scaling.min:
        instances = _series("container_instance_count", name, region)
        yield Alert(
            name="at-maximum",
            display_name=f"{name} has run all {most} instances for half an hour",
            query=f"sum({instances}) >= {most}",
            seconds=AT_MAXIMUM_SECONDS,
            severity="WARNING",
        )


def _failing(name: str, region: str) -> Alert:
    failed = _series("request_count", name, region, 'response_code_class="5xx"')
    every = _series("request_count", name, region)
    return Alert(
        name="failing",
        display_name=f"{name} fails more than one request of twenty",
        query=f"sum(rate({failed}[5m])) / sum(rate({every}[5m])) > {FAILING_SHARE}",
        seconds=FAILING_SECONDS,
        severity="ERROR",
    )


def _turned_away(name: str, region: str) -> Alert:
    refused = _series("request_count", name, region, 'response_code="429"')
    every = _series("request_count", name, region)
    return Alert(
        name="turned-away",
        display_name=f"{name} has no instance for more than one request of twenty",
        query=f"sum(rate({refused}[5m])) / sum(rate({every}[5m])) > {FAILING_SHARE}",
        seconds=FAILING_SECONDS,
        severity="WARNING",
    )


def _slow(spec: InferenceServiceSpec, name: str, region: str) -> Alert:
    latencies = _series("request_latencies_bucket", name, region)
    return Alert(
        name="slow",
        display_name=f"{name} answers one request of twenty just before its time is up",
        query=f"{_p95(latencies, '10m')} > {_most_of(spec.timeout_seconds)}",
        seconds=FAILING_SECONDS,
        severity="WARNING",
    )


def _slow_start(name: str, region: str, startup_seconds: int) -> Alert:
    starts = _series("container_startup_latencies_bucket", name, region)
    return Alert(
        name="slow-start",
        display_name=f"{name} takes almost as long to start as it may",
        query=f"{_p95(starts, '1h')} > {_most_of(startup_seconds)}",
        seconds=FAILING_SECONDS,
        severity="WARNING",
    )


def _p95(buckets: str, window: str) -> str:
    return f"histogram_quantile(0.95, sum by (le) (rate({buckets}[{window}])))"


def _most_of(seconds: int) -> int:
    """Four fifths of it, in milliseconds, as Cloud Run counts its latencies."""
    return seconds * 800


def _series(metric: str, name: str, region: str, *more: str) -> str:
    chosen = (
        'monitored_resource="cloud_run_revision"',
        f'service_name="{name}"',
        f'location="{region}"',
        *more,
    )
    return f"run_googleapis_com:{metric}{{{','.join(chosen)}}}"
