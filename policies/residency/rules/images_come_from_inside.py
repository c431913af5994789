"""No image comes from a registry that a cloud keeps in a region outside.

Images come in, and carry no prompt out; so a registry whose name says no region, such as Docker Hub,
GitHub's, Quay or a company's own, is no residency question and passes. But a registry of one's own
account in a region outside is where one's weights, adapters and code are kept: that is a copy of data
outside, and it is refused. What vendors publish there for everybody is listed by name and passes.
"""

from collections.abc import Iterator
from typing import Final

from portway.gate.context import ResidencyContext
from portway.gate.images import MAKERS, REGISTRY, is_published, registry_place
from portway.gate.readings import Look, read
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Unknown, shown
from portway.gate.workloads import Block, anatomy, blocks_in, child, is_object, plain

_BUCKET: Final = "gcp:storage/bucket:Bucket"


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse images of registries outside, and images that nobody can know."""
    if context.boundary is None or not is_object(resource):
        return
    look = Look(resource, context.boundary, context, stack)
    for pod in anatomy(resource).pods:
        holders = [*pod.containers()]
        volumes = blocks_in(pod.spec.value.get("volumes"), pod.spec.at("volumes"))
        images = [(one, "image") for one in holders]
        images += [(child(one, "image"), "reference") for one in volumes if "image" in one.value]
        for holder, name in images:
            yield from _of_image(holder, name, look)


def _of_image(holder: Block, name: str, look: Look) -> Iterator[Violation]:
    value, path = plain(holder.value.get(name)), holder.at(name)
    if value is None:
        return
    if not isinstance(value, str):
        if not _is_made_here(look):
            for problem in read("reference", Unknown(path), look):
                text = f"runs an image that is known only after deployment ({path}); {problem.do}"
                yield Violation(
                    f"{look.resource} {text}", look.resource.urn, path, undetermined=True
                )
        return
    place = registry_place(value)
    if place is not None and not look.boundary.holds(place, REGISTRY) and not is_published(value):
        yield Violation(
            f"{look.resource} runs an image that is kept in {shown(place)} ({path}), outside the "
            f"boundary {look.boundary}; copy it to a registry inside and name that one",
            look.resource.urn,
            path,
            # What Google's area covers is not said; images carry no prompt, so a doubt is reported.
            advice=place == "europe" and look.boundary.holds("eu", _BUCKET),
        )


def _is_made_here(look: Look) -> bool:
    """Whether the pod's properties come from something that makes images, judged itself."""
    if look.stack is None:
        return True
    urns = (urn for given in (look.resource.depends_on or {}).values() for urn in given)
    makers = (look.stack.by_urn[urn].type for urn in urns if urn in look.stack.by_urn)
    return any(token.startswith(MAKERS) for token in makers)


RULE = Rule(
    id="residency-images-come-from-inside",
    severity=Severity.HIGH,
    description="No image is kept in a cloud's registry in a region outside the boundary.",
    remediation="Copy the image to a registry in a region inside and name that one.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.23",
        "ISO/IEC 27001:2022 A.8.30",
        "NIST SP 800-53 r5 SA-9(5)",
        "NIST SP 800-53 r5 SR-4",
    ),
    judge=judge,
)
