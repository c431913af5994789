"""Google's organisation policy and the cluster's admission policies say what the boundary table says."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from portway.errors import BadInput
from portway.gate.guardrails.build import FORMATS, as_text, guardrails
from portway.gate.guardrails.cluster import admission
from portway.gate.guardrails.google import org_policy
from portway.residency.boundary import boundaries, boundary, country_of
from portway.residency.tables import table
from support.admission import KINDS, matches, pod_of, refusals

GOOGLE: dict[str, str] = table("boundaries.json")["countries"]["gcp"]
EVERYWHERE = [
    region for cloud in ("aws", "gcp") for region in table("boundaries.json")["countries"][cloud]
]
WITH_GOOGLE = [name for name, regions in boundaries().items() if regions & set(GOOGLE)]
GOLDEN = Path(__file__).parents[3] / "golden"


def policy(what: str, name: str = "eu") -> Mapping[str, Any]:
    documents = {
        one.content["metadata"]["name"]: one.content
        for one in admission(boundary([name])).documents[::2]
    }
    return documents[f"portway-{name}-{what}"]


def required(key: str, *values: str, operator: str = "In") -> dict[str, Any]:
    return affinity(term(key, *values, operator=operator))


def term(key: str, *values: str, operator: str = "In") -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def affinity(*terms: Mapping[str, Any]) -> dict[str, Any]:
    held = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": held}}


@pytest.mark.parametrize("name", WITH_GOOGLE)
def test_google_allows_the_regions_inside_and_no_other(name: str) -> None:
    content = org_policy(boundary([name])).documents[0].content
    values = content["spec"]["rules"][0]["values"]["allowedValues"]
    allowed = {found[1] for value in values if (found := re.fullmatch(r"in:(.+)-locations", value))}
    assert len(allowed) == len(values)
    assert {region for region in GOOGLE if region in allowed} == boundaries()[name] & set(GOOGLE)


def test_google_is_refused_where_it_has_no_region_inside() -> None:
    with pytest.raises(BadInput, match="no Google region is inside ie"):
        org_policy(boundary(["ie"]))


@pytest.mark.parametrize("name", list(boundaries()))
def test_pods_are_admitted_to_every_region_inside_and_no_other(name: str) -> None:
    made = policy("pods", name)
    for region in EVERYWHERE:
        selected = {"nodeSelector": {"topology.kubernetes.io/region": region}}
        inside = region in boundaries()[name]
        assert (refusals(made, pod_of(selected, "Pod")) == []) is inside, region


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_workload_is_asked_for_its_place(kind: str) -> None:
    made = policy("pods")
    region = "topology.kubernetes.io/region"
    zone = "topology.kubernetes.io/zone"
    for fine in (required(region, "europe-west4"), required(zone, "europe-west4-a", "eu-west-1b"),
                 {"nodeSelector": {zone: "europe-west4-c"}}):  # fmt: skip
        assert refusals(made, pod_of(fine, kind)) == []
    loosely: tuple[dict[str, Any], ...] = (
        {},
        required(region, "europe-west4", "us-central1"),
        required(region, "europe-west4", operator="NotIn"),
        required(region),
        required(zone, "europe-west40-a"),
        required(zone, "xeurope-west4-a"),
        required("example.com/region", "europe-west4"),
        affinity(),
        affinity({}),
        affinity(term(region, "europe-west4"), {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}),
        {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}},
    )  # fmt: skip
    for loose in loosely:
        assert len(refusals(made, pod_of(loose, kind))) == 1, loose
    named = required(region, "europe-west4") | {"nodeName": "node-1"}
    assert refusals(made, pod_of(named, kind)) == [
        "names its node, which no scheduler then chooses"
    ]


def test_the_policies_are_asked_about_what_is_created() -> None:
    assert matches(policy("pods"), "", "pods", "CREATE")
    # The scheduler itself writes nodeName, so an update of a pod must not be judged.
    assert not matches(policy("pods"), "", "pods", "UPDATE")
    assert matches(policy("pods"), "apps", "deployments", "UPDATE")
    assert matches(policy("pods"), "batch", "cronjobs", "UPDATE")
    assert matches(policy("nodes"), "", "nodes", "UPDATE")
    assert matches(policy("services"), "", "services", "CREATE")
    assert matches(policy("storage"), "storage.k8s.io", "storageclasses", "CREATE")


@pytest.mark.parametrize(
    ("labels", "passes"),
    [
        ({"topology.kubernetes.io/region": "europe-west4"}, True),
        ({"topology.kubernetes.io/region": "europe-west2"}, False),
        ({"kubernetes.io/hostname": "new"}, True),
    ],
)
def test_a_node_outside_may_not_join(labels: Mapping[str, str], *, passes: bool) -> None:
    node = {"kind": "Node", "metadata": {"name": "n", "labels": labels}}
    assert (refusals(policy("nodes"), node) == []) is passes


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"type": "ClusterIP"}, 0),
        ({}, 0),
        ({"type": "ExternalName", "externalName": "models.default.svc.cluster.local"}, 0),
        ({"type": "ExternalName", "externalName": "api.openai.com"}, 1),
        ({"type": "ExternalName"}, 1),
        ({"externalIPs": ["198.51.100.7"]}, 1),
        ({"externalIPs": []}, 0),
    ],
)
def test_a_service_may_not_lead_out_of_the_cluster(spec: Mapping[str, Any], refused: int) -> None:
    service = {"kind": "Service", "metadata": {"name": "s"}, "spec": spec}
    assert len(refusals(policy("services"), service)) == refused


@pytest.mark.parametrize(
    ("zones", "passes"),
    [(["europe-west4-a", "europe-west4-b"], True), (["europe-west4-a", "us-east1-b"], False)],
)
def test_a_storage_class_keeps_its_volumes_inside(zones: list[str], *, passes: bool) -> None:
    held = [{"matchLabelExpressions": [{"key": "topology.gke.io/zone", "values": zones}]}]
    made = policy("storage")
    assert (refusals(made, {"kind": "StorageClass", "allowedTopologies": held}) == []) is passes
    assert refusals(made, {"kind": "StorageClass"}) == []


def test_what_our_own_target_deploys_is_admitted() -> None:
    admitted = 0
    for file in sorted(GOLDEN.glob("*@kubernetes.resources.json")):
        text = file.read_text()
        found = re.search(
            r'topology.kubernetes.io/region",[^}]*"values": \[\s*"([a-z0-9-]+)"', text
        )
        name = country_of(found[1]) if found else None
        if name is None:
            continue  # a data centre of one's own, which no table knows
        admitted += 1
        for resource in json.loads(text):
            obj = resource.get("inputs", {})
            if obj.get("kind") in KINDS:
                assert refusals(policy("pods", name), obj) == [], (file.name, resource["name"])
            if obj.get("kind") == "Service":
                assert refusals(policy("services", name), obj) == [], (file.name, resource["name"])
    assert admitted > 2


@pytest.mark.parametrize("name", list(boundaries()))
def test_every_text_is_read_back_as_the_document_it_was(name: str) -> None:
    made = guardrails(boundary([name]))
    assert {one.format for one in made.guardrails} | set(made.refused) == set(FORMATS)
    for one in made.guardrails:
        contents = [document.content for document in one.documents]
        if one.format.startswith("aws"):
            decoder = json.JSONDecoder()
            rest, read = as_text(one), list[Any]()
            while rest.strip():
                value, end = decoder.raw_decode(rest.lstrip())
                read.append(value)
                rest = rest.lstrip()[end:]
        else:
            yaml: Any = YAML(typ="safe")
            read = list(yaml.load_all(as_text(one)))
        assert read == contents


def test_bindings_bind_their_own_policy_and_deny() -> None:
    documents = admission(boundary(["eu"])).documents
    for made, bound in zip(documents[::2], documents[1::2], strict=True):
        assert bound.content["spec"]["policyName"] == made.content["metadata"]["name"]
        assert bound.content["spec"]["validationActions"] == ["Deny"]
        assert made.content["spec"]["failurePolicy"] == "Fail"


@pytest.mark.parametrize("release", ["1.34", "1.37"])
def test_every_object_is_valid_for_the_api_it_is_applied_to(release: str) -> None:
    for document in admission(boundary(["eu"])).documents:
        kubernetes_validate.validate(dict(document.content), release, strict=True)
