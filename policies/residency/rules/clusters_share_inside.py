"""A cluster shares its workloads and its services with clusters inside the boundary only.

Federations spread pods, export services and send requests to other clusters. Where an object names
them, each must be one that configuration places inside; where it names none, it may be any.
"""

import re
from collections.abc import Iterator
from typing import Final

from portway.gate.context import ResidencyContext
from portway.gate.nodes import place_fault
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Unknown, shown
from portway.gate.workloads import Block, Manifest, anatomy, is_object, mapping, plain
from portway.residency.boundary import Boundary

_NAMES: Final = {
    "argoproj.io Application": ("spec.destination.name", "spec.destination.server"),
    "argoproj.io ApplicationSet": (
        "spec.template.spec.destination.name",
        "spec.template.spec.destination.server",
    ),
    "policy.karmada.io PropagationPolicy": (
        "spec.placement.clusterAffinity.clusterNames[]",
        "spec.placement.clusterAffinities[].clusterNames[]",
    ),
    "policy.karmada.io ClusterPropagationPolicy": (
        "spec.placement.clusterAffinity.clusterNames[]",
        "spec.placement.clusterAffinities[].clusterNames[]",
    ),
    "work.open-cluster-management.io ManifestWork": ("metadata.namespace",),
    "types.kubefed.io *": ("spec.placement.clusters[].name",),
    "networking.gke.io MultiClusterService": ("spec.clusters[].link",),
    "networking.gke.io MultiClusterIngress": ("spec.clusters[].link",),
    "fleet.cattle.io GitRepo": ("spec.targets[].clusterName",),
}
"""By API group and kind, where an object names the clusters that it is about."""

_ARGO_LABEL: Final = "argocd.argoproj.io/secret-type"
_REMOTE: Final = frozenset({"helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"})
_FEDERATIONS: Final = re.compile(
    r"(?:.+\.)?(?:multicluster\.x-k8s\.io|net\.gke\.io|liqo\.io|admiralty\.io|submariner\.io|skupper\.io"
    r"|multicluster\.linkerd\.io|open-cluster-management\.io|kubefed\.io|karmada\.io|virtual-kubelet\.io)"
)
_SAYS_NOTHING: Final = frozenset({"ClusterSet", "ManagedClusterSet", "OverridePolicy", "ClusterOverridePolicy"})  # fmt: skip
_MARKS: Final = re.compile(
    r"(?i)multicluster\.admiralty\.io/elect|multicluster-scheduler|liqo\.io/(?:scheduling-enabled|remote-.*)"
    r"|service\.cilium\.io/(?:global|shared)|io\.cilium/(?:global|shared)-service"
    r"|mirror\.linkerd\.io/exported|skupper\.io/(?:proxy|address)|networking\.gke\.io/multi-cluster.*"
)
_HERE: Final = frozenset({"in-cluster", "https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"})  # fmt: skip
_LINK: Final = re.compile(r"(?P<place>[a-z0-9-]+)/[\w-]+|.*/locations/(?P<location>[a-z0-9-]+)/.*")


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse what is shared with clusters outside, or with clusters nobody can name."""
    del stack
    boundary = context.boundary
    if boundary is None or not is_object(resource):
        return
    found = anatomy(resource)
    for manifest in found.manifests:
        yield from _of_manifest(resource, manifest, boundary, context)
    for block in found.blocks:
        if block.path.endswith(("annotations", "labels")):
            yield from _of_marks(resource, block)


def _of_manifest(
    resource: Resource, manifest: Manifest, boundary: Boundary, context: ResidencyContext
) -> Iterator[Violation]:
    group, kind = manifest.group, manifest.kind
    paths = _NAMES.get(f"{group} {kind}") or _NAMES.get(f"{group} *")
    if paths is not None:
        named = [seen for path in paths for seen in manifest.every(path)]
        for seen in named:
            yield from _of_name(resource, seen, boundary, context)
        if not named:
            yield _refused(resource, _ANY, paths[0], undetermined=True)
    elif kind == "Secret" and plain(mapping(_labels(manifest)).get(_ARGO_LABEL)) == "cluster":
        for seen in [*manifest.every("stringData.name")] or manifest.every("stringData.server"):
            yield from _of_name(resource, seen, boundary, context)
    elif group in _REMOTE:
        remote = [*manifest.every("spec.kubeConfig.secretRef.name")]
        for seen in remote or manifest.every("spec.kubeConfig"):
            yield from _of_name(resource, seen, boundary, context)
    elif _FEDERATIONS.fullmatch(group) and kind not in _SAYS_NOTHING:
        yield _refused(resource, _ANY, "spec", undetermined=True)


def _labels(manifest: Manifest) -> object:
    return mapping(manifest.root.value.get("metadata")).get("labels")


def _of_name(
    resource: Resource, seen: Known | Unknown, boundary: Boundary, context: ResidencyContext
) -> Iterator[Violation]:
    if isinstance(seen, Unknown) or not isinstance(seen.value, str):
        what = "shares something with a cluster that is known only after deployment"
        yield _refused(resource, what, seen.path, undetermined=True)
        return
    name = seen.value.strip()
    if name in _HERE:
        return
    place = context.clusters.get(name)
    link = _LINK.fullmatch(name)
    if place is None and link is not None and "://" not in name:
        place = link["place"] or link["location"]
    if place is None:
        what = "shares something with a cluster that nobody has placed"
        yield _refused(resource, what, seen.path, undetermined=True)
    elif place_fault(place, seen.path, boundary) is not None:
        what = f"shares something with a cluster in {shown(place)}, outside the boundary {boundary}"
        yield _refused(resource, what, seen.path)


def _of_marks(resource: Resource, block: Block) -> Iterator[Violation]:
    for name, given in block.value.items():
        value = plain(given)
        is_off = isinstance(value, str) and value.lower() in ("false", "disabled")
        if _MARKS.fullmatch(name) and not is_off:
            yield _refused(resource, _ANY, block.at(name), undetermined=True)


def _refused(resource: Resource, what: str, path: str, *, undetermined: bool = False) -> Violation:
    message = f"{resource} {what} ({path}); {_WAY_OUT}"
    return Violation(message, resource.urn, path, undetermined)


_ANY = "shares something with other clusters and names none of them, so that it may be any"
_WAY_OUT = "name the clusters, and say under clusters in the configuration where each of them is"

RULE = Rule(
    id="residency-clusters-share-inside",
    severity=Severity.CRITICAL,
    description="A cluster shares workloads and services only with clusters inside the boundary.",
    remediation="Name the clusters that share, and place each of them in the configuration.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 46",
        "ISO/IEC 27001:2022 A.5.14",
        "NIST SP 800-53 r5 AC-4",
        "NIST SP 800-53 r5 SA-9(5)",
    ),
    judge=judge,
)
