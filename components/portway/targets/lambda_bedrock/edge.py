"""The way in: a function URL, or an API Gateway REST API with streamed answers. Pure."""

from collections.abc import Iterator
from typing import Final

from portway.naming import Names
from portway.spec import InferenceServiceSpec
from portway.targets.lambda_bedrock.options import LambdaBedrockOptions
from portway.targets.lambda_bedrock.shapes import Firewall, RestEdge, Throttle, UrlPermission

STAGE: Final = "live"
FIREWALL_SECONDS: Final = 300
"""The window in which AWS WAF counts the requests of an address (its default)."""

IDLE_SECONDS: Final = 300
"""Of a regional REST API with response streaming: silence that ends an answer (API Gateway,
response transfer mode)."""


def rest_edges(
    spec: InferenceServiceSpec, names: Names, options: LambdaBedrockOptions, timeout_seconds: int
) -> tuple[RestEdge, ...]:
    """The REST API, where it is the way in. ``timeout_seconds``: of the function behind it."""
    if options.edge != "rest-api":
        return ()
    throttle, limit = options.throttle, options.waf_requests_per_five_minutes
    return (
        RestEdge(
            name=names.physical("api", limit=128),
            stage=STAGE,
            authorization="NONE" if spec.access.auth == "api-key" else "AWS_IAM",
            invokers=options.invokers,
            timeout_milliseconds=timeout_seconds * 1000,
            throttles=()
            if throttle is None
            else (Throttle(rate_per_second=throttle.rate_per_second, burst=throttle.burst),),
            firewalls=()
            if limit is None
            else (
                Firewall(
                    name=names.physical("firewall", limit=128),
                    limit=limit,
                    window_seconds=FIREWALL_SECONDS,
                ),
            ),
        ),
    )


def url_permissions(invokers: tuple[str, ...]) -> Iterator[UrlPermission]:
    """Who may call the URL: the invokers, or everybody where there are none and keys decide.

    A function URL made since October 2025 needs both (Lambda, urls-auth).
    """
    url_auth = "AWS_IAM" if invokers else "NONE"
    for number, principal in enumerate(invokers or ("*",), start=1):
        yield UrlPermission(
            statement_id=f"url-{number}",
            action="lambda:InvokeFunctionUrl",
            principal=principal,
            url_auth_type=url_auth,
            invoked_via_url=None,
        )
        yield UrlPermission(
            statement_id=f"invoke-{number}",
            action="lambda:InvokeFunction",
            principal=principal,
            url_auth_type=None,
            invoked_via_url=True,
        )
