"""What a front door looked up of its ends, which no gate without a login can see."""

from collections.abc import Mapping
from typing import Final

from portway.gate.resource import SERVICE_TYPE, Resource, Stack
from portway.gate.values import steps

_ROUTES: Final[Mapping[str, str]] = {
    "gcp:secretmanager/secretVersion:SecretVersion": "secretData",
    "kubernetes:core/v1:Secret": "stringData",
}
"""Where a front door keeps address and key of its ends, by the type that holds it."""


def is_of_ends(resource: Resource, path: str, stack: Stack) -> bool:
    """Whether the unknown value at ``path`` is what a front door looked up of its ends.

    A gate without a login cannot see the outputs of other stacks. A door says which ends it has and in
    which regions, which is judged, and each end is a stack that is judged itself. Only a secret of the
    door's own component counts, and only where nothing of this stack made it unknown.
    """
    kept = str(steps(path)[0])
    if _ROUTES.get(resource.type) != kept or (resource.depends_on or {}).get(kept):
        return False
    here: Resource | None = resource
    met: set[str] = set()
    while here is not None and here.urn not in met:
        if here.type == SERVICE_TYPE:
            return bool(here.properties.every("ends[].region"))
        met.add(here.urn)
        here = stack.by_urn.get(here.parent or "")
    return False
