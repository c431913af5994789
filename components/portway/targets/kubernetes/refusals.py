"""What Kubernetes cannot honour, each reason with its way out. Pure."""

from collections.abc import Iterator

from portway.errors import Problem
from portway.metering import limits_of_use, without_a_meter
from portway.models import Model
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.kubernetes import (
    refused_gpus,
    refused_scaling,
    refused_traffic,
    refused_weights,
)
from portway.targets.kubernetes.abilities import missing_abilities
from portway.targets.kubernetes.nodes import flavour_of, nodes, regions
from portway.targets.kubernetes.options import Flavour, KubernetesOptions

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
    if model.revision is None:
        yield Problem(
            "model",
            f"{model.id} has no pinned revision in the catalogue, so that its weights could change "
            "unseen; choose a model with a revision",
        )


def of_options(
    spec: InferenceServiceSpec, model: Model, placement: Placement, options: KubernetesOptions
) -> Iterator[Problem]:
    """Reasons that lie in the options, alone or together with spec, model and region."""
    yield from _region_and_node(placement, options)
    yield from refused_gpus.reasons(model, flavour(placement, options), options)
    yield from missing_abilities(options)
    yield from refused_scaling.reasons(spec, options)
    yield from refused_traffic.reasons(spec, flavour(placement, options), options)
    yield from refused_weights.reasons(spec, model, flavour(placement, options), options)
    yield from _budget(spec, placement, options)
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
            f"is {options.node!r}, which is no {chosen} machine with GPUs that is known here; choose one of "
            f"{', '.join(fitting)}"
            + ("" if chosen != "plain" else ", or leave it out to take any node with a GPU"),
        )
    if options.spot and chosen == "plain":
        yield Problem(
            "placement.options.spot",
            "is true, and a plain cluster has no label that tells spot nodes; leave spot out, or "
            "set flavour to gke or eks",
        )


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
