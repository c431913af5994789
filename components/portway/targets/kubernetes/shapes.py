"""What a plan for Kubernetes holds: literals, and the objects themselves as the API takes them."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import JsonValue

from portway.target import End, Plan
from portway.targets.kubernetes.options import Flavour

Object = dict[str, JsonValue]


class ClusterPlan(Plan):
    """What runs in one cluster, with all that it needs, in a namespace of its own.

    Attributes:
        cluster: kubeconfig context.
        namespace: created with it, and deleted with it.
        name: of every object that has no role in its name.
        max_replicas: pods at most.
        concurrency: requests one pod serves at once.
        ready_within_seconds: how long a rollout may take, new nodes and image pulls included.
        code_sha256: of the runtime's zip, the content of the ConfigMap ``runtime``.
        known_endpoint: the address inside the cluster, or a public name that leads there; None
            where the load balancer's address is the endpoint and is known only once it exists.
        port: that clients call.
        objects: by role, every object but for what only the deployment knows: the ConfigMap's
            ``binaryData`` and the Secrets' ``stringData``.
    """

    cluster: str
    flavour: Flavour
    namespace: str
    name: str
    max_replicas: int
    concurrency: int
    ready_within_seconds: int
    code_sha256: str
    known_endpoint: str | None
    port: int
    objects: Mapping[str, Object]


class KubernetesDoorPlan(ClusterPlan):
    """A reverse proxy in a cluster that sends requests on by weight.

    Attributes:
        ends: what it leads to; weights may change without anything else.
    """

    ends: tuple[End, ...]


class KubernetesPlan(ClusterPlan):
    """A service in one cluster.

    Attributes:
        node: machine type of the GPU nodes; None where the cluster's own choice counts.
        node_usd_per_hour: for nodes with no public rate.
        spot: only spot nodes (True) or none of them (False).
        cluster_version: release that the cluster is said to have.
        gpus_per_replica: GPUs, or slices of them, of one replica on all its nodes.
        surge: replicas that a rollout may run beside ``max_replicas``.
        nodes_per_replica: nodes that one replica is spread over.
        replicas_per_node: replicas that share one node, where each takes a slice of a GPU.
        min_replicas: pods kept running.
        context_tokens: what vLLM is started with; the catalogue's, the same on every target.
        startup_seconds: how long the model may take to load before its container is restarted.
    """

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
    context_tokens: int
    startup_seconds: int
