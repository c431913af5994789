"""What a cluster says of an object before it is made."""

from portway.sandbox.controlplane.api import KubeApi
from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.install import PREVIEWS
from portway.sandbox.controlplane.objects import Object, Ref, object_at
from portway.sandbox.providers.cloud import Request
from portway.sandbox.providers.kubernetes_names import manager
from portway.sandbox.providers.kubernetes_patience import is_of

NOT_FOUND = 404
_WRONG = frozenset({400, 422})


def dry_run(api: KubeApi, request: Request, *, force: bool) -> None:
    """Have the cluster judge ``request`` and change nothing.

    What fails only because the deployment has not begun is fine: the namespace or the definition may be
    made first, and a replaced object is still there. An object whose namespace is not there yet is
    judged as if it went into another one.

    Raises:
        ApiError: it would be refused.
    """
    mine = manager(request.urn)
    try:
        if request.id:
            api.apply(request.inputs, field_manager=mine, dry_run=True, force=force)
        else:
            api.create(request.inputs, field_manager=mine, dry_run=True)
    except ApiError as error:
        if error.code == NOT_FOUND:
            _elsewhere(api, request.inputs, mine)
        elif error.reason != "AlreadyExists" or not is_of(
            api.get(Ref.of(request.inputs)) or {}, mine
        ):
            raise


def _elsewhere(api: KubeApi, inputs: Object, mine: str) -> None:
    """Judge what is wrong with the object itself; who may do what is another namespace's business."""
    metadata = object_at(inputs, "metadata")
    if metadata.get("namespace") is None:
        return
    moved = {**inputs, "metadata": {**metadata, "namespace": PREVIEWS}}
    try:
        api.apply(moved, field_manager=mine, dry_run=True, force=True)
    except ApiError as error:
        if error.code in _WRONG:
            raise


def lives_in_namespace(api: KubeApi, inputs: Object) -> bool:
    """Whether objects of that kind live in a namespace; not of a kind that nobody knows yet."""
    try:
        return api.is_namespaced(str(inputs["apiVersion"]), str(inputs["kind"]))
    except ApiError as error:
        if error.code != NOT_FOUND:
            raise
        return False
