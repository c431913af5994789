"""Which pods a network policy is about, and what it opens, in the words of each kind of policy."""

from collections.abc import Mapping
from typing import Any

import pytest

from portway.gate.policy_pods import selects
from portway.gate.resource import Resource
from portway.gate.testing import judge
from portway.gate.testing import provider as cluster
from portway.gate.testing import resource as given
from portway.gate.values import UNKNOWN, View
from portway.gate.workloads import anatomy
from support.packs import POLICIES

OWN = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
CALICO = "kubernetes:projectcalico.org/v3:NetworkPolicy"
EVERYWHERE = "kubernetes:projectcalico.org/v3:GlobalNetworkPolicy"
CILIUM = "kubernetes:cilium.io/v2:CiliumNetworkPolicy"
RULE = "residency-cluster-egress-is-named"


def made(token: str, props: Mapping[str, Any]) -> Any:
    return anatomy(Resource(f"urn:{token}", "it", token, View(props)))


def pod(labels: object, namespace: object = "web") -> Any:
    meta: dict[str, Any] = {"namespace": namespace, "labels": labels}
    props: dict[str, Any] = {"metadata": meta, "spec": {"containers": [{}]}}
    (found,) = made("kubernetes:core/v1:Pod", props).pods
    return found


def policy(token: str, spec: Mapping[str, Any], namespace: object = "web") -> Any:
    (found,) = made(token, {"metadata": {"namespace": namespace}, "spec": spec}).manifests
    return found


def by(operator: object, values: object = None, key: object = "app") -> dict[str, Any]:
    one = {"key": key, "operator": operator, "values": values}
    return {"podSelector": {"matchExpressions": [one]}}


LLM = {"app": "llm", "tier": "gpu"}


@pytest.mark.parametrize(
    ("token", "spec", "labels", "answer"),
    [
        (OWN, {}, LLM, True),
        (OWN, {"podSelector": {}}, UNKNOWN, True),
        (OWN, {"podSelector": UNKNOWN}, LLM, None),
        (OWN, {"podSelector": {"matchLabels": {"app": "llm"}}}, LLM, True),
        (OWN, {"podSelector": {"matchLabels": {"app": "llm", "tier": "cpu"}}}, LLM, False),
        (OWN, {"podSelector": {"matchLabels": {"app": "web"}}}, {}, False),
        (OWN, {"podSelector": {"matchLabels": {"app": UNKNOWN}}}, LLM, None),
        (OWN, {"podSelector": {"matchLabels": UNKNOWN}}, LLM, None),
        (OWN, {"podSelector": {"matchLabels": {"app": "llm"}}}, UNKNOWN, None),
        (OWN, {"podSelector": {"matchLabels": {"app": "llm"}}}, {"app": UNKNOWN}, None),
        (OWN, by("In", ["web", "llm"]), LLM, True),
        (OWN, by("In", ["web"]), LLM, False),
        (OWN, by("In", [None]), {}, False),
        (OWN, by("NotIn", ["web"]), LLM, True),
        (OWN, by("NotIn", ["llm"]), LLM, False),
        (OWN, by("NotIn", ["llm"]), {}, True),
        (OWN, by("Exists"), LLM, True),
        (OWN, by("Exists"), {}, False),
        (OWN, by("DoesNotExist"), LLM, False),
        (OWN, by("DoesNotExist"), {}, True),
        (OWN, by("Near", ["llm"]), LLM, None),
        (OWN, by(UNKNOWN, ["llm"]), LLM, None),
        (OWN, by("In", UNKNOWN), LLM, None),
        (OWN, by("In", [UNKNOWN]), LLM, None),
        (OWN, by("In", ["llm"], UNKNOWN), LLM, None),
        (OWN, by("In", ["llm"]), {"app": UNKNOWN}, None),
        (CALICO, {"selector": "all()"}, LLM, True),
        (CALICO, {"selector": ""}, LLM, True),
        (CALICO, {}, LLM, True),
        (CALICO, {"selector": "app == 'llm'"}, LLM, True),
        (CALICO, {"selector": "app == 'web'"}, LLM, False),
        (CALICO, {"selector": 'app == "llm" && has(tier)'}, LLM, True),
        (CALICO, {"selector": "app == 'llm' && has(zone)"}, LLM, False),
        (CALICO, {"selector": "app in {'llm'}"}, LLM, None),
        (CALICO, {"selector": "app == 'llm'"}, UNKNOWN, None),
        (CALICO, {"selector": "app == 'llm'"}, {"app": UNKNOWN}, None),
        (CALICO, {"selector": UNKNOWN}, LLM, None),
        (CILIUM, {"endpointSelector": {"matchLabels": {"k8s:app": "llm"}}}, LLM, True),
        (CILIUM, {"endpointSelector": {"matchLabels": {"any:app": "web"}}}, LLM, False),
        (CILIUM, {"nodeSelector": {}}, LLM, True),
        (CILIUM, {}, LLM, None),
    ],
)
def test_a_policy_is_about_the_pods_that_its_selector_matches(
    token: str, spec: Mapping[str, Any], labels: object, answer: object
) -> None:
    assert selects(policy(token, spec), pod(labels)) is answer


@pytest.mark.parametrize(
    ("token", "here", "there", "answer"),
    [
        (OWN, "web", "web", True),
        (OWN, "web", "llm", False),
        (OWN, UNKNOWN, "llm", None),
        (OWN, UNKNOWN, UNKNOWN, None),
        (CALICO, "web", "llm", False),
        (EVERYWHERE, "web", "llm", True),
    ],
)
def test_a_policy_is_about_pods_of_its_namespace_or_of_all(
    token: str, here: object, there: object, answer: object
) -> None:
    assert selects(policy(token, {}, here), pod(LLM, there)) is answer


OUT = ["Egress"]
WORLD, INSIDE = "0.0.0.0/0", "10.0.0.0/8"


@pytest.mark.parametrize(
    ("token", "spec", "paths"),
    [
        (CALICO, {"types": OUT, "egress": [{"action": "Allow", "destination": {"nets": [WORLD]}}]},
         ["spec.egress[0].destination.nets[0]"]),
        (CALICO, {"types": OUT, "egress": [{"action": "Allow", "destination": {"nets": [INSIDE]}}]}, []),
        (CALICO, {"types": OUT, "egress": [{"action": "Deny", "destination": {"nets": [WORLD]}}]}, []),
        (CALICO, {"types": ["Ingress"], "egress": [{"action": "Allow"}]}, []),
        (CILIUM, {"endpointSelector": {}, "egress": [{"toCIDR": [INSIDE, WORLD]}]},
         ["spec.egress[0].toCIDR[1]"]),
        (CILIUM, {"endpointSelector": {}, "egress": [{"toCIDR": [INSIDE]}]}, []),
        (CILIUM, {"endpointSelector": {}, "egress": [{"toCIDRSet": [{"cidr": WORLD}]}]},
         ["spec.egress[0].toCIDRSet[0].cidr"]),
        (CILIUM, {"endpointSelector": {}, "egress": [{"toEntities": ["cluster", "world"]}]},
         ["spec.egress[0].toEntities[1]"]),
        (OWN, {"policyTypes": OUT, "egress": [{"to": [{"ipBlock": {"cidr": INSIDE}}]}]}, []),
        (OWN, {"policyTypes": OUT, "egress": [{"to": [{"ipBlock": {"cidr": "::/0"}}]}]},
         ["spec.egress[0].to[0].ipBlock.cidr"]),
    ],
)  # fmt: skip
def test_a_policy_is_refused_where_it_opens_the_world(
    token: str, spec: Mapping[str, Any], paths: list[str]
) -> None:
    config = {"boundary": "eu", "clusters": {"prod": "europe-west4"}}
    one = given(token, "out", {"spec": spec}, provider=cluster("kubernetes", "prod"))
    said = judge([one], POLICIES / "residency", config)
    refused = [each.message for each in said.refusals if each.rule == RULE]
    assert len(refused) == len(paths)
    assert all(f"({path})" in text for path, text in zip(paths, refused, strict=True))
