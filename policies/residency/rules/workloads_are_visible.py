"""What a program puts into a cluster can be seen here, or is known to hold no prompts.

A Helm release is rendered inside the plugin, a directory of manifests is applied by somebody else, and
a GitOps object names a repository: what they create is judged by nobody in this run. A release of a
chart that is known to see no requests passes; the rest is refused, or, where another run can judge it,
reported.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from portway.gate.context import ResidencyContext
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.tables import table
from portway.gate.values import Known, Unknown
from portway.gate.workloads import anatomy, is_object

_RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_PROVIDER: Final = "pulumi:providers:kubernetes"
_DIRECTORY: Final = "renderYamlToDirectory"
_GITOPS: Final = {
    "Application": "argoproj.io",
    "ApplicationSet": "argoproj.io",
    "HelmRelease": "helm.toolkit.fluxcd.io",
    "Kustomization": "kustomize.toolkit.fluxcd.io",
    "Bundle": "fleet.cattle.io",
    "GitRepo": "fleet.cattle.io",
    "HelmChart": "helm.cattle.io",
}
_VERSIONED: Final = re.compile(r"-v?\d[\w.+-]*\.tgz$|\.tgz$")


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse what hides what it creates, and report what another run must judge."""
    del stack
    if context.boundary is None:
        return
    if resource.type == _RELEASE:
        yield from _of_release(resource)
    elif resource.type == _PROVIDER:
        yield from _of_provider(resource)
    elif is_object(resource):
        for manifest in anatomy(resource).manifests:
            if _GITOPS.get(manifest.kind) == manifest.group:
                message = f"{resource} deploys what a repository says, which this run does not see; run the gate on what it renders"  # fmt: skip
                yield Violation(message, resource.urn, "spec.source", advice=True)


def _of_release(resource: Resource) -> Iterator[Violation]:
    chart = resource.properties.get("chart")
    if isinstance(chart, Known) and isinstance(chart.value, str):
        if _is_known(chart.value):
            return
        why = "installs a chart that the plugin renders, so that nobody can see what it creates"
    else:
        why = "installs a chart that is known only after deployment"
    message = f"{resource} {why} (chart); use kubernetes:helm.sh/v4:Chart, whose objects are judged"
    yield Violation(message, resource.urn, "chart", undetermined=True)


def _is_known(chart: str) -> bool:
    """Whether a chart is one of those that are known to see no requests, by its name alone."""
    name = _VERSIONED.sub("", chart.strip().lower().rstrip("/").rpartition("/")[2])
    charts: Mapping[str, str] = table("judged/kubernetes.json")["charts"]
    return name in charts


def _of_provider(resource: Resource) -> Iterator[Violation]:
    match resource.properties.get(_DIRECTORY):
        case Unknown(path):
            why = "may write manifests to a directory, which is known only after deployment"
            message = f"{resource} {why} ({path}); make it a literal or leave it out"
            yield Violation(message, resource.urn, path, undetermined=True)
        case Known(path, value) if value:
            why = "writes manifests to a directory, and nobody can tell which cluster applies them"
            message = f"{resource} {why} ({path}); leave it out"
            yield Violation(message, resource.urn, path, undetermined=True)
        case _:
            return


RULE = Rule(
    id="residency-workloads-are-visible",
    severity=Severity.HIGH,
    description="What is put into a cluster can be judged here, or is known to see no requests.",
    remediation="Use helm.sh/v4 Chart, ConfigGroup or plain resources, whose objects are judged.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.8.9",
        "NIST SP 800-53 r5 CM-8",
        "NIST SP 800-53 r5 CM-3",
    ),
    judge=judge,
)
