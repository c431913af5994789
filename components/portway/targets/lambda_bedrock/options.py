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


class Guardrail(Frozen):
    """A guardrail that exists in the placement's region, at one of its numbered versions."""

    id: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]{1,64}$",
            description="the guardrail's id, such as gr1a2b3c4d5e; not its ARN",
        ),
    ]
    version: Annotated[
        str,
        Field(
            pattern=r"^[1-9][0-9]{0,7}$",
            description="a published version; DRAFT changes under a running service",
        ),
    ]


class ThrottleOption(Frozen):
    """What the API's stage lets in before it answers 429."""

    rate_per_second: Annotated[int, Field(ge=1, le=10_000, description="requests a second")]
    burst: Annotated[
        int, Field(ge=1, le=5_000, description="requests at once before the rate counts")
    ]


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
    bedrock_api: Annotated[
        Literal["auto", "converse", "openai"],
        Field(
            description="how the runtime calls the model: Bedrock's own OpenAI endpoint where the "
            "model has one (openai), or Converse; auto takes the former unless an option needs Converse"
        ),
    ] = "auto"
    cost_profile: Annotated[
        bool,
        Field(
            description="call the model through an application inference profile that carries the "
            "stack's tags, so that the bill tells its tokens apart"
        ),
    ] = False
    guardrail: Annotated[
        Guardrail | None,
        Field(description="apply this Bedrock guardrail to every prompt and answer"),
    ] = None
    kms_key_arn: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="encrypt log, keys, meter and environment under this key instead of AWS's own",
        ),
    ] = None
    edge: Annotated[
        Literal["function-url", "rest-api"],
        Field(
            description="the way in: a Lambda function URL, or an API Gateway REST API with streamed "
            "answers, which can be throttled and take a firewall"
        ),
    ] = "function-url"
    throttle: Annotated[
        ThrottleOption | None,
        Field(description="what the REST API lets in, with edge: rest-api"),
    ] = None
    waf_requests_per_five_minutes: Annotated[
        int | None,
        Field(
            ge=10,
            le=2_000_000_000,
            description="block an address that sends more, by AWS WAF, with edge: rest-api",
        ),
    ] = None
    dashboard: Annotated[
        bool,
        Field(
            description="write the service's signals as CloudWatch metrics and show them on a dashboard"
        ),
    ] = False
