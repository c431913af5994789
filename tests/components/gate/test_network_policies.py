"""What network policies select, what they govern and what they open."""

from typing import Any

import pytest

from portway.gate.context import ResidencyContext
from portway.gate.network_policies import Judged, governs_egress, openings
from portway.gate.policy_pods import selects
from portway.gate.resource import Resource
from portway.gate.values import UNKNOWN, View
from portway.gate.workloads import Manifest, Pod, anatomy
from portway.residency.boundary import boundary

EU = boundary(["eu"])


def an_object(kind: str, tree: Any) -> Resource:
    return Resource(f"urn:{kind}", "it", f"kubernetes:{kind}", View(tree))


def policy(spec: Any, kind: str = "networking.k8s.io/v1:NetworkPolicy") -> Manifest:
    (found,) = anatomy(an_object(kind, {"spec": spec})).manifests
    return found


def pod_labelled(labels: Any) -> Pod:
    tree = {
        "spec": {
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"image": "a"}]}}
        }
    }
    (found,) = anatomy(an_object("apps/v1:Deployment", tree)).pods
    return found


def expression(operator: str, *values: str) -> Any:
    return {"matchExpressions": [{"key": "app", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "labels", "answer"),
    [
        ({}, {"app": "a"}, True),
        ({"matchLabels": {"app": "a"}}, {"app": "a", "b": "c"}, True),
        ({"matchLabels": {"app": "a"}}, {"app": "b"}, False),
        ({"matchLabels": {"app": "a"}}, {}, False),
        (expression("In", "a", "b"), {"app": "b"}, True),
        (expression("In", "a"), {}, False),
        (expression("NotIn", "a"), {}, True),
        (expression("NotIn", "a"), {"app": "a"}, False),
        (expression("Exists"), {"app": "a"}, True),
        (expression("Exists"), {}, False),
        (expression("DoesNotExist"), {}, True),
        (expression("DoesNotExist"), {"app": "a"}, False),
        (expression("Gt", "1"), {"app": "2"}, None),
        ({"matchLabels": UNKNOWN}, {"app": "a"}, None),
        ({"matchLabels": {"app": UNKNOWN}}, {"app": "a"}, None),
        ({"matchLabels": {"app": "a"}}, UNKNOWN, None),
        ({"matchLabels": {"app": "a", "b": UNKNOWN}}, {"app": "x"}, False),
        (UNKNOWN, {"app": "a"}, None),
    ],
)
def test_a_policy_selects_as_the_cluster_would(selector: Any, labels: Any, answer: Any) -> None:
    assert selects(policy({"podSelector": selector}), pod_labelled(labels)) is answer


@pytest.mark.parametrize(
    ("selector", "answer"),
    [
        ("all()", True),
        ("app == 'a'", True),
        ('app == "b"', False),
        ("app == 'a' && has(tier)", False),
        ("app in {'a'}", None),
    ],
)
def test_an_expression_of_calico_is_read_or_left_open(selector: str, answer: Any) -> None:
    one = policy({"selector": selector}, "projectcalico.org/v3:NetworkPolicy")
    assert selects(one, pod_labelled({"app": "a"})) is answer


SPECS: list[tuple[Any, bool]] = [
    ({"policyTypes": ["Egress"]}, True),
    ({"policyTypes": ["Ingress"], "egress": [{}]}, False),
    ({"egress": []}, True),
    ({"ingress": []}, False),
    ({"policyTypes": UNKNOWN}, False),
    ({"policyTypes": ["Ingress", UNKNOWN]}, False),
]


@pytest.mark.parametrize(("spec", "governs"), SPECS)
def test_a_policy_governs_egress_only_when_it_surely_does(spec: Any, *, governs: bool) -> None:
    assert governs_egress(policy(spec)) is governs


@pytest.mark.parametrize(
    ("cidr", "without", "is_open"),
    [
        ("10.0.0.0/8", [], False),
        ("192.168.7.0/24", [], False),
        ("100.64.0.0/10", [], False),
        ("fd00::/8", [], False),
        ("199.36.153.4/30", [], False),
        ("0.0.0.0/0", [], True),
        ("::/0", [], True),
        ("0.0.0.0/0", ["10.0.0.0/8"], True),
        ("0.0.0.0/0", ["0.0.0.0/1", "128.0.0.0/1"], False),
        ("10.0.0.0/7", ["11.0.0.0/8"], False),
        ("10.0.0.0/7", [], True),
        ("52.94.0.0/16", [], True),
        ("8.8.8.8/32", [], True),
        ("2001:4860::/32", [], True),
        ("not a range", [], True),
        (7, [], True),
    ],
)
def test_only_private_ranges_are_named_without_a_word_from_configuration(
    cidr: Any, without: list[str], *, is_open: bool
) -> None:
    rule = {"to": [{"ipBlock": {"cidr": cidr, "except": without}}]}
    found = openings(
        policy({"podSelector": {}, "egress": [rule]}), Judged(EU, ResidencyContext(EU))
    )
    assert bool(list(found)) is is_open


@pytest.mark.parametrize(
    ("ports", "is_open"),
    [
        ([{"port": 53}], False),
        ([{"port": "dns"}], False),
        ([{"port": 53}, {"port": 443}], True),
        ([{"port": 53, "endPort": 443}], True),
        ([], True),
    ],
)
def test_names_may_be_asked_for_anywhere(ports: Any, *, is_open: bool) -> None:
    one = policy({"podSelector": {}, "egress": [{"ports": ports}]})
    assert bool(list(openings(one, Judged(EU, ResidencyContext(EU))))) is is_open
