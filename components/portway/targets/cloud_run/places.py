"""Where Cloud Run is sold with GPUs, and the plainest placement of a spec there. Pure."""

from typing import Any, Final

from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.cloud_run.refusals import regions as sold

WITHOUT: Final = {"zonal-redundancy": {"gpu_zonal_redundancy": False}}
_PROJECT: Final = "your-project"
_ACCOUNT: Final = "000000-000000-000000"
_CALLER: Final = f"serviceAccount:caller@{_PROJECT}.iam.gserviceaccount.com"


def regions() -> tuple[str, ...]:
    """Every region that sells the L4, sorted."""
    return tuple(sorted(sold()))


def place(spec: InferenceServiceSpec, region: str) -> Placement:
    """In a project, with a caller and a payer, that the user has yet to name."""
    options: dict[str, Any] = {"invokers": [_CALLER]} if spec.access.auth == "iam" else {}
    if spec.budget is not None and spec.budget.alert_emails:
        options["billing_account"] = _ACCOUNT
    return Placement(
        target="cloud-run",
        region=region,
        environment="prod",
        options=options,
        settings={"gcp:project": _PROJECT},
    )
