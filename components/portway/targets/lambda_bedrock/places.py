"""Where Lambda and Bedrock are sold, and the plainest placement of a spec there. Pure."""

from typing import Final

from portway.spec import InferenceServiceSpec
from portway.target import Placement
from portway.targets.lambda_bedrock.refusals import regions as sold

_CALLER: Final = "arn:aws:iam::123456789012:role/caller"


def regions() -> tuple[str, ...]:
    """Every region with both services, sorted."""
    return tuple(sorted(sold()))


def place(spec: InferenceServiceSpec, region: str) -> Placement:
    """With a caller that the user has yet to name, and the model called in its own region."""
    options = {"invokers": [_CALLER]} if spec.access.auth == "iam" else {}
    settings = {"aws:region": region}
    return Placement(
        target="lambda-bedrock",
        region=region,
        environment="prod",
        options=options,
        settings=settings,
    )
