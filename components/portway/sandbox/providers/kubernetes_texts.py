"""What the Kubernetes provider tells its user, in its own words around the API server's."""

from portway.sandbox.controlplane.errors import ApiError
from portway.sandbox.controlplane.objects import Ref, dig, plural
from portway.sandbox.faults import FaultKind
from portway.sandbox.providers.cloud import CloudError, Code, Outage, Request
from portway.sandbox.providers.kubernetes_names import kind_of

_CODES = {
    400: Code.INVALID_ARGUMENT,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.ALREADY_EXISTS,
    422: Code.INVALID_ARGUMENT,
}
_PAST = {"create": "created", "update": "updated", "read": "read", "delete": "deleted"}
_ADDRESS = "203.0.113.20:443"  # of a range kept for documentation: RFC 5737
_NOUNS = {"created": "creation", "updated": "update"}


def as_cloud_error(error: ApiError, text: str) -> CloudError:
    """The API's refusal as a clean failure: nothing was changed."""
    return CloudError(_CODES.get(error.code, Code.UNAVAILABLE), text)


def refused(verb: str, request: Request, error: ApiError) -> CloudError:
    """A write that the API refused; ``verb`` is ``created`` or ``updated``."""
    name = Ref.of(request.inputs).id
    text = (
        f"resource {name} was not successfully {verb} by the Kubernetes API server: {error.message}"
    )
    if error.message.startswith("no matches for kind"):
        text = (
            f"{_NOUNS[verb]} of resource {name} failed because the Kubernetes API server reported that "
            "the apiVersion for this resource does not exist. Verify that any required CRDs have been "
            f"created: {error.message}"
        )
    return as_cloud_error(error, text)


def not_live(verb: str, ref: Ref, reason: str) -> str:
    """A write that went through, and the object never worked."""
    return (
        f"resource {ref.id} was successfully {verb}, but the Kubernetes API server reported that it "
        f"failed to fully initialize or become live: {reason}"
    )


def denied(operation: str, request: Request) -> CloudError:
    """What RBAC says to somebody who may not do ``operation``."""
    ref = _ref(request)
    where = dig(request.inputs, "metadata", "namespace") or request.id.rpartition("/")[0]
    inside = f' in the namespace "{where}"' if where else " at the cluster scope"
    verb = {"update": "patch", "read": "get"}.get(operation, operation)
    return CloudError(
        Code.PERMISSION_DENIED,
        f'{ref.resource} is forbidden: User "sandbox" cannot {verb} resource '
        f'"{plural(ref.kind)}" in API group "{ref.group}"{inside}',
    )


def expired(operation: str, request: Request) -> CloudError:
    """A login that has ended, as client-go and the provider tell of it."""
    text = "the server has asked for the client to provide credentials"
    if operation == "configure":
        text = f"configured Kubernetes cluster is unreachable: {text}"
    else:
        text = f"resource {_ref(request).id} was not successfully {_PAST[operation]} by the Kubernetes API server: {text}"
    return CloudError(Code.UNAUTHENTICATED, text)


def outage(kind: FaultKind, operation: str, request: Request) -> Outage:
    """An API server that is away: asked again for a while, whatever keeps it from answering."""
    why = {
        FaultKind.REFUSED: f"dial tcp {_ADDRESS}: connect: connection refused",
        FaultKind.UNAVAILABLE: "the server is currently unable to handle the request",
    }.get(kind, "the server has received too many requests and has asked us to try again later")
    where = _ref(request).id
    return Outage(
        CloudError(
            Code.UNAVAILABLE,
            f"resource {where} was not successfully {_PAST[operation]} by the Kubernetes API server: {why}; "
            "configured Kubernetes cluster is unreachable",
        ),
        retried=True,
    )


def over_quota(request: Request) -> CloudError:
    """What a ResourceQuota on the number of objects says."""
    ref = _ref(request)
    key = f"count/{ref.resource}"
    return CloudError(
        Code.RESOURCE_EXHAUSTED,
        f'{ref.resource} "{ref.name}" is forbidden: exceeded quota: sandbox, requested: {key}=1, '
        f"used: {key}=1, limited: {key}=1",
    )


def _ref(request: Request) -> Ref:
    api_version, kind = kind_of(request.type) or ("", "Object")
    name = dig(request.inputs, "metadata", "name") or request.name
    return Ref(api_version, kind, str(name))
