"""Refusals of the places that weights come from. Pure."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Final

from portway.errors import Problem
from portway.models import Model
from portway.spec import InferenceServiceSpec
from portway.targets.kubernetes.options import Flavour, KubernetesOptions
from portway.targets.kubernetes.weights import is_harmony

LONGEST_RANGE: Final = {4: 8, 6: 32}
"""The shortest prefix of addresses that one network has, by IP version."""

ONE_NODE_CLASSES: Final = frozenset(
    {"standard", "standard-rwo", "premium-rwo", "gp2", "gp3", "io1", "io2"}
)
"""Classes of block disks, by the vendors' own names: one node mounts such a disk at a time."""

AT: Final = "placement.options"


def reasons(
    spec: InferenceServiceSpec, model: Model, chosen: Flavour | None, options: KubernetesOptions
) -> Iterator[Problem]:
    """Why weights would not come, or would come from more than one place."""
    yield from _one_source(options)
    yield from _networks(options)
    yield from _bucket(chosen, options)
    yield from _volume(spec, options)
    yield from _vocabulary(model, options)


def _one_source(options: KubernetesOptions) -> Iterator[Problem]:
    chosen = [
        name
        for name in ("weights_image", "weights_volume", "weights_bucket")
        if getattr(options, name) is not None
    ]
    if len(chosen) > 1:
        yield Problem(
            f"{AT}.{chosen[1]}",
            f"is set beside {chosen[0]}; weights come from one place, remove one",
        )
    mounted = [name for name in chosen if name != "weights_volume"]
    if mounted and options.weights_mirror is not None:
        yield Problem(
            f"{AT}.weights_mirror", f"is set beside {mounted[0]}, which needs no hub; remove one"
        )


def _networks(options: KubernetesOptions) -> Iterator[Problem]:
    """A mirror and its addresses belong together: a NetworkPolicy cannot name a host."""
    path = f"{AT}.weights_networks"
    if options.weights_mirror is not None and not options.weights_networks:
        yield Problem(
            path,
            "is empty, and pods can reach a mirror only by its addresses; list the ranges that "
            f"{options.weights_mirror} is in, such as 10.20.0.0/24",
        )
    sources = (options.weights_mirror, options.weights_bucket)
    if options.weights_networks and not any(sources):
        yield Problem(path, "is set without weights_mirror; name the mirror too, or remove it")
    yield from no_networks(path, options.weights_networks)


def no_networks(path: str, texts: Iterable[str]) -> Iterator[Problem]:
    """Those of ``texts``, the option at ``path``, that are no ranges of addresses."""
    for text in texts:
        why = _why_no_network(text)
        if why is not None:
            yield Problem(path, f"has {text!r}, {why}; write a range such as 10.20.0.0/24")


def _why_no_network(text: str) -> str | None:
    """Also what the API refuses since 1.36: bits beyond the prefix, and leading zeros."""
    try:
        network = ip_network(text)
    except ValueError:
        return "which is no range of addresses"
    if str(network) != text:
        return f"which the API takes as {network} only"
    wide = network.prefixlen < LONGEST_RANGE[network.version]
    return "which is a part of the internet rather than a network of yours" if wide else None


def _bucket(chosen: Flavour | None, options: KubernetesOptions) -> Iterator[Problem]:
    if options.weights_bucket is not None and chosen not in (None, "gke"):
        yield Problem(
            f"{AT}.weights_bucket",
            f"is {options.weights_bucket!r}, which pods mount by the driver that only GKE brings; use "
            "weights_volume or weights_image",
        )
    if options.cloud_identity is not None and options.weights_bucket is None:
        yield Problem(
            f"{AT}.cloud_identity",
            "is set without weights_bucket, and pods call nothing else of a cloud; remove it",
        )


def _volume(spec: InferenceServiceSpec, options: KubernetesOptions) -> Iterator[Problem]:
    volume, path = options.weights_volume, f"{AT}.weights_volume"
    if volume is None:
        return
    if volume.shared and volume.storage_class in ONE_NODE_CLASSES:
        yield Problem(
            f"{path}.storage_class",
            f"is {volume.storage_class!r}, whose disks one node mounts at a time (Multi-Attach error); name "
            "a class of shared disks, or set shared: false",
        )
    several = spec.scaling.max > 1 or options.nodes > 1 or options.surge > 0
    if not volume.shared and several:
        yield Problem(
            f"{path}.shared",
            "is false, and pods on several nodes could not mount one disk (Multi-Attach error); set "
            "shared: true with a class of shared disks, or keep to one pod (scaling.max: 1, no surge)",
        )


def _vocabulary(model: Model, options: KubernetesOptions) -> Iterator[Problem]:
    if options.weights_volume is not None and is_harmony(model):
        yield Problem(
            f"{AT}.weights_volume",
            f"is filled from the hub, and {model.id} needs OpenAI's vocabulary too, which is not there; use "
            "weights_image or weights_bucket, and put its files beside the weights",
        )
