"""Refusals of the ways in: names, gateways and pools. Pure."""

from collections.abc import Iterator

from portway.errors import Problem
from portway.spec import InferenceServiceSpec
from portway.targets.kubernetes.abilities import is_served
from portway.targets.kubernetes.options import Flavour, KubernetesOptions

AT = "placement.options"
GKE_POLICIES = "healthcheckpolicies.networking.gke.io"


def reasons(
    spec: InferenceServiceSpec, chosen: Flavour | None, options: KubernetesOptions
) -> Iterator[Problem]:
    """Why clients would not reach the service as asked, or others would."""
    yield from _hostname(spec, options)
    yield from _gateway(spec, chosen, options)
    yield from _pool(options)


def _hostname(spec: InferenceServiceSpec, options: KubernetesOptions) -> Iterator[Problem]:
    path = f"{AT}.hostname"
    public = spec.access.reach == "public"
    named = options.hostname is not None or options.gateway is not None
    if options.scale_to_zero and public and not named:
        yield Problem(
            path,
            "is not set, and with scale_to_zero: keda requests must arrive through KEDA's "
            "interceptor; name the host that your ingress forwards to "
            f"keda-add-ons-http-interceptor-proxy.{options.keda_namespace}:8080, or set "
            "access.reach: private",
        )
    if options.hostname is not None and not (options.scale_to_zero and public):
        yield Problem(
            path,
            f"is {options.hostname!r}, and only a public service with scale_to_zero: keda is reached "
            "by one; remove it",
        )
    elif options.hostname is not None and options.gateway is not None:
        yield Problem(
            path, f"is {options.hostname!r} beside gateway, which names the host; remove hostname"
        )


def _gateway(
    spec: InferenceServiceSpec, chosen: Flavour | None, options: KubernetesOptions
) -> Iterator[Problem]:
    if options.gateway is None:
        return
    path = f"{AT}.gateway"
    if spec.access.reach == "private":
        yield Problem(
            path,
            "is set beside access.reach: private, and nothing here tells whether that Gateway is reached "
            "from outside; remove gateway, or set access.reach: public",
        )
    if chosen == "gke" and not options.scale_to_zero and not is_served(options, GKE_POLICIES):
        yield Problem(
            path,
            f"needs {GKE_POLICIES} on gke, whose balancers otherwise ask the path / whether a pod is well "
            "and end answers after 30 s; add networking.gke.io to placement.options.crds",
        )
    if chosen == "gke" and options.gateway.proxies_in is not None:
        yield Problem(
            f"{path}.proxies_in",
            f"is {options.gateway.proxies_in!r}, and GKE's gateways are outside the cluster; remove it",
        )


def _pool(options: KubernetesOptions) -> Iterator[Problem]:
    path = f"{AT}.inference_pool"
    if options.inference_pool is None:
        return
    if options.gateway is None:
        yield Problem(
            path, "is set without gateway, and only its routes lead to a pool; set gateway"
        )
    if options.scale_to_zero is not None:
        yield Problem(
            path,
            "is set beside scale_to_zero: keda, and requests that KEDA's interceptor holds do not pass a "
            "pool; remove one of them",
        )
