"""What every target's component does alike: API keys, documents of keys and routes, the contract's outputs."""

import json
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_random import RandomPassword

from portway.target import Deployed, End

KEY_LENGTH = 40
KEY_PREFIX = "pw-"


def make_keys(
    parent: pulumi.Resource, prefix: str, generations: Sequence[str]
) -> list[pulumi.Output[str]]:
    """One secret API key for each generation, in that order; made once and kept in the state."""
    opts = pulumi.ResourceOptions(parent=parent)
    passwords = [
        RandomPassword(f"{prefix}-key-{generation}", length=KEY_LENGTH, special=False, opts=opts)
        for generation in generations
    ]
    return [
        pulumi.Output.secret(pulumi.Output.concat(KEY_PREFIX, password.result))
        for password in passwords
    ]


def key_document(keys: Sequence[pulumi.Output[str]]) -> pulumi.Output[str]:
    """The secret text that the runtime reads: every key in it is valid."""
    return pulumi.Output.secret(
        pulumi.Output.all(*keys).apply(lambda found: json.dumps({"keys": found}))
    )


def route_document(
    ends: Sequence[End], opts: pulumi.ResourceOptions | None = None
) -> pulumi.Output[str]:
    """The secret text by which a door sends requests on: weights, and address and key of every end with one.

    Only ends with a weight are looked up: others may be gone.
    """
    weights = {end.stack: end.weight for end in ends}
    found = {end.stack: _looked_up(end.stack, opts) for end in ends if end.weight > 0}
    return pulumi.Output.secret(
        pulumi.Output.all(**found).apply(
            lambda known: json.dumps({"weights": weights, "ends": known}, sort_keys=True)
        )
    )


def _looked_up(stack: str, opts: pulumi.ResourceOptions | None) -> pulumi.Output[dict[str, str]]:
    """Address and key of an end, as its own stack has them."""
    full = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    found = pulumi.StackReference(full, opts=opts)
    return pulumi.Output.all(
        url=found.require_output("endpoint"), key=found.require_output("apiKey")
    )


def contract_outputs(deployed: Deployed) -> Mapping[str, pulumi.Output[str]]:
    """What a component registers; ``apiKey`` is absent where there is none."""
    key = {} if deployed.api_key is None else {"apiKey": deployed.api_key}
    return {
        "endpoint": deployed.endpoint,
        "region": deployed.region,
        "identity": deployed.identity,
        **key,
    }
