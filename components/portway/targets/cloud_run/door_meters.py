"""What Google bills of a front door: every resource that its component creates."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.pricing.meter import Fixed, Held, Meter, NoCharge, Part, PerUse
from portway.pricing.money import SECONDS_PER_MONTH
from portway.targets.cloud_run.door_shapes import CloudRunDoorPlan

GIB: Final = Decimal(1024**3)
LOG_BYTES: Final = 600
ANSWER_BYTES: Final = 600
TOKEN_BYTES: Final = 255
KEY_READS: Final = Decimal("0.01")
ROUTE_READS: Final = Decimal(1)
IMAGES_GIB: Final = Decimal(10)
CODE_GIB: Final = Decimal("0.001")
CPUS, MEMORY_GIB = Decimal(1), Decimal("0.5")


def door_meters(plan: CloudRunDoorPlan) -> tuple[Meter, ...]:
    """Every meter of ``plan``; what costs nothing says why."""
    return (*_service(plan), *_secrets(plan), *_beside(plan))


def _service(plan: CloudRunDoorPlan) -> Iterator[Meter]:
    most = plan.max_instances * plan.concurrency
    yield from _instances(plan)
    yield PerUse("door", "requests", "requests", plan.region, Decimal(1) / 1_000_000, most)
    yield PerUse(
        "door", "egress", "egress", plan.region, ANSWER_BYTES / GIB, most,
        units_per_output_token=TOKEN_BYTES / GIB,
        assumed=f"an answer leaves Google's network with {ANSWER_BYTES} bytes, and {TOKEN_BYTES} "
        "for each output token",
    )  # fmt: skip
    yield PerUse(
        "door", "logs", "logs", plan.region, LOG_BYTES / GIB, most,
        assumed=f"one line of {LOG_BYTES} bytes is logged for each request",
    )  # fmt: skip


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
    most = plan.max_instances * plan.concurrency
    for name, secret, reads, assumed in (
        ("keys", plan.key_secret, KEY_READS, "the key document is read once for each hundred requests"),
        ("routes", plan.route_secret, ROUTE_READS, "the route document is read for each request, where they are not two in two seconds"),
    ):  # fmt: skip
        yield Fixed(name, "secret version", "secret-version", secret.location, Decimal(1))
        yield NoCharge(name, "secret", "billed by its versions")
        yield PerUse(
            name, "secret reads", "secret-reads", secret.location, reads / 10_000, most,
            assumed=assumed,
        )  # fmt: skip
        yield NoCharge(f"{name}-reader", "permission", "permissions cost nothing")
    for key in plan.keys:
        yield NoCharge(f"key-{key}", "random value", "it exists in the stack's state only")


def _beside(plan: CloudRunDoorPlan) -> Iterator[Meter]:
    yield Fixed("code", "storage", "storage", plan.region, CODE_GIB)
    yield NoCharge("code", "object", "billed with the storage of its bucket")
    yield NoCharge("code-reader", "permission", "permissions cost nothing")
    yield Fixed(
        "images", "image storage", "registry", plan.region, IMAGES_GIB,
        assumed=f"the mirror of images keeps {IMAGES_GIB} GiB",
    )  # fmt: skip
    yield NoCharge("identity", "service account", "service accounts cost nothing")
    for number, _ in enumerate(plan.invokers, start=1):
        yield NoCharge(f"caller-{number}", "permission", "permissions cost nothing")
