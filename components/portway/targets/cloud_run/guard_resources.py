"""The meter's store, the budget and the alerts as Pulumi resources. Decides nothing."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import billing, firestore, monitoring, organizations, projects

from portway.targets.cloud_run.shapes import Alert, CloudRunPlan, MeterStore, SpendBudget


def meter_stores(
    prefix: str, plan: CloudRunPlan, member: pulumi.Output[str], child: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The database, what expires in it, and the service's leave to use it."""
    return [
        made for store in plan.meter_stores for made in _store(prefix, plan, store, member, child)
    ]


def _store(
    prefix: str,
    plan: CloudRunPlan,
    store: MeterStore,
    member: pulumi.Output[str],
    child: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    database = firestore.Database(
        f"{prefix}-meter",
        name=store.database,
        project=plan.project,
        location_id=store.location,
        type="FIRESTORE_NATIVE",
        database_edition="STANDARD",
        concurrency_mode="OPTIMISTIC",
        app_engine_integration_mode="DISABLED",
        point_in_time_recovery_enablement="POINT_IN_TIME_RECOVERY_DISABLED",
        delete_protection_state="DELETE_PROTECTION_DISABLED",
        # The provider's own choice leaves the database behind when the stack is destroyed.
        deletion_policy="DELETE",
        opts=child,
    )
    fields = [
        firestore.Field(
            f"{prefix}-meter-{collection}",
            project=plan.project,
            database=database.name,
            collection=collection,
            field=store.expiry,
            ttl_config=firestore.FieldTtlConfigArgs(),
            # The time of expiry is never asked for: an index on it would only be written.
            index_config=firestore.FieldIndexConfigArgs(),
            opts=child,
        )
        for collection in store.expiring
    ]
    user = projects.IAMMember(
        f"{prefix}-meter-user",
        project=plan.project,
        role="roles/datastore.user",
        member=member,
        condition=projects.IAMMemberConditionArgs(
            title="only-the-meter", expression=store.condition
        ),
        opts=child,
    )
    return [database, *fields, user]


def watchers(
    prefix: str, plan: CloudRunPlan, child: pulumi.ResourceOptions
) -> list[pulumi.Output[str]]:
    """Who is told, which is returned; the budget that tells them, and the alerts."""
    channels = [
        monitoring.NotificationChannel(
            f"{prefix}-told-{number}",
            project=plan.project,
            type="email",
            display_name=f"{plan.name} {number}",
            labels={"email_address": address},
            opts=child,
        ).name
        for number, address in enumerate(plan.alert_emails, start=1)
    ]
    for budget in plan.budgets:
        _budget(prefix, plan, budget, channels, child)
    for alert in plan.alerts:
        make_alert(prefix, plan, alert, channels, child)
    return channels


def _budget(
    prefix: str,
    plan: CloudRunPlan,
    budget: SpendBudget,
    channels: Sequence[pulumi.Output[str]],
    child: pulumi.ResourceOptions,
) -> None:
    # By its number: Google answers with that, and a budget that was given the id differs for ever.
    project = organizations.get_project_output(project_id=plan.project)
    billing.Budget(
        f"{prefix}-budget",
        billing_account=budget.billing_account,
        display_name=budget.display_name,
        amount=billing.BudgetAmountArgs(
            specified_amount=billing.BudgetAmountSpecifiedAmountArgs(
                currency_code="USD", units=budget.units, nanos=budget.nanos
            )
        ),
        budget_filter=billing.BudgetBudgetFilterArgs(
            projects=[project.number.apply(lambda number: f"projects/{number}")],
            labels={"service": budget.service_label},
            calendar_period="MONTH",
            credit_types_treatment="INCLUDE_ALL_CREDITS",
        ),
        threshold_rules=[
            billing.BudgetThresholdRuleArgs(threshold_percent=one.share, spend_basis=one.basis)
            for one in budget.thresholds
        ],
        all_updates_rule=billing.BudgetAllUpdatesRuleArgs(
            monitoring_notification_channels=list(channels), disable_default_iam_recipients=False
        ),
        opts=child,
    )


def make_alert(
    prefix: str,
    plan: CloudRunPlan,
    alert: Alert,
    channels: Sequence[pulumi.Output[str]],
    child: pulumi.ResourceOptions,
    *,
    query: pulumi.Output[str] | None = None,
) -> None:
    """One alert; ``query`` replaces the planned one, where that names something Google numbers."""
    condition = monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
        query=alert.query if query is None else query,
        duration=f"{alert.seconds}s",
        evaluation_interval="60s",
        # Google knows no metric of a service that has not been called yet.
        disable_metric_validation=True,
    )
    monitoring.AlertPolicy(
        f"{prefix}-{alert.name}",
        project=plan.project,
        display_name=alert.display_name,
        combiner="OR",
        severity=alert.severity,
        conditions=[
            monitoring.AlertPolicyConditionArgs(
                display_name=alert.display_name, condition_prometheus_query_language=condition
            )
        ],
        notification_channels=list(channels),
        user_labels=plan.labels,
        opts=child,
    )
