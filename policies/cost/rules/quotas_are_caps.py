"""A quota that a stack sets is a cap: no more than what may be used at all."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from portway.gate.context import CostContext
from portway.gate.quantities import whole
from portway.gate.resource import Resource, Stack
from portway.gate.rows import is_refused
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.tables import table
from portway.gate.values import Known, Unknown, shown
from portway.gate.workloads import mapping

_OVERRIDE: Final = "gcp:serviceusage/consumerQuotaOverride:ConsumerQuotaOverride"
_PREFERENCE: Final = "gcp:cloudquota/sQuotaPreference:SQuotaPreference"
_QUOTA: Final = "kubernetes:core/v1:ResourceQuota"
_AWS: Final = "aws:servicequotas/serviceQuota:ServiceQuota"
_GOOGLE: Final = {
    _OVERRIDE: ("metric", "overrideValue"),
    _PREFERENCE: ("quotaId", "quotaConfig.preferredValue"),
}
"""By type, what says which quota it is, and how much."""

_OF_GPUS: Final = re.compile(r"(?i).*(?:gpu|accelerator|nvidia|tpu).*")
_VCPUS_OF_A_GPU: Final = {
    "L-DB2E81BA": 4, "L-3819A6DF": 4, "L-417A185B": 8, "L-7212CCBC": 8,
}  # fmt: skip
"""Quotas of EC2 for machines with GPUs count virtual CPUs; the fewest that come with one GPU
(docs.aws.amazon.com: EC2 instance type quotas; g4dn.xlarge has 4, p3.2xlarge has 8)."""

_BY_ITSELF: Final = {
    "gcp:cloudquota/sQuotaAdjusterSettings:SQuotaAdjusterSettings": ("enablement", "ENABLED"),
    "aws:servicequotas/autoManagement:AutoManagement": ("optInType", "NotifyAndAdjust"),
}


def judge(resource: Resource, context: CostContext, stack: Stack | None) -> Iterator[Violation]:
    """Refuse quotas of GPUs beyond ``max_gpus``, and report those that somebody else raises."""
    del stack
    if resource.type in _GOOGLE:
        yield from _of_google(resource, context.max_gpus)
    elif resource.type == _QUOTA:
        yield from _of_namespace(resource, context.max_gpus)
    elif resource.type == _AWS:
        yield from _of_amazon(resource, context.max_gpus)
    elif resource.type in _BY_ITSELF:
        path, raised = _BY_ITSELF[resource.type]
        for seen in resource.properties.every(path):
            if isinstance(seen, Unknown) or is_refused(seen.value, (raised,), ()):
                message = (
                    f"{resource} lets quotas be raised by themselves ({seen.path}), which then cap "
                    "nothing; raise them by hand"
                )
                yield Violation(message, resource.urn, seen.path, advice=True)


def _of_google(resource: Resource, most: int | None) -> Iterator[Violation]:
    which, how_much = _GOOGLE[resource.type]
    name = resource.properties.get(which)
    if isinstance(name, Known) and not _OF_GPUS.fullmatch(str(name.value)):
        return
    for seen in resource.properties.every(how_much):
        yield from _of_number(resource, seen, most)


def _of_namespace(resource: Resource, most: int | None) -> Iterator[Violation]:
    patterns: list[str] = table("capacity.json")["pods"]["gpu_names"]
    hard = resource.properties.get("spec.hard")
    if isinstance(hard, Unknown):
        yield from _of_number(resource, hard, most)
    elif isinstance(hard, Known):
        for name in mapping(hard.value):
            device = name.removeprefix("requests.")
            if any(fnmatchcase(device, pattern) for pattern in patterns):
                for seen in resource.properties.every(f'spec.hard["{name}"]'):
                    yield from _of_number(resource, seen, most)


def _of_number(resource: Resource, seen: Known | Unknown, most: int | None) -> Iterator[Violation]:
    if most is None:
        return
    if isinstance(seen, Unknown):
        message = (
            f"{resource} may allow any number of GPUs: {seen.path} is known only after deployment"
        )
        yield Violation(f"{message}; make it a literal", resource.urn, seen.path, undetermined=True)
        return
    given = whole(seen.value)
    if given is None or given > most:
        said = f"{shown(seen.value)}," if given is None else f"{given} GPUs,"
        message = f"{resource} allows {said} and max_gpus is {most} ({seen.path})"
        yield Violation(
            f"{message}; a quota caps nothing beyond that: lower it", resource.urn, seen.path
        )


def _of_amazon(resource: Resource, most: int | None) -> Iterator[Violation]:
    """Amazon counts virtual CPUs: how many GPUs that is depends on the machines, so it is reported."""
    code, value = (resource.properties.get(path) for path in ("quotaCode", "value"))
    each = _VCPUS_OF_A_GPU.get(str(code.value)) if isinstance(code, Known) else None
    if each is None or most is None or not isinstance(value, Known):
        return
    given = whole(value.value)
    if given is not None and given > most * each:
        message = (
            f"{resource} allows {given} virtual CPUs ({value.path}), with which {given // each} GPUs "
            f"may run rather than the {most} of max_gpus; lower it as far as the machines allow"
        )
        yield Violation(message, resource.urn, value.path, advice=True)


RULE = Rule(
    id="cost-quotas-are-caps",
    severity=Severity.MEDIUM,
    description="Quotas of GPUs that a stack sets allow no more than may be used at all.",
    remediation="Set the quota to max_gpus or less.",
    judge=judge,
    controls=("ISO/IEC 27001:2022 A.8.6", "NIST SP 800-53 r5 SC-6"),
)
