"""A ValidatingAdmissionPolicy evaluated as an API server does, with Google's own CEL."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from cel_expr_python import cel


def refusals(policy: Mapping[str, Any], obj: Mapping[str, Any]) -> list[str]:
    """The messages of the validations that ``obj`` fails; an expression that breaks refuses too."""
    spec = policy["spec"]
    said: dict[str, Any] = {}
    for variable in spec.get("variables", ()):
        said[variable["name"]] = _value(variable["expression"], obj, said)
    return [
        one["message"]
        for one in spec["validations"]
        if _value(one["expression"], obj, said) is not True
    ]


def matches(policy: Mapping[str, Any], group: str, resource: str, operation: str) -> bool:
    """Whether the policy is asked about this operation."""
    return any(
        group in rule["apiGroups"]
        and resource in rule["resources"]
        and operation in rule["operations"]
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]
    )


def _value(expression: str, obj: Mapping[str, Any], variables: Mapping[str, Any]) -> Any:
    result = _compiled(expression).eval(data={"object": obj, "variables": dict(variables)})
    return result.plain_value()


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


@cache
def _environment() -> Any:
    return cel.NewEnv(variables={"object": cel.Type.DYN, "variables": cel.Type.DYN})


def pod_of(template: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """An object of ``kind`` whose pods are ``template``."""
    spec: Mapping[str, Any] = {"template": {"spec": template}}
    by_kind: Mapping[str, Mapping[str, Any]] = {
        "Pod": template,
        "CronJob": {"jobTemplate": {"spec": spec}},
    }
    return {"kind": kind, "metadata": {"name": "chat"}, "spec": by_kind.get(kind, spec)}


KINDS: Sequence[str] = (
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Job",
    "CronJob",
)
