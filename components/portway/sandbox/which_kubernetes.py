"""Which Kubernetes a sandbox has: the embedded API, or a real control plane; chosen once, then kept.

Neither is left while something is deployed there: a stack's state would speak of a cluster that is gone.
"""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from portway.engine.go_tool import find_go
from portway.engine.progress import Progress, silent
from portway.errors import BadInput, Missing, Problem
from portway.sandbox.controlplane.cluster import RealCluster
from portway.sandbox.controlplane.programs import (
    KUBERNETES_VERSION,
    Programs,
    ensure_programs,
    find_programs,
)
from portway.sandbox.layout import Layout
from portway.sandbox.store import Store

START = "portway sandbox start --kubernetes"


class Kubernetes(StrEnum):
    """The two of them, as they are written on the command line."""

    EMBEDDED = "embedded"
    REAL = "real"


@dataclass(frozen=True)
class Used:
    """Which one a sandbox has.

    Attributes:
        which: the one in use.
        why: why that one, and what could be done for the other, for people.
        running: names of the real one's processes.
    """

    which: Kubernetes
    why: str
    running: tuple[str, ...] = ()


def used(layout: Layout) -> Used:
    """Which Kubernetes the sandbox has now, and why."""
    cluster = RealCluster(layout)
    if cluster.is_chosen:
        return Used(
            Kubernetes.REAL,
            f"a control plane {KUBERNETES_VERSION} of its own was started; `{START} embedded` leaves it",
            tuple(cluster.running()),
        )
    if cluster.kubeconfig.is_file():
        return Used(Kubernetes.REAL, f"{cluster.kubeconfig} leads to an API server on loopback")
    if find_programs() is not None:
        return Used(
            Kubernetes.EMBEDDED,
            f"nothing else was asked for; `{START} real` uses the {KUBERNETES_VERSION} that is built",
        )
    if find_go() is not None:
        why = f"no control plane is built; `{START} real` builds one (about 5 minutes)"
        return Used(Kubernetes.EMBEDDED, why)
    why = "there is no Go on PATH to build a real control plane with (https://go.dev/dl/)"
    return Used(Kubernetes.EMBEDDED, why)


def best(layout: Layout) -> Kubernetes | None:
    """The real one where it is built and nothing is deployed in the other; else what there is (None)."""
    if find_programs() is None or RealCluster(layout).kubeconfig.is_file():
        return None
    if layout.store.is_file() and Store(layout.store).all(cloud="kubernetes"):
        return None
    return Kubernetes.REAL


def needs_a_new_daemon(layout: Layout, wanted: Kubernetes | None) -> bool:
    """Whether a daemon that runs serves the other one than is ``wanted``."""
    chosen = RealCluster(layout).is_chosen
    return wanted is not None and chosen != (wanted is Kubernetes.REAL)


def check_choice(layout: Layout, store: Store, wanted: Kubernetes | None) -> None:
    """Refuse to leave a cluster in which something is deployed.

    Raises:
        BadInput: something is; says what to do.
    """
    if not needs_a_new_daemon(layout, wanted):
        return
    deployed = sum(row.key.cloud == "kubernetes" for row in store.all())
    if deployed:
        now = used(layout).which
        raise BadInput(
            [
                Problem(
                    "--kubernetes",
                    f"{deployed} objects are deployed in the {now} cluster of {shlex.quote(str(layout.root))}; "
                    "run `pulumi destroy` for their stacks first, or use a copy of the project",
                )
            ]
        )


def prepare(layout: Layout, wanted: Kubernetes | None, progress: Progress = silent) -> bool:
    """Have the cluster that is ``wanted`` run (None: the one chosen before); False when it did already.

    Raises:
        Missing: the real one cannot be built or does not start; says what to do.
    """
    cluster = RealCluster(layout)
    if wanted is Kubernetes.EMBEDDED:
        if cluster.is_chosen:
            cluster.forget()
        return False
    if wanted is None and not cluster.is_chosen:
        return False
    if wanted is Kubernetes.REAL and cluster.kubeconfig.is_file() and not cluster.is_chosen:
        raise Missing(f"{cluster.kubeconfig} leads to another cluster; remove it to have one made")
    programs = ensure_programs(progress) if wanted is Kubernetes.REAL else _built(layout.root)
    return cluster.start(programs, progress)


def _built(root: Path) -> Programs:
    found = find_programs()
    if found is None:
        raise Missing(
            f"the sandbox in {root} has a real Kubernetes, and its programs are not built any more; "
            f"run `{START} real` to build them, or `{START} embedded` to do without"
        )
    return found
