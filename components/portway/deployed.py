"""What every target's component does alike: API keys, their document, the outputs of the contract."""

import json
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_random import RandomPassword

from portway.target import Deployed

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


def contract_outputs(deployed: Deployed) -> Mapping[str, pulumi.Output[str]]:
    """What a component registers; ``apiKey`` is absent where there is none."""
    key = {} if deployed.api_key is None else {"apiKey": deployed.api_key}
    return {
        "endpoint": deployed.endpoint,
        "region": deployed.region,
        "identity": deployed.identity,
        **key,
    }
