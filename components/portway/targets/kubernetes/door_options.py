"""What only a front door on Kubernetes lets one set."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from portway.spec import Frozen
from portway.targets.kubernetes.choices import DNS_LABEL, DNS_NAME, GatewayOption
from portway.targets.kubernetes.options import Flavour, KubernetesOptions, as_tuple

MAX_CONCURRENCY: Final = 1000
"""One Python process answers each request on a thread of its own; on Cloud Run it gets as many at most."""

CIDR: Final = r"^[0-9a-fA-F.:]{2,39}/[0-9]{1,3}$"


class KubernetesDoorOptions(Frozen):
    """Options of a door on Kubernetes."""

    flavour: Annotated[
        Flavour | None,
        Field(description="gke, eks or plain; without it the region decides between gke and eks"),
    ] = None
    crds: Annotated[
        tuple[Annotated[str, Field(pattern=DNS_NAME, max_length=253)], ...] | None,
        BeforeValidator(as_tuple),
        Field(description="API groups beyond Kubernetes' own that the cluster serves"),
    ] = None
    gateway: Annotated[
        GatewayOption | None,
        Field(description="the Gateway that takes clients' https; a load balancer's http without"),
    ] = None
    namespace: Annotated[
        str | None,
        Field(
            pattern=DNS_LABEL,
            description="namespace to create; <service>-<environment>-door without",
        ),
    ] = None
    replicas: Annotated[
        int, Field(ge=1, le=20, description="pods; counts are exact with 1 alone")
    ] = 1
    concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_CONCURRENCY,
            description="requests that one pod passes on at once; twice what the service's own "
            "scaling allows without, because both ends of a move answer",
        ),
    ] = None
    networks: Annotated[
        tuple[Annotated[str, Field(pattern=CIDR)], ...],
        BeforeValidator(as_tuple),
        Field(
            description="address ranges that ends are at; without, the door reaches every public "
            "address, which the residency pack advises against"
        ),
    ] = ()

    def of_service(self) -> KubernetesOptions:
        """What of them says how objects of any service are made."""
        return KubernetesOptions(
            flavour=self.flavour, crds=self.crds, gateway=self.gateway, namespace=self.namespace
        )
