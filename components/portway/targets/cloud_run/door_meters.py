"""What Google bills of a front door: every resource that its component creates."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.pricing.meter import Fixed, Held, Meter, Part, PerUse
from portway.pricing.money import SECONDS_PER_MONTH
from portway.targets.cloud_run import shared_meters
from portway.targets.cloud_run.door_shapes import CloudRunDoorPlan

ROUTE_READS: Final = Decimal(1)
CPUS, MEMORY_GIB = Decimal(1), Decimal("0.5")


def door_meters(plan: CloudRunDoorPlan) -> tuple[Meter, ...]:
    """Every meter of ``plan``; what costs nothing says why."""
    return (*_service(plan), *_secrets(plan), *_beside(plan))


def _service(plan: CloudRunDoorPlan) -> Iterator[Meter]:
    yield from _instances(plan)
    most = shared_meters.most_requests(plan)
    yield PerUse("door", "requests", "requests", plan.region, Decimal(1) / 1_000_000, most)
    yield shared_meters.egress("door", plan)
    yield shared_meters.logs("door", plan)


def _instances(plan: CloudRunDoorPlan) -> Iterator[Meter]:
    """Billed while they answer; those that are kept, a little all the time."""
    least, most = plan.min_instances, plan.max_instances
    shape = (
        f"{least} to {most} instances of {CPUS} vCPU and {MEMORY_GIB} GiB, billed while they answer"
    )
    busy = (Part("cpu", "cpu-by-request", CPUS), Part("memory", "memory-by-request", MEMORY_GIB))
    beyond_idle = (Part("cpu", "busier-cpu", CPUS),)
    for count, parts in ((most - least, busy), (least, beyond_idle)):
        if count:
            yield Held(
                "door", plan.region, parts, 0, count, plan.concurrency, hold_seconds=0,
                start_seconds=1, served_by="door", shape=shape,
            )  # fmt: skip
    for item, sku, units in (
        ("idle cpu", "idle-cpu", CPUS),
        ("idle memory", "idle-memory", MEMORY_GIB),
    ):
        if least:
            yield Fixed("door", item, sku, plan.region, units * least * SECONDS_PER_MONTH)


def _secrets(plan: CloudRunDoorPlan) -> Iterator[Meter]:
    yield from shared_meters.keys(plan, plan.key_secret)
    yield from shared_meters.secret(
        "routes", plan, plan.route_secret, ROUTE_READS,
        "the route document is read for each request, where they are not two in two seconds",
    )  # fmt: skip
    yield from shared_meters.key_values(plan)


def _beside(plan: CloudRunDoorPlan) -> Iterator[Meter]:
    yield from shared_meters.code_and_images(plan)
    yield from shared_meters.callers(plan)
