"""parliament's findings on an IAM policy: actions, resources and condition keys that IAM knows."""

import warnings
from importlib import import_module
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)  # it leaves its definitions open at import
    _parliament: Any = import_module("parliament")


def findings(policy: str) -> list[str]:
    """What parliament says of the policy, ``ISSUE: detail``, but for what it cannot judge.

    Bedrock's actions take any one of several kinds of resource; parliament asks for all of them.
    """
    return [
        f"{one.issue}: {one.detail}"
        for one in _parliament.analyze_policy_string(policy).findings
        if not _is_beyond_it(one.issue, one.detail)
    ]


def _is_beyond_it(issue: str, detail: Any) -> bool:
    """Its definitions are older than the condition key that holds a role to a guardrail."""
    if issue == "UNKNOWN_CONDITION_FOR_ACTION":
        return "bedrock:GuardrailIdentifier" in str(detail)
    return issue == "RESOURCE_MISMATCH" and _is_bedrock(detail)


def _is_bedrock(detail: list[dict[str, Any]]) -> bool:
    return all(each["action"].startswith("bedrock:") for each in detail)
