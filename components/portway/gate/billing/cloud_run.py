"""What Google bills of Cloud Run: services, worker pools and jobs, with and without a GPU."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

from portway.gate.billing.cannot import CannotPrice
from portway.gate.billing.limits import most
from portway.gate.billing.values import (
    GIB,
    flag,
    in_region,
    known,
    mappings,
    name,
    quantity,
    region,
    whole,
)
from portway.gate.resource import Resource, Stack
from portway.gate.values import UNKNOWN, Known, Unknown, document
from portway.pricing.meter import Fixed, Held, Meter, NoCharge, Part, PerUse
from portway.pricing.money import SECONDS_PER_MONTH

_GPU: Final = "nvidia.com/gpu"
_SCHEDULE: Final = "gcp:cloudscheduler/job:Job"
_LATER: Final = "is known only after deployment; make it a literal"


@dataclass(frozen=True)
class Shape:
    """One instance: what its containers may use together.

    Attributes:
        idles: the CPU is billed only while a request is answered.
    """

    gpus: Decimal
    cpus: Decimal
    gib: Decimal
    idles: bool
    accelerator: str = ""
    is_zonal: bool = False

    @property
    def text(self) -> str:
        """For a reader."""
        gpu = f"{self.gpus} {self.accelerator}, " if self.gpus else ""
        return f"{gpu}{self.cpus.normalize():f} vCPU and {self.gib.normalize():f} GiB"


def service(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A service: its instances, and what its answers cause."""
    del stack
    shape = _shape(resource, "template")
    least, highest = _scaling(resource)
    slots = whole(resource, "template.maxInstanceRequestConcurrency", given["concurrency"])
    regions = _regions(resource)
    for where in regions:
        each = None if highest is None else -(-highest // len(regions))
        at_once = None if each is None else each * slots
        if shape.idles:
            yield from _by_request(resource, shape, where, (least, each), slots, given)
        else:
            yield _by_instance(resource, shape, where, (least, each), slots, given)
        yield from _caused(resource, where, at_once, given)


def worker_pool(
    resource: Resource, stack: Stack | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """A worker pool: as many instances as it says, billed while they exist."""
    del stack
    shape = _shape(resource, "template")
    count = whole(resource, "scaling.manualInstanceCount", 1)
    highest = max(count, whole(resource, "scaling.maxInstanceCount", count))
    least = whole(resource, "scaling.minInstanceCount", count)
    for where in _regions(resource):
        yield _by_instance(resource, shape, where, (min(least, highest), highest), 1, given)


def job(resource: Resource, stack: Stack | None, given: Mapping[str, Any]) -> Iterator[Meter]:
    """A job: every task, every retry, each as long as it may last, as often as is assumed.

    A job with an execution token runs when it is deployed, and nothing else runs it where the stack
    has no schedule.
    """
    shape = _shape(resource, "template.template")
    tasks = whole(resource, "template.taskCount", 1)
    tries = 1 + whole(resource, "template.template.maxRetries", given["retries"])
    longest = _seconds(resource, "template.template.timeout", given["timeout_seconds"])
    runs = Decimal(given["runs_at_deployment" if _runs_at_deployment(resource, stack) else "runs"])
    seconds = tasks * tries * longest * runs
    where = region(resource)
    said = (
        f"{resource.name}: {runs} runs a month, of {tasks} tasks with {tries - 1} retries, each as "
        f"long as its timeout of {longest} s"
    )
    for part in _parts(shape, given):
        if part.units:
            amount = part.units * seconds
            yield Fixed(resource.name, part.item, part.sku, where, amount, assumed=said)


def _runs_at_deployment(resource: Resource, stack: Stack | None) -> bool:
    paths = ("runExecutionToken", "startExecutionToken")
    if stack is None or not any(known(resource, path) for path in paths):
        return False
    return not any(other.type == _SCHEDULE for other in stack.resources)


def _by_instance(
    resource: Resource,
    shape: Shape,
    where: str,
    scaling: tuple[int, int | None],
    slots: int,
    given: Mapping[str, Any],
) -> Held:
    least, highest = scaling
    return Held(
        resource=resource.name,
        region=where,
        parts=_parts(shape, given, has_credit=True),
        least=least,
        most=highest,
        concurrency=slots,
        hold_seconds=given["idle_seconds"] if shape.gpus else given["idle_seconds_without_gpu"],
        start_seconds=_start_seconds(resource, given),
        served_by=shape.accelerator,
        shape=f"{least} to {highest} instances of {shape.text}, billed while they exist",
    )


def _by_request(
    resource: Resource,
    shape: Shape,
    where: str,
    scaling: tuple[int, int | None],
    slots: int,
    given: Mapping[str, Any],
) -> Iterator[Meter]:
    """Instances that are billed while they answer; those that are kept, a little all the time."""
    least, highest = scaling
    busy = (
        Part("cpu", given["cpu_by_request"], shape.cpus),
        Part("memory", given["memory_by_request"], shape.gib),
    )
    beyond = (Part("cpu", given["busier_cpu"], shape.cpus),)
    pools = ((0, None if highest is None else max(highest - least, 0), busy), (0, least, beyond))
    for fewest, largest, parts in pools:
        if largest != 0:
            yield Held(
                resource.name, where, parts, fewest, largest, slots, hold_seconds=0, start_seconds=1,
                served_by="door" if _is_door(resource) else "",
                shape=f"{least} to {highest} instances of {shape.text}, billed while they answer",
            )  # fmt: skip
    for item, sku, units in (
        ("idle cpu", given["idle_cpu"], shape.cpus),
        ("idle memory", given["idle_memory"], shape.gib),
    ):
        if least:
            amount = units * least * SECONDS_PER_MONTH
            yield Fixed(resource.name, item, sku, where, amount)
    at_once = None if highest is None else highest * slots
    million = Decimal(1) / 1_000_000
    yield PerUse(resource.name, "requests", given["requests"], where, million, at_once)


def _caused(
    resource: Resource, where: str, at_once: int | None, given: Mapping[str, Any]
) -> Iterator[Meter]:
    """What each request causes elsewhere: traffic, a line of the log, keys that are read."""
    if name(resource, "ingress", given["ingress"]) == given["ingress"]:
        yield PerUse(
            resource.name, "egress", given["egress"], where, given["answer_bytes"] / GIB, at_once,
            units_per_output_token=given["token_bytes"] / GIB,
            assumed=f"an answer leaves the cloud's network with {given['answer_bytes']} bytes, and "
            f"{given['token_bytes']} for each output token",
        )  # fmt: skip
    else:
        yield NoCharge(resource.name, "egress", "answers stay inside the network and the region")
    yield PerUse(
        resource.name, "logs", given["logs"], where, given["log_bytes"] / GIB, at_once,
        assumed=f"one line of {given['log_bytes']} bytes is logged for each request",
    )  # fmt: skip
    if meter_of(resource) == "firestore":
        store = given["firestore"]
        for item, sku in (("writes", store["writes"]), ("deletes", store["deletes"])):
            each = Decimal(store[f"{item}_per_request"]) / 100_000
            yield PerUse(resource.name, f"meter {item}", sku, where, each, at_once)
    for number, _ in enumerate(resource.properties.every("template.volumes[].secret.secret")):
        is_read_each_time = number > 0 and _is_door(resource)
        yield PerUse(
            resource.name, "secret reads", given["secret_reads"], where,
            (Decimal(1) if is_read_each_time else Decimal("0.01")) / 10_000, at_once,
            assumed="a mounted secret is read once for each hundred requests, a door's routes for "
            "each",
        )  # fmt: skip


def _start_seconds(resource: Resource, given: Mapping[str, Any]) -> int:
    """From the start of an instance to its first answer; some ways to read weights are quicker."""
    words = [
        seen.value
        for seen in resource.properties.every("template.containers[].args[]")
        if isinstance(seen, Known)
    ]
    found = [seconds for word, seconds in given["start_seconds_with"].items() if word in words]
    return min([given["start_seconds"], *found])


def _is_door(resource: Resource) -> bool:
    """Whether its runtime passes requests on: it then reads its routes, and takes as long as its ends."""
    names = resource.properties.every("template.containers[].envs[].name")
    return any(isinstance(seen, Known) and seen.value == "PORTWAY_ROUTES_FILE" for seen in names)


def meter_of(resource: Resource) -> str:
    """The kind of store in which its runtime counts what it lets through; "" for none."""
    for path, variable in mappings(resource, "template.containers[].envs[]"):
        if variable.get("name") == "PORTWAY_METER":
            value = variable.get("value")
            if not isinstance(value, str):
                raise CannotPrice(f"{path}.value", f"{path}.value {_LATER}")
            found = document(value)
            if not isinstance(found, Mapping):
                return ""
            store = _child(cast("Mapping[str, object]", found), "store", path)
            return str(store.get("kind", ""))
    return ""


def _parts(shape: Shape, given: Mapping[str, Any], *, has_credit: bool = False) -> tuple[Part, ...]:
    free: tuple[Any, Any] = (given["free_cpu"], given["free_memory"]) if has_credit else (0, 0)
    cpu = Part("cpu", given["cpu"], shape.cpus, Decimal(free[0]))
    memory = Part("memory", given["memory"], shape.gib, Decimal(free[1]))
    if not shape.gpus:
        return (cpu, memory)
    sku = given["accelerators"].get(shape.accelerator)
    if sku is None:
        why = "template.nodeSelector.accelerator names a GPU with no known rate"
        raise CannotPrice("template.nodeSelector.accelerator", why)
    return (Part("gpu", f"{sku}-zonal" if shape.is_zonal else sku, shape.gpus), cpu, memory)


def _shape(resource: Resource, body: str) -> Shape:
    gpus, cpus, memory, idles = Decimal(0), Decimal(0), Decimal(0), True
    for path, container in mappings(resource, f"{body}.containers[]"):
        resources = _child(container, "resources", path)
        limits = _child(resources, "limits", f"{path}.resources")
        at = f"{path}.resources.limits"
        cpus += quantity(limits.get("cpu") or "1", f"{at}.cpu")
        memory += quantity(limits.get("memory") or "512Mi", f"{at}.memory") / GIB
        gpus += quantity(limits.get(_GPU) or "0", f'{at}["{_GPU}"]')
        if resources:
            # with resources given, the CPU is billed all the time unless it is said not to be
            idles = idles and str(resources.get("cpuIdle")).lower() == "true"
    if not cpus:
        cpus, memory = Decimal(1), Decimal("0.5")
    accelerator = name(resource, f"{body}.nodeSelector.accelerator", "nvidia-l4") if gpus else ""
    zonal = not flag(resource, f"{body}.gpuZonalRedundancyDisabled", default=False)
    return Shape(gpus, cpus, memory, idles and not gpus, accelerator, bool(gpus) and zonal)


def _child(holder: Mapping[str, object], key: str, path: str) -> Mapping[str, object]:
    value = holder.get(key)
    if value is UNKNOWN:
        raise CannotPrice(f"{path}.{key}", f"{path}.{key} {_LATER}")
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _scaling(resource: Resource) -> tuple[int, int | None]:
    """The fewest and the most instances, in all regions together."""
    if name(resource, "scaling.scalingMode", "automatic") == "manual":
        count = whole(resource, "scaling.manualInstanceCount", 0)
        return count, count * len(_regions(resource))
    paths = ("template.scaling.minInstanceCount", "scaling.minInstanceCount")
    return max(whole(resource, path, 0) for path in paths), most(resource)


def _regions(resource: Resource) -> Sequence[str]:
    found: list[str] = []
    for seen in resource.properties.leaves("multiRegionSettings.regions"):
        if isinstance(seen, Unknown):
            raise CannotPrice(seen.path, f"{seen.path} {_LATER}")
        found.append(in_region(str(seen.value)))
    return found or [region(resource)]


def _seconds(resource: Resource, path: str, default: int) -> Decimal:
    value = known(resource, path)
    text = str(default) if value is None else str(value).removesuffix("s")
    try:
        return Decimal(text)
    except ArithmeticError:
        raise CannotPrice(path, f"{path} is no number of seconds") from None
