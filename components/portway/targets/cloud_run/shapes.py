"""What a plan for Cloud Run holds: literals, in Cloud Run's own terms."""

from collections.abc import Mapping

from portway.spec import Frozen
from portway.target import Plan


class Probe(Frozen):
    """An HTTP health check by the platform; success is any status from 200 to 399."""

    path: str
    port: int
    period_seconds: int
    timeout_seconds: int
    failure_threshold: int


class Container(Frozen):
    """One container of the instance.

    Attributes:
        image: by digest, through the region's mirror.
        command: replaces the image's entry point; empty keeps it.
        limits: ``cpu``, ``memory``, ``nvidia.com/gpu`` in the API's units.
        port: on the ingress container, where requests arrive; None on the others.
        depends_on: containers whose startup probe must have passed before this one starts.
        mounts: mount path by volume name.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...]
    env: Mapping[str, str]
    limits: Mapping[str, str]
    port: int | None = None
    depends_on: tuple[str, ...] = ()
    startup_probe: Probe
    liveness_probe: Probe
    readiness_probe: Probe | None = None
    mounts: Mapping[str, str] = {}


class KeySecret(Frozen):
    """The secret that holds the key document, kept in one region."""

    secret_id: str
    location: str


class RuntimeCode(Frozen):
    """The runtime's archive, an object of a bucket of its own. ``sha256`` is of its bytes."""

    bucket: str
    object_name: str
    sha256: str


class BucketMount(Frozen):
    """A bucket as a read-only volume; ``options`` are Cloud Storage FUSE's, without hyphens before."""

    volume: str
    bucket: str
    options: tuple[str, ...] = ()


class WeightsCopy(Frozen):
    """A bucket of weights, and the job that fills it once.

    Attributes:
        stored_mib: what the bucket will hold.
        job: of at most 49 characters; with ``token`` it names the execution.
        token: another one is another execution, which a deployment then waits for.
        account_id: of the service account that may write this one bucket.
        mounts: mount path by volume name.
        timeout_seconds: how long one attempt may take; ``retries`` more may follow it.
    """

    bucket: str
    stored_mib: int
    job: str
    token: str
    account_id: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    limits: Mapping[str, str]
    mounts: Mapping[str, str]
    timeout_seconds: int
    retries: int


class Interface(Frozen):
    """The network that instances send through: Direct VPC egress.

    Attributes:
        network: None where the subnetwork says which.
        egress: ``ALL_TRAFFIC`` or ``PRIVATE_RANGES_ONLY``.
    """

    network: str | None
    subnetwork: str
    tags: tuple[str, ...]
    egress: str


class SecretMount(Frozen):
    """A secret's latest version as a file, so that a rotated key needs no new revision."""

    volume: str
    secret_id: str
    file: str


class MeterStore(Frozen):
    """The Firestore database that the runtime counts in.

    Attributes:
        condition: of the permission, so that it holds for this database only.
        expiring: collections whose documents go away at the time in their field ``expiry``.
    """

    database: str
    location: str
    condition: str
    expiring: tuple[str, ...]
    expiry: str


class Threshold(Frozen):
    """A share of the budget, of what was spent or of what is forecast, that somebody is told of."""

    share: float
    basis: str


class SpendBudget(Frozen):
    """A budget of a billing account: ``units`` US dollars and ``nanos`` billionths of one, a month."""

    billing_account: str
    display_name: str
    units: str
    nanos: int
    service_label: str
    thresholds: tuple[Threshold, ...]


class Alert(Frozen):
    """A PromQL query that must hold for ``seconds`` before anybody is told."""

    name: str
    display_name: str
    query: str
    seconds: int
    severity: str


class LogMetric(Frozen):
    """A metric that Cloud Logging reads off the runtime's request lines.

    Attributes:
        role: what tells it apart in the stack.
        value: extractor of the number; ``labels`` has one for each label.
        bounds: upper bounds of the buckets, in ``unit``.
    """

    role: str
    name: str
    description: str
    filter: str
    value: str
    unit: str
    bounds: tuple[float, ...]
    labels: Mapping[str, str]


class Line(Frozen):
    """One line of a chart: a PromQL query, and what it is called."""

    query: str
    legend: str


class Chart(Frozen):
    """One chart; ``unit`` is what its axis shows."""

    title: str
    unit: str
    lines: tuple[Line, ...]


class Dashboard(Frozen):
    """The charts of one service."""

    title: str
    charts: tuple[Chart, ...]


class UptimeCheck(Frozen):
    """A question from outside.

    Attributes:
        accepted_status: the answer that shows the service to be there.
        identity_token: Google asks as its monitoring agent, which then has to be let in.
        alerts: whose query holds ``CHECK_ID`` where the check's own id belongs.
    """

    display_name: str
    path: str
    period_seconds: int
    timeout_seconds: int
    accepted_status: int
    identity_token: bool
    alerts: tuple[Alert, ...]


class LogBucket(Frozen):
    """A log bucket; what ``filter`` finds is kept there, and no longer in the project's default one."""

    name: str
    location: str
    retention_days: int
    filter: str


class CloudRunPlan(Plan):
    """A service on Cloud Run, with all that it needs.

    Attributes:
        name: of the service, at most 49 characters.
        account_id: of the service account it runs as, at most 30 characters.
        key_secrets: one with ``auth: api-key``, none with ``auth: iam``.
        image_repository: remote repository that mirrors Docker Hub in the region.
        weight_buckets: buckets of others that the service may read.
        weights_copies: one where the stack has a bucket of weights of its own, else none.
        invokers: IAM members with ``roles/run.invoker``.
        invoker_iam_disabled: Google checks no caller at all; the runtime does.
        hostname: of the load balancer in front; None where the service's own URL answers.
        audiences: of ID tokens that are let in beside the service's own URL.
        interfaces: one where the instances send through a network, else none.
        timeout_seconds: request timeout of the platform, a grace above the runtime's.
        meter_stores: one where the spec limits requests or tokens, else none.
        budgets: one where the spec has a budget and the placement names who pays.
        alerts: what ``alert_emails`` hear of beside spending.
        log_metrics: the four signals, read off the request lines.
        uptime_checks: one where the placement asks for it.
        log_buckets: one where the placement asks for it.
        context_tokens: what vLLM is started with; the catalogue's, the same on every target.
        startup_seconds: how long the model may take to load before an instance is given up.
    """

    project: str
    name: str
    labels: Mapping[str, str]
    account_id: str
    key_secrets: tuple[KeySecret, ...]
    code: RuntimeCode
    image_repository: str
    weight_buckets: tuple[str, ...]
    weights_copies: tuple[WeightsCopy, ...]
    invokers: tuple[str, ...]
    invoker_iam_disabled: bool
    ingress: str
    hostname: str | None
    audiences: tuple[str, ...]
    interfaces: tuple[Interface, ...]
    session_affinity: bool
    deletion_protection: bool
    min_instances: int
    max_instances: int
    concurrency: int
    timeout_seconds: int
    accelerator: str
    gpu_zonal_redundancy_disabled: bool
    containers: tuple[Container, ...]
    bucket_mounts: tuple[BucketMount, ...]
    secret_mounts: tuple[SecretMount, ...]
    meter_stores: tuple[MeterStore, ...]
    budgets: tuple[SpendBudget, ...]
    alerts: tuple[Alert, ...]
    log_metrics: tuple[LogMetric, ...]
    dashboard: Dashboard
    uptime_checks: tuple[UptimeCheck, ...]
    log_buckets: tuple[LogBucket, ...]
    context_tokens: int
    startup_seconds: int
