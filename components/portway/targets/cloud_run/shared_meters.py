"""What Google bills of the parts that a service and a front door are both made of."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from portway.pricing.meter import Fixed, Meter, NoCharge, PerUse
from portway.targets.cloud_run.door_shapes import CloudRunDoorPlan
from portway.targets.cloud_run.shapes import CloudRunPlan, KeySecret

KEY_READS: Final = Decimal("0.01")
IMAGES_GIB: Final = Decimal(10)
CODE_GIB: Final = Decimal("0.001")
GIB: Final = Decimal(1024**3)
LOG_BYTES: Final = 600
ANSWER_BYTES: Final = 600
TOKEN_BYTES: Final = 255
"""One streamed chunk: five bytes of text in a frame of server-sent events."""

FREE_PERMISSION: Final = "permissions cost nothing"

AnyPlan = CloudRunPlan | CloudRunDoorPlan


def most_requests(plan: AnyPlan) -> int:
    """How many requests all instances can answer at once."""
    return plan.max_instances * plan.concurrency


def egress(resource: str, plan: AnyPlan) -> Meter:
    """Answers that leave Google's network."""
    return PerUse(
        resource, "egress", "egress", plan.region, ANSWER_BYTES / GIB, most_requests(plan),
        units_per_output_token=TOKEN_BYTES / GIB,
        assumed=f"an answer leaves Google's network with {ANSWER_BYTES} bytes, and {TOKEN_BYTES} "
        "for each output token",
    )  # fmt: skip


def logs(resource: str, plan: AnyPlan) -> Meter:
    """One line for each request."""
    return PerUse(
        resource, "logs", "logs", plan.region, LOG_BYTES / GIB, most_requests(plan),
        assumed=f"one line of {LOG_BYTES} bytes is logged for each request",
    )  # fmt: skip


def keys(plan: AnyPlan, planned: KeySecret) -> Iterator[Meter]:
    """The document of the API keys."""
    assumed = "the key document is read once for each hundred requests"
    yield from secret("keys", plan, planned, KEY_READS, assumed)


def secret(
    name: str, plan: AnyPlan, planned: KeySecret, reads: Decimal, assumed: str
) -> Iterator[Meter]:
    """One secret, its newest version, and ``reads`` of it for each request."""
    yield Fixed(name, "secret version", "secret-version", planned.location, Decimal(1))
    yield NoCharge(name, "secret", "billed by its versions")
    yield PerUse(
        name, "secret reads", "secret-reads", planned.location, reads / 10_000,
        most_requests(plan), assumed=assumed,
    )  # fmt: skip
    yield NoCharge(f"{name}-reader", "permission", FREE_PERMISSION)


def key_values(plan: AnyPlan) -> Iterator[Meter]:
    """The API keys themselves."""
    for key in plan.keys:
        yield NoCharge(f"key-{key}", "random value", "it exists in the stack's state only")


def code_and_images(plan: AnyPlan) -> Iterator[Meter]:
    """The runtime's archive, the mirror of images, and who they run as."""
    yield Fixed("code", "storage", "storage", plan.region, CODE_GIB)
    yield NoCharge("code", "object", "billed with the storage of its bucket")
    yield NoCharge("code-reader", "permission", FREE_PERMISSION)
    yield Fixed(
        "images", "image storage", "registry", plan.region, IMAGES_GIB,
        assumed=f"the mirror of images keeps {IMAGES_GIB} GiB",
    )  # fmt: skip
    yield NoCharge("identity", "service account", "service accounts cost nothing")


def callers(plan: AnyPlan) -> Iterator[Meter]:
    """Who may call."""
    for number, _ in enumerate(plan.invokers, start=1):
        yield NoCharge(f"caller-{number}", "permission", FREE_PERMISSION)
