"""AWS's APIs while they are away, and a session that has ended, in the words of the AWS provider.

It tries statuses and throttles again up to 25 times, and connections that are refused up to 9
(AWS provider, `max_retries`; aws-sdk-go-base, `MaxNetworkRetryCount`).
"""

from portway.sandbox.faults import FaultKind
from portway.sandbox.providers import amazon_errors
from portway.sandbox.providers.cloud import CloudError, Code, Outage, Request

_STS = "operation error STS: GetCallerIdentity"
_NO_LONGER = "The security token included in the request is expired"
_ADDRESS = "203.0.113.20:443"  # of a range kept for documentation: RFC 5737
_ATTEMPTS, _NETWORK_ATTEMPTS = 25, 9


def expired(operation: str, request: Request) -> CloudError:
    """What STS says as the provider begins, and what a service says later."""
    if operation == "configure":
        number = amazon_errors.request_id(request.urn)
        text = (
            "unable to validate AWS credentials.\nDetails: validating provider credentials: retrieving caller "
            f"identity from STS: {_STS}, https response error StatusCode: 403, RequestID: {number}, "
            f"api error ExpiredToken: {_NO_LONGER}"
        )
    else:
        text = amazon_errors.envelope(
            request, operation, f"api error ExpiredTokenException: {_NO_LONGER}", 403
        )
    return CloudError(Code.UNAUTHENTICATED, text)


def outage(kind: FaultKind, operation: str, request: Request, region: str) -> Outage:
    """What the provider says once it gives up."""
    if kind is FaultKind.REFUSED:
        said, status, tried = _refused(request, region), 0, _NETWORK_ATTEMPTS
    elif kind is FaultKind.THROTTLED:
        said, status, tried = "api error ThrottlingException: Rate exceeded", 400, _ATTEMPTS
    else:
        said = "api error ServiceUnavailableException: Service Unavailable"
        status, tried = 503, _ATTEMPTS
    text = amazon_errors.envelope(request, operation, said, status)
    marked = text.replace(
        ", https response", f", exceeded maximum number of attempts, {tried}, https response", 1
    )
    return Outage(CloudError(Code.UNAVAILABLE, marked), retried=True)


def _refused(request: Request, region: str) -> str:
    service = request.type.split(":")[1].split("/")[0]
    if service == "providers":
        service = "sts"
    host = "iam.amazonaws.com" if service == "iam" else f"{service}.{region}.amazonaws.com"
    return f'request send failed, Post "https://{host}/": dial tcp {_ADDRESS}: connect: connection refused'
