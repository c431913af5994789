"""What a plan for Kubernetes holds: literals, and the objects themselves as the API takes them."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import JsonValue

from portway.target import Plan
from portway.targets.kubernetes.options import Flavour

Object = dict[str, JsonValue]


class KubernetesPlan(Plan):
    """A service in one cluster, with all that it needs.

    Attributes:
        cluster: kubeconfig context.
        namespace: created with the service, and deleted with it.
        name: of every object that has no role in its name.
        node: machine type of the GPU nodes; None where the cluster's own choice counts.
        node_usd_per_hour: for nodes with no public rate.
        spot: only spot nodes (True) or none of them (False).
        cluster_version: release that the cluster is said to have.
        gpus_per_replica: GPUs, or slices of them, of one replica on all its nodes.
        surge: replicas that a rollout may run beside ``max_replicas``.
        nodes_per_replica: nodes that one replica is spread over.
        replicas_per_node: replicas that share one node, where each takes a slice of a GPU.
        min_replicas: pods kept running.
        max_replicas: pods at most.
        concurrency: requests one pod serves at once.
        context_tokens: what vLLM is started with; the catalogue's, the same on every target.
        startup_seconds: how long the model may take to load before its container is restarted.
        ready_within_seconds: how long a rollout may take, new nodes and image pulls included.
        code_sha256: of the runtime's zip, the content of the ConfigMap ``runtime``.
        known_endpoint: the address inside the cluster, or of the interceptor's public name; None
            where the load balancer's address is the endpoint and is known only once it exists.
        objects: by role, every object but for what only the deployment knows: the ConfigMap's
            ``binaryData`` and the Secret's ``stringData``.
    """

    cluster: str
    flavour: Flavour
    namespace: str
    name: str
    node: str | None
    node_usd_per_hour: Decimal | None
    spot: bool
    gpu: str
    cluster_version: str
    gpus_per_replica: int
    surge: int
    nodes_per_replica: int
    replicas_per_node: int
    min_replicas: int
    max_replicas: int
    concurrency: int
    context_tokens: int
    startup_seconds: int
    ready_within_seconds: int
    code_sha256: str
    known_endpoint: str | None
    port: int
    objects: Mapping[str, Object]
