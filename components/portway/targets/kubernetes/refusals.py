"""What Kubernetes cannot honour, each reason with its way out. Pure."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from portway.errors import Problem
from portway.metering import limits_of_use, without_a_meter
from portway.models import Model
from portway.models.fit import L4, why_too_large
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.kubernetes.nodes import flavour_of, nodes, regions
from portway.targets.kubernetes.options import Flavour, KubernetesOptions

LONGEST_RANGE: Final = {4: 8, 6: 32}
"""The shortest prefix of addresses that one network has, by IP version."""

RESERVED_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


def of_placement(
    spec: InferenceServiceSpec, model: Model, placement: Placement
) -> Iterator[Problem]:
    """Reasons that no option can remove: cluster, model, who may call."""
    if placement.cluster is None:
        yield Problem(
            "placement.cluster",
            "is not set; name the kubeconfig context of the cluster, such as prod-eu",
        )
    elif not placement.cluster.strip():
        yield Problem("placement.cluster", "is empty; name a kubeconfig context")
    if spec.access.auth == "iam":
        yield Problem(
            "access.auth",
            "is iam, and a cluster has no IAM in front of a service; use api-key, or the target "
            "that runs behind a cloud's own IAM",
        )
    too_large = why_too_large(model, L4)
    if too_large is not None:
        yield Problem("model", f"{too_large}; choose a smaller model")
    elif model.revision is None:
        yield Problem(
            "model",
            f"{model.id} has no pinned revision in the catalogue, so that its weights could change "
            "unseen; choose a model with a revision",
        )


def of_options(
    spec: InferenceServiceSpec, placement: Placement, options: KubernetesOptions
) -> Iterator[Problem]:
    """Reasons that lie in the options, alone or together with spec and region."""
    yield from _region_and_node(placement, options)
    yield from _scaling(spec, options)
    yield from _hostname(spec, options)
    yield from _weights(options)
    yield from _budget(spec, placement, options)
    if options.gpu_claim == "dra":
        yield Problem(
            "placement.options.gpu_claim",
            "is dra, which comes with a later version; use extended: clusters from 1.37 on can "
            "serve the resource nvidia.com/gpu through DRA as well (DeviceClass.extendedResourceName)",
        )
    if options.namespace in RESERVED_NAMESPACES or options.namespace == options.keda_namespace:
        yield Problem(
            "placement.options.namespace",
            f"is {options.namespace!r}, which is not ours to create and delete; leave it out, or "
            "name one that does not exist yet",
        )


def flavour(placement: Placement, options: KubernetesOptions) -> Flavour | None:
    """Whose cluster it is; None where neither option nor region tells."""
    return options.flavour or flavour_of(placement.region)


def _region_and_node(placement: Placement, options: KubernetesOptions) -> Iterator[Problem]:
    chosen = flavour(placement, options)
    if chosen is None:
        known = sorted(region for sold in regions().values() for region in sold)
        yield Problem(
            "placement.region",
            f"{placement.region!r} is not known to have L4 nodes; choose one of {', '.join(known)}, "
            "or say options.flavour and options.node if your cluster has them there",
        )
        return
    theirs = flavour_of(placement.region)
    if chosen != "plain" and theirs not in (None, chosen):
        yield Problem(
            "placement.options.flavour",
            f"is {chosen}, and {placement.region} is a region where clusters are {theirs}; correct one of them",
        )
    elif chosen != "plain" and theirs is None and options.node is None:
        yield Problem(
            "placement.region",
            f"{placement.region!r} is not known to have L4 nodes on {chosen}; choose one of "
            f"{', '.join(sorted(regions()[chosen]))}, or say options.node if your cluster has them there",
        )
    yield from _node(chosen, options)


def _node(chosen: Flavour, options: KubernetesOptions) -> Iterator[Problem]:
    fitting = [name for name, row in nodes().items() if chosen in ("plain", row.flavour)]
    if options.node is not None and options.node not in fitting:
        yield Problem(
            "placement.options.node",
            f"is {options.node!r}, which is no {chosen} machine with one L4; choose one of "
            f"{', '.join(fitting)}"
            + ("" if chosen != "plain" else ", or leave it out to take any node with a GPU"),
        )
    if options.spot and chosen == "plain":
        yield Problem(
            "placement.options.spot",
            "is true, and a plain cluster has no label that tells spot nodes; leave spot out, or "
            "set flavour to gke or eks",
        )


def _scaling(spec: InferenceServiceSpec, options: KubernetesOptions) -> Iterator[Problem]:
    if spec.scaling.min == 0 and options.scale_to_zero is None:
        yield Problem(
            "scaling.min",
            "is 0, and nothing in a cluster wakes a service without pods; raise min to 1, or install "
            "KEDA with its HTTP add-on and set options.scale_to_zero: keda",
        )


def _weights(options: KubernetesOptions) -> Iterator[Problem]:
    """A mirror and its addresses belong together: a NetworkPolicy cannot name a host."""
    path = "placement.options.weights_networks"
    if options.weights_mirror is not None and not options.weights_networks:
        yield Problem(
            path,
            "is empty, and pods can reach a mirror only by its addresses; list the ranges that "
            f"{options.weights_mirror} is in, such as 10.20.0.0/24",
        )
    if options.weights_mirror is None and options.weights_networks:
        yield Problem(path, "is set without weights_mirror; name the mirror too, or remove it")
    for text in options.weights_networks:
        why = _why_no_network(text)
        if why is not None:
            yield Problem(path, f"has {text!r}, {why}; write a range such as 10.20.0.0/24")


def _budget(
    spec: InferenceServiceSpec, placement: Placement, options: KubernetesOptions
) -> Iterator[Problem]:
    meter = limits_of_use(spec)
    yield from without_a_meter(spec, meter)
    if spec.budget is not None and spec.budget.alert_emails:
        yield Problem(
            "budget.alert_emails",
            "is set, and nothing in a cluster counts money or sends e-mail; remove it, and let the budgets "
            "of the account that pays for the nodes tell you (options.prometheus_rules tells of the rest)",
        )
    path = "placement.options.storage_class"
    if meter is None and options.storage_class is not None:
        yield Problem(
            path,
            f"is {options.storage_class!r}, and only the meter has a disk; add "
            "budget.monthly_requests or budget.monthly_tokens, or remove it",
        )
    if meter is not None and options.storage_class is None and flavour(placement, options) == "eks":
        yield Problem(
            path,
            "is not set, and EKS has had no default class since Kubernetes 1.30, so that the meter's disk "
            "would never be made; name a class of the EBS driver, such as gp3",
        )


def _why_no_network(text: str) -> str | None:
    try:
        network = ip_network(text)
    except ValueError:
        return "which is no range of addresses"
    wide = network.prefixlen < LONGEST_RANGE[network.version]
    return "which is a part of the internet rather than a network of yours" if wide else None


def _hostname(spec: InferenceServiceSpec, options: KubernetesOptions) -> Iterator[Problem]:
    path = "placement.options.hostname"
    public = spec.access.reach == "public"
    if options.scale_to_zero and public and options.hostname is None:
        yield Problem(
            path,
            "is not set, and with scale_to_zero: keda requests must arrive through KEDA's "
            "interceptor; name the host that your ingress forwards to "
            f"keda-add-ons-http-interceptor-proxy.{options.keda_namespace}:8080, or set "
            "access.reach: private",
        )
    if options.hostname is not None and not (options.scale_to_zero and public):
        yield Problem(
            path,
            f"is {options.hostname!r}, and only a public service with scale_to_zero: keda is reached "
            "by one; remove it",
        )
