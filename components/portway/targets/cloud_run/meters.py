"""What Google bills of a plan for Cloud Run: every resource that the component creates."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.pricing.meter import Fixed, Held, Meter, NoCharge, Part, PerUse
from portway.pricing.money import SECONDS_PER_MONTH
from portway.target import Plan
from portway.targets.cloud_run import shared_meters
from portway.targets.cloud_run.door_meters import door_meters
from portway.targets.cloud_run.door_shapes import CloudRunDoorPlan
from portway.targets.cloud_run.shapes import CloudRunPlan, Container, WeightsCopy
from portway.targets.cloud_run.weights import START_SECONDS, STREAMED_START_SECONDS, STREAMER

IDLE_SECONDS: Final = 600
"""About instance autoscaling in Cloud Run services: GPU instances stay up to ten minutes."""

FREE_CPU_SECONDS: Final = Decimal(240_000)
FREE_GIB_SECONDS: Final = Decimal(450_000)
"""Free tier of instance-based billing, by billing account (Cloud Run pricing). GPUs have none."""

METER_WRITES: Final = 3
METER_DELETES: Final = 1
"""What the runtime asks of Firestore for one request that it answers: it takes, and settles."""

METER_GIB: Final = Decimal("0.001")
ALERT_SECONDS: Final = 60
GLOBAL: Final = "global"
"""Where Google's monitoring is: it is sold in no region."""

_INSIDE: Final = {
    "INGRESS_TRAFFIC_INTERNAL_ONLY": "answers stay inside Google's network and region",
    "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER": (
        "answers leave through a load balancer, whose traffic is billed where it was made"
    ),
}
_UNITS: Final = {"": Decimal(1), "m": Decimal("0.001"), "Mi": Decimal(1) / 1024, "Gi": Decimal(1)}


def meters(plan: Plan) -> tuple[Meter, ...]:
    """Every meter of ``plan``; what costs nothing says why.

    Raises:
        TypeError: it is another target's plan.
    """
    if isinstance(plan, CloudRunDoorPlan):
        return door_meters(plan)
    if not isinstance(plan, CloudRunPlan):
        raise TypeError(f"{plan.target} has meters of its own")
    return (
        *_service(plan),
        *_keys(plan),
        *_beside(plan),
        *_meter(plan),
        *_watch(plan),
        *_signals(plan),
    )


def instance_parts(plan: CloudRunPlan) -> tuple[Part, ...]:
    """What one instance is billed for in a second: the GPU, and the limits of all its containers."""
    gpu = "l4" if plan.gpu_zonal_redundancy_disabled else "l4-zonal"
    return (
        Part("gpu", gpu, _total(plan.containers, "nvidia.com/gpu")),
        Part("cpu", "cpu", _total(plan.containers, "cpu"), FREE_CPU_SECONDS),
        Part("memory", "memory", _total(plan.containers, "memory"), FREE_GIB_SECONDS),
    )


def _service(plan: CloudRunPlan) -> Iterator[Meter]:
    gpu, cpu, memory = instance_parts(plan)
    without = "without" if plan.gpu_zonal_redundancy_disabled else "with"
    yield Held(
        resource="service",
        region=plan.region,
        parts=(gpu, cpu, memory),
        least=plan.min_instances,
        most=plan.max_instances,
        concurrency=plan.concurrency,
        hold_seconds=IDLE_SECONDS,
        start_seconds=_start_seconds(plan),
        served_by=plan.accelerator,
        shape=(
            f"{plan.min_instances} to {plan.max_instances} instances of {gpu.units} {plan.accelerator} "
            f"{without} zonal redundancy, {cpu.units.normalize():f} vCPU and {memory.units.normalize():f} GiB, billed while "
            "they exist"
        ),
    )
    if plan.ingress == "INGRESS_TRAFFIC_ALL":
        yield shared_meters.egress("service", plan)
    else:
        yield NoCharge("service", "egress", _INSIDE[plan.ingress])
    yield shared_meters.logs("service", plan)


def _start_seconds(plan: CloudRunPlan) -> int:
    """A mounted bucket is not known to start sooner than the hub; a parallel reading is."""
    streamed = any(STREAMER in container.args for container in plan.containers)
    return STREAMED_START_SECONDS if streamed else START_SECONDS


def _keys(plan: CloudRunPlan) -> Iterator[Meter]:
    for planned in plan.key_secrets:
        yield from shared_meters.keys(plan, planned)
    yield from shared_meters.key_values(plan)


def _beside(plan: CloudRunPlan) -> Iterator[Meter]:
    yield from shared_meters.code_and_images(plan)
    for number, bucket in enumerate(plan.weight_buckets, start=1):
        yield NoCharge(
            f"weights-reader-{number}", "permission",
            f"permissions cost nothing; the storage of {bucket} is billed where it was made",
        )  # fmt: skip
    for planned in plan.weights_copies:
        yield from _weights(plan, planned)
    yield from shared_meters.callers(plan)


def _weights(plan: CloudRunPlan, planned: WeightsCopy) -> Iterator[Meter]:
    """The bucket of weights, and one run of the job that fills it."""
    held = Decimal(planned.stored_mib) / 1024
    yield Fixed("weights", "storage", "storage", plan.region, held)
    for name in ("copier-code", "copier-weights", "weights-reader"):
        yield NoCharge(name, "permission", shared_meters.FREE_PERMISSION)
    yield NoCharge("copier", "service account", "service accounts cost nothing")
    seconds = Decimal(planned.timeout_seconds * (1 + planned.retries))
    said = (
        f"the job runs once a month, with {planned.retries} retries, each time as long as its timeout of "
        f"{planned.timeout_seconds} s"
    )
    for item in ("cpu", "memory"):
        amount = _quantity(planned.limits[item]) * seconds
        yield Fixed("weights", f"copy, {item}", item, plan.region, amount, assumed=said)


def _meter(plan: CloudRunPlan) -> Iterator[Meter]:
    most = shared_meters.most_requests(plan)
    for store in plan.meter_stores:
        yield PerUse(
            "meter", "meter writes", "firestore-writes", store.location,
            Decimal(METER_WRITES) / 100_000, most,
            assumed=f"counting a request takes {METER_WRITES} writes and {METER_DELETES} delete in "
            "Firestore; what Google gives to one database of a project is not counted",
        )  # fmt: skip
        yield PerUse(
            "meter", "meter deletes", "firestore-deletes", store.location,
            Decimal(METER_DELETES) / 100_000, most,
        )  # fmt: skip
        yield Fixed("meter", "meter storage", "firestore-storage", store.location, METER_GIB)
        for collection in store.expiring:
            yield NoCharge(
                f"meter-{collection}", "expiry", "it deletes what a crash left, a few a month"
            )
        yield NoCharge("meter-user", "permission", "permissions cost nothing")


def _watch(plan: CloudRunPlan) -> Iterator[Meter]:
    for number, _ in enumerate(plan.alert_emails, start=1):
        yield NoCharge(f"told-{number}", "notification", "e-mail notifications cost nothing")
    for _ in plan.budgets:
        yield NoCharge("budget", "budget", "Cloud Billing budgets cost nothing")
    checks = [alert for check in plan.uptime_checks for alert in check.alerts]
    for alert in (*plan.alerts, *checks):
        yield Fixed(alert.name, "alert condition", "alert-condition", GLOBAL, Decimal(1))
        yield Fixed(
            alert.name, "alert series", "alert-series", GLOBAL,
            SECONDS_PER_MONTH / ALERT_SECONDS / 1_000_000,
            assumed=f"an alert reads one time series every {ALERT_SECONDS} s",
        )  # fmt: skip


def _signals(plan: CloudRunPlan) -> Iterator[Meter]:
    for metric in plan.log_metrics:
        yield NoCharge(
            metric.role, "log-based metric", "a few series; 150 MiB of them a month cost nothing"
        )
    yield NoCharge("dashboard", "dashboard", "dashboards cost nothing")
    for check in plan.uptime_checks:
        yield NoCharge(
            "uptime", "uptime check", "a million questions a month of a project cost nothing"
        )
        if check.identity_token:
            yield NoCharge("uptime-caller", "permission", "permissions cost nothing")
    for _ in plan.log_buckets:
        yield NoCharge(
            "log", "log bucket", "its lines are billed with the service that writes them"
        )
        yield NoCharge("log", "sink", "what it leads elsewhere is billed where it arrives")
        yield NoCharge("log", "exclusion", "what is left out costs nothing")


def _total(containers: tuple[Container, ...], name: str) -> Decimal:
    return sum(
        (_quantity(one.limits[name]) for one in containers if name in one.limits), start=Decimal(0)
    )


def _quantity(text: str) -> Decimal:
    """``1``, ``500m``, ``512Mi`` or ``16Gi`` in vCPU, GPUs or GiB."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m|Mi|Gi)?", text)
    if found is None:
        raise ValueError(f"{text!r} is no quantity that Cloud Run takes")
    return Decimal(found[1]) * _UNITS[found[2] or ""]
