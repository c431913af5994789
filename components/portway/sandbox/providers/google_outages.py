"""Google's APIs while they are away, and a login that has ended, in the words of Google's provider.

It tries statuses 429, 500, 502 and 503 again until the operation's own time is over, and connections
that time out or are reset; one that is refused it does not (terraform-provider-google,
`transport/error_retry_predicates.go`).
"""

from portway.sandbox.faults import FaultKind
from portway.sandbox.providers.cloud import CloudError, Code, Outage, Request

_HOSTS = {
    "cloudrunv2": "run.googleapis.com/v2",
    "projects": "cloudresourcemanager.googleapis.com/v1",
    "secretmanager": "secretmanager.googleapis.com/v1",
    "serviceaccount": "iam.googleapis.com/v1",
}
_ADDRESS = "203.0.113.10:443"  # of a range kept for documentation: RFC 5737
_METHODS = {"create": "Post", "update": "Patch", "delete": "Delete"}
_DOING = {"create": "creating", "update": "updating", "delete": "deleting"}


def expired(operation: str, request: Request) -> CloudError:
    """A user's login that has ended; the token is fetched before anything else."""
    text = 'oauth2: "invalid_grant" "Token has been expired or revoked."'
    if operation != "configure":
        text = f"{_began(operation, request)}: {_call(operation, request, '')}: {text}"
    return CloudError(Code.UNAUTHENTICATED, text)


def outage(kind: FaultKind, operation: str, request: Request, where: str) -> Outage:
    """What the provider says in the end. ``where`` is the parent of the resource."""
    began = _began(operation, request)
    if kind is FaultKind.REFUSED:
        call = _call(operation, request, where)
        text = f"{began}: {call}: dial tcp {_ADDRESS}: connect: connection refused"
        return Outage(CloudError(Code.UNAVAILABLE, text))
    said = {
        FaultKind.UNAVAILABLE: "Error 503: The service is currently unavailable., backendError",
        FaultKind.THROTTLED: "Error 429: Resource has been exhausted (e.g. check quota)., rateLimitExceeded",
    }[kind]
    return Outage(CloudError(Code.UNAVAILABLE, f"{began}: googleapi: {said}"), retried=True)


def _began(operation: str, request: Request) -> str:
    kind = request.type.rsplit(":", 1)[-1]
    return f"Error {_DOING.get(operation, 'reading')} {kind}"


def _call(operation: str, request: Request, where: str) -> str:
    module, _, kind = request.type.split(":")[1].partition("/")
    host = _HOSTS.get(module, f"{module}.googleapis.com/v1")
    path = f"{where}/{kind}s" if where else f"{kind}s"
    return f'{_METHODS.get(operation, "Get")} "https://{host}/{path}?alt=json"'
