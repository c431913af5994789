"""What only Lambda with Bedrock lets one set."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from portway.spec import Frozen


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _recovery(days: int) -> int:
    if days != 0 and not 7 <= days <= 30:  # noqa: PLR2004 - CreateSecret's own bounds
        raise ValueError(f"is {days}; write 0, or 7 to 30")
    return days


RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
]  # fmt: skip
"""What CloudWatch Logs accepts for ``PutRetentionPolicy``."""


class LambdaBedrockOptions(Frozen):
    """Options of a placement on Lambda with Bedrock."""

    architecture: Literal["arm64", "x86_64"] = "arm64"
    memory_mb: Annotated[
        int, Field(ge=128, le=10240, description="memory of the function in MB; CPU grows with it")
    ] = 1024
    inference_profile: Annotated[
        str | None,
        Field(
            max_length=128,
            description="call the model through this cross-region profile, such as eu.<model id>",
        ),
    ] = None
    invokers: Annotated[
        tuple[str, ...],
        BeforeValidator(_as_tuple),
        Field(description="AWS principals that may call the function URL, with auth: iam"),
    ] = ()
    log_retention_days: RetentionDays = 30
    secret_recovery_days: Annotated[
        int,
        AfterValidator(_recovery),
        Field(description="how long a deleted key secret blocks its name; 0 frees it at once"),
    ] = 0
    shared_account: Annotated[
        bool,
        Field(
            description="others use Bedrock in this account and region, so that the budget in AWS's "
            "books counts what carries the stack's tag, and no tokens"
        ),
    ] = False
