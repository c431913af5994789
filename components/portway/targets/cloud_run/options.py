"""What only Cloud Run lets one set."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from portway.spec import Frozen


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


class CloudRunOptions(Frozen):
    """Options of a placement on Cloud Run."""

    gpu_zonal_redundancy: Annotated[
        bool,
        Field(description="hold GPUs in a second zone; dearer, and counted by a quota of its own"),
    ] = False
    cpu: Annotated[int, Field(description="vCPU of the model container: 4, 6 or 8")] = 8
    memory_gib: Annotated[int, Field(description="memory of the model container in GiB")] = 32
    invokers: Annotated[
        tuple[str, ...],
        BeforeValidator(_as_tuple),
        Field(description="IAM members that may call the service, with auth: iam"),
    ] = ()
    deletion_protection: Annotated[
        bool, Field(description="refuse to destroy or replace the service until set false")
    ] = False
    billing_account: Annotated[
        str | None,
        Field(
            description="Cloud Billing account that pays, for a budget such as 01AB23-45CD67-89EF01"
        ),
    ] = None
