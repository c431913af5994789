"""Refusals of GPUs: which, how many, how they are asked for, and what does not fit. Pure."""

from collections.abc import Iterator

from portway.errors import Problem
from portway.models import Model
from portway.targets.kubernetes.gpus import claim_of, gpu_models, gpu_of, why_no_room
from portway.targets.kubernetes.nodes import default_node, nodes, shape_of
from portway.targets.kubernetes.options import Flavour, KubernetesOptions

AT = "placement.options"


def reasons(model: Model, chosen: Flavour | None, options: KubernetesOptions) -> Iterator[Problem]:
    """Why no pod could have such GPUs, or could not start the model on them."""
    node = _node(chosen, options)
    found = [*_choice(node, options), *_slices(node, options), *_claims(chosen, options)]
    yield from found
    if found or (node is not None and node not in nodes()):
        return
    why = why_no_room(model, claim_of(options, chosen or "plain", node))
    if why is not None:
        yield Problem(
            "model",
            f"{why}; choose a smaller model, or a node with more or larger GPUs (options.node)",
        )


def _node(chosen: Flavour | None, options: KubernetesOptions) -> str | None:
    if options.node is not None or chosen is None:
        return options.node
    return default_node(chosen)


def _choice(node: str | None, options: KubernetesOptions) -> Iterator[Problem]:
    if options.gpu is None:
        return
    if node is not None:
        yield Problem(
            f"{AT}.gpu",
            f"is {options.gpu!r}, and {node} says which GPU it has ({shape_of(node).gpu}); remove gpu",
        )
    elif options.gpu not in gpu_models():
        yield Problem(
            f"{AT}.gpu",
            f"is {options.gpu!r}, which is not known here; choose one of {', '.join(gpu_models())}",
        )


def _slices(node: str | None, options: KubernetesOptions) -> Iterator[Problem]:
    gpu = gpu_of(options, node)
    if options.mig is not None and gpu in gpu_models():
        parts = gpu_models()[gpu].partitions
        if options.mig not in parts:
            known = (
                f"choose one of {', '.join(parts)}"
                if parts
                else "remove mig, or choose another node"
            )
            yield Problem(
                f"{AT}.mig", f"is {options.mig!r}, into which no {gpu} can be cut; {known}"
            )
    if options.mig is not None and options.gpu_shares > 1:
        yield Problem(
            f"{AT}.gpu_shares",
            f"is {options.gpu_shares} beside mig: {options.mig}; a pod takes a partition or a share, "
            "remove one of them",
        )
    sliced = options.mig is not None or options.gpu_shares > 1
    if sliced and options.nodes > 1:
        yield Problem(
            f"{AT}.nodes",
            f"is {options.nodes}, and slices of GPUs cannot talk to one another; leave nodes at 1, or "
            "remove mig and gpu_shares",
        )


def _claims(chosen: Flavour | None, options: KubernetesOptions) -> Iterator[Problem]:
    if options.gpu_claim != "dra":
        return
    if options.gpu_shares > 1:
        yield Problem(
            f"{AT}.gpu_claim",
            "is dra beside gpu_shares, and a claim of a device is of the whole device; use extended, or "
            "remove gpu_shares",
        )
    if options.mig is not None and chosen == "gke":
        yield Problem(
            f"{AT}.gpu_claim",
            "is dra beside mig on gke, whose partitions are chosen by a label of their nodes; use extended",
        )
