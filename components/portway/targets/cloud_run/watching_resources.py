"""Signals, dashboard, uptime check and log bucket as Pulumi resources. Decides nothing."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import cloudrunv2, logging, monitoring, organizations

from portway.targets.cloud_run.guard_resources import make_alert
from portway.targets.cloud_run.shapes import CloudRunPlan, LogBucket, LogMetric, UptimeCheck
from portway.targets.cloud_run.watching import CHECK, dashboard_json

_AGENT = "gcp-sa-monitoring-notification.iam.gserviceaccount.com"


def log_homes(
    prefix: str, plan: CloudRunPlan, child: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Where the service's lines are kept; there before the service writes the first."""
    return [made for home in plan.log_buckets for made in _log_home(prefix, plan, home, child)]


def _log_home(
    prefix: str, plan: CloudRunPlan, home: LogBucket, child: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    bucket = logging.ProjectBucketConfig(
        f"{prefix}-log",
        project=plan.project,
        location=home.location,
        bucket_id=home.name,
        retention_days=home.retention_days,
        description=f"{plan.service} in {plan.environment}",
        opts=child,
    )
    sink = logging.ProjectSink(
        f"{prefix}-log",
        name=home.name,
        project=plan.project,
        destination=bucket.id.apply(lambda full: f"logging.googleapis.com/{full}"),
        filter=home.filter,
        # A bucket of the same project needs nobody's leave.
        unique_writer_identity=False,
        opts=child,
    )
    exclusion = logging.ProjectExclusion(
        f"{prefix}-log",
        name=home.name,
        project=plan.project,
        description="kept in a log bucket of its own",
        filter=home.filter,
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[sink])),
    )
    return [bucket, sink, exclusion]


def signals(prefix: str, plan: CloudRunPlan, child: pulumi.ResourceOptions) -> None:
    """The metrics that are read off the request lines, and the dashboard that shows them."""
    made = [_log_metric(prefix, plan, metric, child) for metric in plan.log_metrics]
    monitoring.Dashboard(
        f"{prefix}-dashboard",
        project=plan.project,
        dashboard_json=dashboard_json(plan.dashboard),
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=made)),
    )


def _log_metric(
    prefix: str, plan: CloudRunPlan, metric: LogMetric, child: pulumi.ResourceOptions
) -> pulumi.Resource:
    return logging.Metric(
        f"{prefix}-{metric.role}",
        name=metric.name,
        project=plan.project,
        description=metric.description,
        filter=metric.filter,
        metric_descriptor=logging.MetricMetricDescriptorArgs(
            metric_kind="DELTA",
            value_type="DISTRIBUTION",
            unit=metric.unit,
            labels=[
                logging.MetricMetricDescriptorLabelArgs(key=label, value_type="STRING")
                for label in metric.labels
            ],
        ),
        label_extractors=dict(metric.labels),
        value_extractor=metric.value,
        bucket_options=logging.MetricBucketOptionsArgs(
            explicit_buckets=logging.MetricBucketOptionsExplicitBucketsArgs(
                bounds=list(metric.bounds)
            )
        ),
        opts=child,
    )


def uptime_checks(
    prefix: str,
    plan: CloudRunPlan,
    service: cloudrunv2.Service,
    channels: Sequence[pulumi.Output[str]],
    child: pulumi.ResourceOptions,
) -> None:
    """The question from outside, who asks it, and who hears that it was not answered."""
    for check in plan.uptime_checks:
        made = _uptime_check(prefix, plan, check, service, child)
        for alert in check.alerts:
            query = made.uptime_check_id.apply(
                lambda number, text=alert.query: text.replace(CHECK, str(number))
            )
            make_alert(prefix, plan, alert, channels, child, query=query)


def _uptime_check(
    prefix: str,
    plan: CloudRunPlan,
    check: UptimeCheck,
    service: cloudrunv2.Service,
    child: pulumi.ResourceOptions,
) -> monitoring.UptimeCheckConfig:
    token = None
    if check.identity_token:
        token = monitoring.UptimeCheckConfigHttpCheckServiceAgentAuthenticationArgs(
            type="OIDC_TOKEN"
        )
        number = organizations.get_project_output(project_id=plan.project).number
        cloudrunv2.ServiceIamMember(
            f"{prefix}-uptime-caller",
            name=service.name,
            project=plan.project,
            location=plan.region,
            role="roles/run.invoker",
            member=number.apply(lambda given: f"serviceAccount:service-{given}@{_AGENT}"),
            opts=child,
        )
    host = plan.hostname or service.uri.apply(lambda uri: uri.partition("://")[2])
    return monitoring.UptimeCheckConfig(
        f"{prefix}-uptime",
        project=plan.project,
        display_name=check.display_name,
        period=f"{check.period_seconds}s",
        timeout=f"{check.timeout_seconds}s",
        http_check=monitoring.UptimeCheckConfigHttpCheckArgs(
            path=check.path,
            port=443,
            use_ssl=True,
            validate_ssl=True,
            accepted_response_status_codes=[
                monitoring.UptimeCheckConfigHttpCheckAcceptedResponseStatusCodeArgs(
                    status_value=check.accepted_status
                )
            ],
            service_agent_authentication=token,
        ),
        monitored_resource=monitoring.UptimeCheckConfigMonitoredResourceArgs(
            type="uptime_url", labels={"host": host, "project_id": plan.project}
        ),
        user_labels=plan.labels,
        opts=child,
    )
