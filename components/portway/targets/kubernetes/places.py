"""Where clusters can have GPU nodes, and the plainest placement of a spec there. Pure."""

from typing import Final

from portway.metering import limits_of_use
from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.kubernetes.nodes import flavour_of
from portway.targets.kubernetes.nodes import regions as sold

WITHOUT: Final = {"on-demand-nodes": {"spot": True}}
_CLUSTER: Final = "your-cluster"
_EKS_CLASS: Final = "gp3"


def regions() -> tuple[str, ...]:
    """Every region of every flavour that is known to have L4 nodes, sorted."""
    return tuple(sorted({region for theirs in sold().values() for region in theirs}))


def place(spec: InferenceServiceSpec, region: str) -> Placement:
    """In a cluster that the user has yet to name; with KEDA where no pod is kept, and EKS's usual disks."""
    options: dict[str, str] = {}
    if spec.scaling.min == 0:
        options["scale_to_zero"] = "keda"
        if spec.access.reach == "public":
            options["hostname"] = f"{spec.name}.example.com"
    if limits_of_use(spec) is not None and flavour_of(region) == "eks":
        options["storage_class"] = _EKS_CLASS
    return Placement(
        target="kubernetes", region=region, environment="prod", cluster=_CLUSTER, options=options
    )
