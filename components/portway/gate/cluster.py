"""The pods and the policies of a whole stack, by namespace, worked out once for each stack."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from portway.gate.network_policies import governs_egress
from portway.gate.policy_pods import is_everywhere, is_policy
from portway.gate.resource import Resource, Stack
from portway.gate.values import UNKNOWN
from portway.gate.workloads import Manifest, Pod, anatomy, is_object

T = TypeVar("T")


@dataclass
class Cluster:
    """What a stack puts into clusters.

    Attributes:
        pods: by namespace, each with the resource that makes it.
        governing: by namespace, the policies that govern what some pods may reach.
        everywhere: such policies of every namespace.
    """

    pods: dict[object, list[tuple[Resource, Pod]]] = field(
        default_factory=lambda: defaultdict[object, list[tuple[Resource, Pod]]](list)
    )
    governing: dict[object, list[Manifest]] = field(
        default_factory=lambda: defaultdict[object, list[Manifest]](list)
    )
    everywhere: list[Manifest] = field(default_factory=list[Manifest])

    def near(self, manifest: Manifest) -> Iterator[tuple[Resource, Pod]]:
        """The pods that are in the namespace of ``manifest``, or may be."""
        yield from _near(self.pods, manifest)

    def governing_near(self, manifest: Manifest) -> Iterator[Manifest]:
        """The governing policies of the namespace of ``manifest``, or those that may be of it."""
        yield from _near(self.governing, manifest)
        yield from self.everywhere


class _Last:
    """The stack worked out last: a run judges one stack, resource by resource."""

    stack: Stack | None = None
    found: Cluster = Cluster()


def cluster(stack: Stack) -> Cluster:
    """The pods and policies of ``stack``."""
    if _Last.stack is not stack:
        _Last.found, _Last.stack = _cluster(stack), stack
    return _Last.found


def _cluster(stack: Stack) -> Cluster:
    found = Cluster()
    for resource in filter(is_object, stack.resources):
        taken = anatomy(resource)
        for pod in taken.pods:
            found.pods[_namespace(pod.manifest)].append((resource, pod))
        for manifest in taken.manifests:
            if is_policy(manifest) and governs_egress(manifest):
                if is_everywhere(manifest):
                    found.everywhere.append(manifest)
                else:
                    found.governing[_namespace(manifest)].append(manifest)
    return found


def _near(things: Mapping[object, list[T]], manifest: Manifest) -> Iterator[T]:
    here = _namespace(manifest)
    if here is UNKNOWN:
        for some in things.values():
            yield from some
        return
    for namespace in (here, UNKNOWN):
        yield from things.get(namespace, ())


def _namespace(manifest: Manifest) -> object:
    said = manifest.namespace
    return said if isinstance(said, str) else UNKNOWN
