"""Which of the two clusters answers: a running API server, or the store."""

from portway.sandbox.controlplane.api import KubeApi
from portway.sandbox.controlplane.cluster import KUBECONFIG, RealCluster
from portway.sandbox.controlplane.objects import Ref
from portway.sandbox.controlplane.parts import CONTEXT
from portway.sandbox.controlplane.server import ServerApi
from portway.sandbox.controlplane.stored import StoredApi
from portway.sandbox.layout import Layout
from portway.sandbox.store import Row, Store


def connect(layout: Layout, store: Store, context: str, urn: str = "") -> KubeApi:
    """The cluster called ``context``.

    A kubeconfig in the sandbox's folder means that a control plane was started: then nothing else is
    asked; the sandbox's own one stands for every context name at once. Without one the store is the
    cluster, and every context name is a cluster of its own.

    Raises:
        Missing: there is a kubeconfig, and no API server behind it.
    """
    kubeconfig = layout.root / KUBECONFIG
    if kubeconfig.exists():
        own = RealCluster(layout).is_chosen
        return ServerApi.connect(kubeconfig, CONTEXT if own else context)
    return StoredApi(store, context, urn)


def remove(layout: Layout, store: Store, row: Row) -> None:
    """Take ``row`` out of its cloud, whatever made it; out of a real cluster too.

    Raises:
        Missing: the real cluster does not answer.
        ApiError: it refuses.
    """
    if row.key.cloud == "kubernetes" and (layout.root / KUBECONFIG).exists():
        api = connect(layout, store, row.key.scope)
        _, group, kind = row.key.type.split(":")
        namespace, _, name = row.key.id.rpartition("/")
        api.delete(Ref(group.removeprefix("core/"), kind, name, namespace or None))
    store.delete(row.key)
