"""How pods and nodes belong together: several pods on a node, or a replica on several nodes."""

from typing import Final

from portway.gate.billing.cannot import CannotPrice
from portway.gate.billing.values import known, quantity
from portway.gate.resource import Resource
from portway.gate.values import Known, Missing, Unknown

PACKED: Final = 'metadata.annotations["portway.dev/pods-per-node"]'
SIZE: Final = "spec.leaderWorkerTemplate.size"
_LABELS: Final = (
    "spec.template.metadata.labels",
    "spec.leaderWorkerTemplate.leaderTemplate.metadata.labels",
)


def packed_on(resource: Resource) -> int:
    """How many such pods the workload itself says that a node holds; 0 where it says nothing."""
    seen = resource.properties.get(PACKED)
    if isinstance(seen, Missing):
        return 0
    if isinstance(seen, Unknown):
        raise CannotPrice(seen.path, f"{seen.path} is known only after deployment")
    return max(int(quantity(seen.value, seen.path)), 1)


def group_size(resource: Resource) -> int:
    """The nodes of one replica, where it is a group of pods that each take one."""
    size = known(resource, SIZE)
    return 1 if size is None else int(quantity(size, SIZE))


def labels_of(resource: Resource) -> object:
    """The labels of the pods of ``resource`` that Services lead to; None where nobody can know."""
    for path in _LABELS:
        seen = resource.properties.get(path)
        if isinstance(seen, Known):
            return seen.value
    return None
