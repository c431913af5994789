"""No name or address in a cluster leads its requests, or copies of them, to a host outside.

Services that stand for a host elsewhere, endpoints written by hand, a mesh's entries and mirrors,
mirrors of routes and ingresses, and web hooks that are handed every object.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from portway.gate.addresses import address_fault
from portway.gate.context import ResidencyContext
from portway.gate.endpoints import in_cluster
from portway.gate.readings import Look, read
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Unknown
from portway.gate.workloads import Manifest, anatomy, child, is_object, mapping, plain

_HOSTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Service": ("spec.externalName",),
    "Endpoints": ("subsets[].addresses[].hostname",),
    "ServiceEntry": ("spec.hosts[]",),
    "VirtualService": (
        "spec.http[].mirror.host",
        "spec.http[].mirrors[].destination.host",
        "spec.http[].route[].destination.host",
        "spec.tcp[].route[].destination.host",
        "spec.tls[].route[].destination.host",
    ),
    "Backend": (
        "spec.endpoints[].fqdn.hostname",
        "spec.static.hosts[].host",
    ),
    "XBackend": ("spec.destination.externalHostname.hostname", "spec.externalHostname.hostname"),
    "ValidatingWebhookConfiguration": ("webhooks[].clientConfig.url",),
    "MutatingWebhookConfiguration": ("webhooks[].clientConfig.url",),
    "CustomResourceDefinition": ("spec.conversion.webhook.clientConfig.url",),
    "AuditSink": ("spec.webhook.clientConfig.url",),
}
_ADDRESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "Service": ("spec.externalIPs[]",),
    "Endpoints": ("subsets[].addresses[].ip", "subsets[].notReadyAddresses[].ip"),
    "EndpointSlice": ("endpoints[].addresses[]",),
    "ServiceEntry": ("spec.endpoints[].address",),
    "WorkloadEntry": ("spec.address",),
    "Backend": ("spec.endpoints[].ip.address",),
}
_ROUTES: Final = frozenset({"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"})
_WITHIN: Final = frozenset({None, "Service", "InferencePool", "Backend", "XBackend"})
"""Kinds of backends that are in the cluster, or are judged themselves."""

_CARRIES: Final = re.compile(
    r"(?i)mirror|auth-url|proxy-pass|upstream|forward|snippet|lua|sink|subscriber"
)
_SOME: Final = "any"
"""A pattern is judged by a name that it allows."""

_URL: Final = re.compile(r"https?://[^\s;\"'$]+")


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse each host and address that may be outside."""
    boundary = context.boundary
    if boundary is None or not is_object(resource):
        return
    look = Look(resource, boundary, context, stack)
    for manifest in anatomy(resource).manifests:
        yield from _of_tables(manifest, look)
        yield from _of_annotations(manifest, look)
        if manifest.kind in _ROUTES:
            yield from _of_route(manifest, look)
        if manifest.kind == "EnvoyFilter":
            yield from _of_sockets(resource, look)
        if manifest.group.endswith("knative.dev"):
            yield from _of_sinks(resource, look)


def _of_tables(manifest: Manifest, look: Look) -> Iterator[Violation]:
    for path in _HOSTS.get(manifest.kind, ()):
        for seen in manifest.every(path):
            if not _is_neighbour(seen, manifest):
                yield from _of_host(seen, look)
    for path in _ADDRESSES.get(manifest.kind, ()):
        for seen in manifest.every(path):
            yield from _of_address(seen, look)


def _of_host(seen: Known | Unknown, look: Look) -> Iterator[Violation]:
    if isinstance(seen, Known) and isinstance(seen.value, str):
        if not seen.value.strip():
            return
        seen = Known(seen.path, seen.value.replace("*", _SOME))
    # A name that a resource of this stack gives is where that resource is.
    for problem in read("host", seen, look):
        text = f"leads to {problem.given} ({problem.path}): {problem.why}; {problem.do}"
        yield _refused(look, text, problem.path, undetermined=problem.undetermined)


def _is_neighbour(seen: Known | Unknown, manifest: Manifest) -> bool:
    """Whether a host is a service of the cluster by its short name."""
    if isinstance(seen, Unknown) or not isinstance(seen.value, str):
        return False
    return in_cluster(seen.value, frozenset({str(manifest.namespace)}))


def _of_address(seen: Known | Unknown, look: Look) -> Iterator[Violation]:
    if isinstance(seen, Unknown):
        yield from _of_host(seen, look)
        return
    if isinstance(seen.value, str) and re.search(r"[g-zG-Z]", seen.value):
        yield from _of_host(seen, look)
        return
    fault = address_fault(seen.value, (), look.boundary, look.context)
    if fault is not None:
        text = f"leads to {fault.what} ({seen.path}); {_PLACE_IT}"
        yield _refused(look, text, seen.path, undetermined=fault.undetermined)


def _of_route(manifest: Manifest, look: Look) -> Iterator[Violation]:
    """Backends and mirrors of a route: what is in the cluster is fine."""
    for path in (
        "spec.rules[].backendRefs[]",
        "spec.rules[].filters[].requestMirror.backendRef",
        "spec.rules[].backendRefs[].filters[].requestMirror.backendRef",
    ):
        for seen in manifest.every(path):
            kind = _kind_of(seen)
            if kind == "Hostname" and isinstance(seen, Known):
                name = mapping(seen.value).get("name")
                yield from _of_host(Known(f"{seen.path}.name", name), look)
            elif kind not in _WITHIN:
                text = f"sends requests to something that is no service of this cluster ({seen.path}), and nobody can tell where it is; name a Service"  # fmt: skip
                yield _refused(look, text, seen.path, undetermined=True)


def _kind_of(seen: Known | Unknown) -> object:
    if isinstance(seen, Unknown):
        return seen
    return plain(mapping(cast("object", seen.value)).get("kind"))


def _of_annotations(manifest: Manifest, look: Look) -> Iterator[Violation]:
    """Annotations by which ingresses mirror requests, or ask somebody about every one of them."""
    annotations = child(child(manifest.root, "metadata"), "annotations")
    for name, value in annotations.value.items():
        if "/" not in name or not _CARRIES.search(name):
            continue
        path = annotations.at(name)
        if not isinstance(plain(value), str):
            yield from _of_host(Unknown(path), look)
            continue
        for url in _URL.findall(str(value)):
            yield from _of_host(Known(path, url), look)


def _of_sockets(resource: Resource, look: Look) -> Iterator[Violation]:
    """Addresses that a patch of Envoy's configuration brings in."""
    for block in anatomy(resource).blocks:
        if block.path.endswith(("socket_address", "socketAddress")) and "address" in block.value:
            value, path = plain(block.value["address"]), block.at("address")
            yield from _of_address(
                Known(path, value) if isinstance(value, str) else Unknown(path), look
            )


def _of_sinks(resource: Resource, look: Look) -> Iterator[Violation]:
    """Where Knative sends events."""
    for block in anatomy(resource).blocks:
        last = block.path.rpartition(".")[2].lower()
        if last in ("sink", "subscriber", "deadlettersink", "reply") and "uri" in block.value:
            value = plain(block.value["uri"])
            path = block.at("uri")
            is_known = isinstance(value, str)
            yield from _of_host(Known(path, value) if is_known else Unknown(path), look)


def _refused(look: Look, text: str, path: str, *, undetermined: bool) -> Violation:
    return Violation(f"{look.resource} {text}", look.resource.urn, path, undetermined)


_PLACE_IT = "use a private address, or say under buckets in the configuration where the range is"

RULE = Rule(
    id="residency-cluster-endpoints-stay-inside",
    severity=Severity.CRITICAL,
    description="No name or address in a cluster leads requests, or copies of them, outside.",
    remediation="Lead to services of the cluster, to hosts in a region inside, or to listed ones.",
    controls=(
        "GDPR Art. 44",
        "ISO/IEC 27001:2022 A.5.14",
        "ISO/IEC 27001:2022 A.8.21",
        "NIST SP 800-53 r5 SC-7",
        "NIST SP 800-53 r5 AC-4",
    ),
    judge=judge,
)
