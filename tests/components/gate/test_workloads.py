"""Pods are found wherever an object makes them, and nothing in an object breaks a rule."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portway.gate.context import ResidencyContext
from portway.gate.pack import load_pack
from portway.gate.resource import Resource, Stack
from portway.gate.values import UNKNOWN, View
from portway.gate.workloads import anatomy, kind_of
from portway.residency.boundary import boundary
from support.packs import POLICIES

EU = boundary(["eu"])
SPEC = {"containers": [{"image": "a"}]}
LABELLED = {"metadata": {"labels": {"app": "chat"}}, "spec": SPEC}


def an_object(kind: str, tree: Any, **more: Any) -> Resource:
    return Resource(f"urn:{kind}", "it", f"kubernetes:{kind}", View(tree), **more)


def pods(kind: str, tree: Any) -> list[tuple[str, Any]]:
    return [(pod.spec.path, pod.labels) for pod in anatomy(an_object(kind, tree)).pods]


MAKERS: list[tuple[str, Any, Any]] = [
    (
        "core/v1:Pod",
        {"metadata": {"labels": {"app": "chat"}}, "spec": SPEC},
        [("spec", {"app": "chat"})],
    ),
    (
        "apps/v1:Deployment",
        {"spec": {"template": LABELLED}},
        [("spec.template.spec", {"app": "chat"})],
    ),
    (
        "apps/v1:DeploymentPatch",
        {"spec": {"template": LABELLED}},
        [("spec.template.spec", {"app": "chat"})],
    ),
    (
        "extensions/v1beta1:DaemonSet",
        {"spec": {"template": {"spec": SPEC}}},
        [("spec.template.spec", {})],
    ),
    ("core/v1:PodTemplate", {"template": LABELLED}, [("template.spec", {"app": "chat"})]),
    (
        "batch/v1:CronJob",
        {"spec": {"jobTemplate": {"spec": {"template": LABELLED}}}},
        [("spec.jobTemplate.spec.template.spec", {"app": "chat"})],
    ),
    (
        "apps/v1:DeploymentList",
        {"items": [{"spec": {"template": LABELLED}}, {"spec": {}}]},
        [("items[0].spec.template.spec", {"app": "chat"})],
    ),
    (
        "argoproj.io/v1alpha1:Workflow",
        {"spec": {"templates": [{"name": "a", "container": {"image": "a"}}]}},
        [("spec.templates[0]", {})],
    ),
    (
        "leaderworkerset.x-k8s.io/v1:LeaderWorkerSet",
        {
            "spec": {
                "leaderWorkerTemplate": {"leaderTemplate": LABELLED, "workerTemplate": LABELLED}
            }
        },
        [
            ("spec.leaderWorkerTemplate.leaderTemplate.spec", {"app": "chat"}),
            ("spec.leaderWorkerTemplate.workerTemplate.spec", {"app": "chat"}),
        ],
    ),
    (
        "serving.kserve.io/v1beta1:InferenceService",
        {"metadata": {"name": "x"}, "spec": {"predictor": {"model": {}}}},
        [("spec.predictor", {"serving.kserve.io/inferenceservice": "x"})],
    ),
    (
        "keda.sh/v1alpha1:ScaledJob",
        {"spec": {"jobTargetRef": {"template": LABELLED}}},
        [("spec.jobTargetRef.template.spec", {"app": "chat"})],
    ),
    (
        "ray.io/v1:RayCluster",
        {"spec": {"headGroupSpec": {"template": LABELLED}}},
        [("spec.headGroupSpec.template.spec", {"app": "chat"})],
    ),
    ("core/v1:ConfigMap", {"data": {"containers": "a"}}, []),
    (
        "apiextensions.k8s.io/v1:CustomResourceDefinition",
        {"spec": {"template": {"spec": SPEC}}},
        [],
    ),
]


@pytest.mark.parametrize(("kind", "tree", "found"), MAKERS)
def test_a_pod_is_found_wherever_an_object_makes_one(kind: str, tree: Any, found: Any) -> None:
    assert pods(kind, tree) == found


@pytest.mark.parametrize(
    ("tree", "hidden"),
    [
        ({"spec": UNKNOWN}, ("spec",)),
        ({"spec": {"template": {"spec": UNKNOWN}}}, ("spec.template.spec",)),
        ({"spec": {"template": {"spec": SPEC}}}, ()),
        ({}, ()),
    ],
)
def test_where_knowledge_of_pods_ends_is_said(tree: Any, hidden: tuple[str, ...]) -> None:
    assert anatomy(an_object("apps/v1:Deployment", tree)).hidden == hidden


def test_nothing_is_found_in_what_is_no_object_of_a_cluster() -> None:
    other = Resource("urn", "it", "aws:s3/bucket:Bucket", View({"spec": SPEC}))
    assert anatomy(other).pods == ()


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("kubernetes:apps/v1:DeploymentPatch", ("Deployment", "apps")),
        ("kubernetes:core/v1:Service", ("Service", "core")),
        ("kubernetes:argoproj.io/v1alpha1:Rollout", ("Rollout", "argoproj.io")),
    ],
)
def test_kinds_of_every_version_are_one_kind(token: str, kind: tuple[str, str]) -> None:
    assert kind_of(token) == kind


KEYS = st.sampled_from(
    [
        "spec",
        "template",
        "metadata",
        "labels",
        "annotations",
        "containers",
        "image",
        "env",
        "name",
        "value",
        "args",
        "nodeSelector",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
        "matchExpressions",
        "key",
        "operator",
        "values",
        "tolerations",
        "nodeName",
        "egress",
        "to",
        "ipBlock",
        "cidr",
        "except",
        "ports",
        "port",
        "policyTypes",
        "podSelector",
        "matchLabels",
        "csi",
        "driver",
        "volumeHandle",
        "volumeAttributes",
        "bucketName",
        "parameters",
        "allowedTopologies",
        "zones",
        "region",
        "rules",
        "filters",
        "requestMirror",
        "backendRef",
        "kind",
        "items",
        "destination",
        "server",
        "clusters",
        "link",
        "volumes",
        "externalName",
        "subsets",
        "addresses",
        "ip",
        "hosts",
        "predictor",
        "model",
        "toFQDNs",
        "toEntities",
        "endpointSelector",
    ]
)
LEAVES = st.sampled_from(
    [
        UNKNOWN,
        None,
        True,
        7,
        1.5,
        "",
        "us-east-1",
        "0.0.0.0/0",
        "In",
        "NotIn",
        "topology.kubernetes.io/region",
        "virtual-kubelet",
        "[secret]",
        "{",
        "[]",
    ]
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=24,
)
TYPES = st.sampled_from(
    [
        "kubernetes:apps/v1:Deployment",
        "kubernetes:core/v1:PodList",
        "kubernetes:core/v1:PersistentVolume",
        "kubernetes:core/v1:Service",
        "kubernetes:storage.k8s.io/v1:StorageClass",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "kubernetes:cilium.io/v2:CiliumNetworkPolicy",
        "kubernetes:projectcalico.org/v3:NetworkPolicy",
        "kubernetes:policy.networking.k8s.io/v1alpha1:AdminNetworkPolicy",
        "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
        "kubernetes:argoproj.io/v1alpha1:Application",
        "kubernetes:serving.kserve.io/v1beta1:InferenceService",
        "kubernetes:helm.sh/v3:Release",
    ]
)
OURS = tuple(
    rule
    for rule in load_pack(POLICIES / "residency").rules
    if rule.id.removeprefix("residency-")
    in {
        "pods-stay-inside",
        "storage-stays-inside",
        "cluster-egress-is-named",
        "cluster-endpoints-stay-inside",
        "images-come-from-inside",
        "workloads-are-visible",
        "clusters-share-inside",
        "settings-name-places-inside",
    }
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TYPES, TREES), min_size=1, max_size=3))
def test_no_object_breaks_a_rule(rows: list[tuple[str, Any]]) -> None:
    made = [Resource(f"urn:{n}", f"n{n}", kind, View(tree)) for n, (kind, tree) in enumerate(rows)]
    context = ResidencyContext(EU)
    stack = Stack.of(made)
    for rule in OURS:
        for one in made:
            for held in (None, stack):
                said = list(rule.judge(one, context, held)) if rule.judge else []
                assert all(one.name in violation.message for violation in said)
        assert rule.judge_stack is None or isinstance(list(rule.judge_stack(stack, context)), list)


def test_every_rule_of_the_cluster_is_among_those_that_are_tried() -> None:
    assert len(OURS) == 8
