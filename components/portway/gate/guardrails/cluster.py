"""Kubernetes: admission policies in CEL that hold pods, nodes, services and storage inside."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portway.gate.guardrails.document import TABLE, Document, Guardrail, uncovered
from portway.gate.tables import table
from portway.residency.boundary import Boundary

VAP = "kubernetes-vap"
_API = "admissionregistration.k8s.io/v1"
_WORKLOADS = (
    (("",), ("v1",), ("pods",), ("CREATE",)),
    (("apps",), ("v1",), ("deployments", "statefulsets", "daemonsets", "replicasets"), ("CREATE", "UPDATE")),
    (("batch",), ("v1",), ("jobs", "cronjobs"), ("CREATE", "UPDATE")),
)  # fmt: skip
_POD = (
    "object.kind == 'Pod' ? object.spec : object.kind == 'CronJob' ? "
    "object.spec.jobTemplate.spec.template.spec : object.spec.template.spec"
)
_TERMS = (
    "has(variables.pod.affinity) && has(variables.pod.affinity.nodeAffinity) && "
    "has(variables.pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution) ? "
    "variables.pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    ".nodeSelectorTerms : []"
)


def admission(boundary: Boundary) -> Guardrail:
    """A ValidatingAdmissionPolicy and its binding for each of pods, nodes, services and storage."""
    regions = sorted(boundary.regions)
    made = (
        _pods(boundary, regions),
        _nodes(boundary, regions),
        _services(boundary),
        _storage(boundary, regions),
    )
    documents = tuple(one for pair in made for one in pair)
    return Guardrail(VAP, documents, uncovered(VAP))


def inside(regions: Sequence[str]) -> str:
    """A CEL literal: an expression (RE2) that matches the regions and their zones, and nothing else."""
    names = "|".join(map(re.escape, regions)).replace("\\-", "-")
    return json.dumps(f"^({names})(-?[a-z])?$")


def _pods(boundary: Boundary, regions: Sequence[str]) -> Iterator[Document]:
    keys = json.dumps(table(TABLE)["topology"]["scheduling"])
    held = f"s.matches({inside(regions)})"
    selector = (
        f"has(variables.pod.nodeSelector) && {keys}.exists(k, k in variables.pod.nodeSelector && "
        f"{held.replace('s.matches', 'variables.pod.nodeSelector[k].matches')})"
    )
    affinity = (
        "size(variables.terms) > 0 && variables.terms.all(t, has(t.matchExpressions) && "
        f"t.matchExpressions.exists(e, e.key in {keys} && e.operator == 'In' && has(e.values) && "
        f"size(e.values) > 0 && e.values.all(s, {held})))"
    )
    variables = {"pod": _POD, "terms": _TERMS, "selected": selector, "required": affinity}
    validations = {
        f"must be held to nodes inside {boundary}: select, or require by node affinity, "
        f"{_first(keys)} in a region inside": "variables.selected || variables.required",
        "names its node, which no scheduler then chooses": "!has(variables.pod.nodeName)",
    }
    yield from _policy(boundary, "pods", _WORKLOADS, validations, variables, _workload_namespaces())


def _nodes(boundary: Boundary, regions: Sequence[str]) -> Iterator[Document]:
    key = _first(json.dumps(table(TABLE)["topology"]["scheduling"]))
    labels = "object.metadata.labels"
    # A node gets its label from the cloud only after it has joined.
    held = (
        f"!has({labels}) || !('{key}' in {labels}) || {labels}['{key}'].matches({inside(regions)})"
    )
    rules = (((("",), ("v1",), ("nodes",), ("CREATE", "UPDATE"))),)
    yield from _policy(boundary, "nodes", rules, {f"is in a region outside {boundary}": held})


def _services(boundary: Boundary) -> Iterator[Document]:
    spec = "object.spec"
    held = {
        f"leads to a name outside the cluster, which nobody knows to be inside {boundary}": (
            f"!has({spec}.type) || {spec}.type != 'ExternalName' || "
            f"(has({spec}.externalName) && {spec}.externalName.endsWith('.svc.cluster.local'))"
        ),
        f"takes addresses outside the cluster, which nobody knows to be inside {boundary}": (
            f"!has({spec}.externalIPs) || size({spec}.externalIPs) == 0"
        ),
    }
    rules = ((("",), ("v1",), ("services",), ("CREATE", "UPDATE")),)
    yield from _policy(boundary, "services", rules, held, None, _workload_namespaces())


def _storage(boundary: Boundary, regions: Sequence[str]) -> Iterator[Document]:
    keys = json.dumps(table(TABLE)["topology"]["storage"])
    held = (
        "!has(object.allowedTopologies) || object.allowedTopologies.all(t, "
        "!has(t.matchLabelExpressions) || t.matchLabelExpressions.all(e, "
        f"!(e.key in {keys}) || e.values.all(s, s.matches({inside(regions)}))))"
    )
    rules = ((("storage.k8s.io",), ("v1",), ("storageclasses",), ("CREATE", "UPDATE")),)
    message = f"keeps volumes in a zone outside {boundary}"
    yield from _policy(boundary, "storage", rules, {message: held})


def _policy(
    boundary: Boundary,
    what: str,
    rules: Sequence[tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]]],
    validations: Mapping[str, str],
    variables: Mapping[str, str] | None = None,
    resources: Mapping[str, Any] | None = None,
) -> Iterator[Document]:
    name = f"portway-{'-'.join(boundary.names)}-{what}"
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": list(groups),
                    "apiVersions": list(versions),
                    "resources": list(kinds),
                    "operations": list(operations),
                }
                for groups, versions, kinds, operations in rules
            ]
        },
    }
    if variables:
        spec["variables"] = [{"name": n, "expression": e} for n, e in variables.items()]
    spec["validations"] = [
        {"expression": expression, "message": message, "reason": "Forbidden"}
        for message, expression in validations.items()
    ]
    yield Document(name, _object("ValidatingAdmissionPolicy", name, spec))
    binding: dict[str, Any] = {"policyName": name, "validationActions": ["Deny"]}
    if resources:
        binding["matchResources"] = dict(resources)
    yield Document(name, _object("ValidatingAdmissionPolicyBinding", name, binding))


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def _workload_namespaces() -> dict[str, Any]:
    left_alone: list[str] = table(TABLE)["namespaces_left_alone"]
    by_name = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": left_alone}
    return {"namespaceSelector": {"matchExpressions": [by_name]}}


def _first(keys: str) -> str:
    first: str = json.loads(keys)[0]
    return first
