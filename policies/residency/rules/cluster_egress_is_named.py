"""Pods that see prompts can reach no more than policies name, and policies name only what is inside.

Two halves. A policy that lets pods out to the whole internet, or to a range or a host nobody has
placed, is refused; but for one that selects only jobs, such as one that fetches a model, which see
no request. And a pod that serves a model needs at least one policy that governs what it may reach:
without any, a cluster lets everything out. Where such a policy is kept elsewhere, configuration can
say so (``elsewhere``).

One opening is advised against and not refused: to public addresses over TLS only, every private
range left out. A host whose addresses change, such as a hub of weights, cannot be named more
narrowly by a policy of addresses, and functions and services without a network have as much.
"""

import re
from collections.abc import Iterator
from typing import Final

from portway.gate.absence import absence
from portway.gate.cluster import Cluster, cluster
from portway.gate.context import ResidencyContext
from portway.gate.network_policies import Judged, openings
from portway.gate.policy_pods import is_everywhere, is_policy, selects, selects_all
from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import UNKNOWN
from portway.gate.workloads import Manifest, Pod, anatomy, is_object, mapping, plain

ID: Final = "residency-cluster-egress-is-named"
_SERVERS: Final = re.compile(
    r"(?i)(?<![a-z])(?:vllm|sglang|tritonserver|text-generation-inference|text-embeddings-inference"
    r"|tgi|ollama|llama[._-]?cpp|llama-server|lmdeploy|tensorrt-?llm|huggingfaceserver|mlserver"
    r"|aphrodite-engine|openllm|local-?ai|litellm|xinference|nvcr\.io/nim|torchserve)(?![a-z])"
)
"""Images of servers and gateways that are handed prompts."""

_SERVING_KINDS: Final = frozenset(
    {"InferenceService", "LLMInferenceService", "LeaderWorkerSet", "RayService", "InferencePool"}
)
_GPU: Final = re.compile(
    r"(?:nvidia\.com|amd\.com|gpu\.intel\.com|habana\.ai|aws\.amazon\.com/neuron|google\.com/tpu)"
)


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse a policy that lets pods out to what nobody has placed."""
    if context.boundary is None or not is_object(resource):
        return
    judged = Judged(context.boundary, context)
    for manifest in anatomy(resource).manifests:
        if not is_policy(manifest):
            continue
        found = list(openings(manifest, judged))
        if not found or not _is_for_others(manifest, stack):
            continue
        for one in found:
            message = f"{resource} {one.what} ({one.path}); {_WAY_OUT}"
            # Where what gets out is limited elsewhere, an open policy is as good as none.
            is_limited = one.is_wide and ID in context.elsewhere
            advice = is_limited or one.is_web
            yield Violation(message, resource.urn, one.path, one.undetermined, advice=advice)


def judge_stack(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
    """Refuse a pod that serves a model and is governed by no policy at all."""
    if context.boundary is None:
        return
    found = cluster(stack)
    for some in found.pods.values():
        for resource, pod in some:
            if not _serves(resource, pod, stack):
                continue
            answer = _governed(pod, found) if _is_in_cluster_network(pod) else False
            if answer is not True:
                yield _ungoverned(resource, pod, is_unsure=answer is None)


def _is_in_cluster_network(pod: Pod) -> bool:
    """Whether policies hold for ``pod`` at all: one in its node's network is beyond them."""
    return plain(pod.spec.value.get("hostNetwork")) in (None, False, "false")


def _governed(pod: Pod, found: Cluster) -> bool | None:
    """Whether a policy governs what ``pod`` may reach; None where nobody can tell."""
    answer: bool | None = False
    for manifest in found.governing_near(pod.manifest):
        one = selects(manifest, pod)
        if one is True:
            return True
        answer = None if one is None else answer
    return answer


def _ungoverned(resource: Resource, pod: Pod, *, is_unsure: bool) -> Violation:
    if is_unsure:
        why = "nobody can tell whether a policy governs what its pods may reach, because labels or namespaces are known only after deployment; make them literals"  # fmt: skip
        return Violation(f"{resource}: {why}", resource.urn, pod.spec.path, undetermined=True)
    message = (
        f"{resource} serves a model and no policy of this stack governs what its pods may reach, so "
        "that prompts can be sent anywhere; select its pods with a NetworkPolicy of the type Egress "
        f'in its namespace, without hostNetwork, or say under elsewhere["{ID}"] where one is kept'
    )
    return Violation(message, resource.urn, pod.spec.path)


def _is_for_others(manifest: Manifest, stack: Stack | None) -> bool:
    """Whether a policy is about more than jobs of this stack, as far as anybody can tell now."""
    if selects_all(manifest) or is_everywhere(manifest):
        return True
    if stack is None:
        return False
    near = cluster(stack).near(manifest)
    chosen = [pod for _, pod in near if selects(manifest, pod) is not False]
    return not chosen or any(not pod.is_job or _has_gpu(pod) for pod in chosen)


def _serves(resource: Resource, pod: Pod, stack: Stack) -> bool:
    """Whether requests come to ``pod``: it is a service's, or runs a server of models."""
    if pod.is_job:
        return False
    if pod.manifest.kind in _SERVING_KINDS or _is_ours(resource, stack):
        return True
    images = (plain(container.value.get("image")) for container in pod.containers())
    names = (plain(container.value.get("name")) for container in pod.containers())
    return any(isinstance(one, str) and _SERVERS.search(one) for one in (*images, *names))


def _is_ours(resource: Resource, stack: Stack) -> bool:
    holder = stack.by_urn.get(str(resource.parent))
    return holder is not None and (holder.type == SERVICE_TYPE or _is_ours(holder, stack))


def _has_gpu(pod: Pod) -> bool:
    for container in pod.containers():
        resources = mapping(container.value.get("resources"))
        wanted = (*mapping(resources.get("limits")), *mapping(resources.get("requests")))
        if any(_GPU.match(name) for name in wanted) or plain(resources.get("limits")) is UNKNOWN:
            return True
    return "resourceClaims" in pod.spec.value


_WAY_OUT = (
    "name what is called: a private range, or a public one that buckets in the configuration places "
    "inside; what fetches a model from the internet is a job with labels of its own"
)

RULE = Rule(
    id=ID,
    severity=Severity.CRITICAL,
    description="Pods that see prompts can reach only what network policies name, inside.",
    remediation="Govern egress by a NetworkPolicy that names private or placed addresses only.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 32",
        "ISO/IEC 27001:2022 A.8.22",
        "ISO/IEC 27001:2022 A.5.14",
        "NIST SP 800-53 r5 SC-7",
        "NIST SP 800-53 r5 AC-4",
    ),
    judge=judge,
    judge_stack=absence(ID, judge_stack),
)
