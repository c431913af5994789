"""Every object of every case against the schemas of four Kubernetes releases, by a judge not of ours.

``kubernetes-validate`` carries the OpenAPI schemas of each release. It knows no custom kinds: those are
judged by the parts of their definitions that this project keeps.
"""

import json
from pathlib import Path
from typing import Any, cast

import kubernetes_validate
import pytest
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError

from portway.sandbox.controlplane.schema import shipped_crds
from support.cluster_doors import GATEWAY, SERVED, placement, plan

Json = dict[str, Any]

GOLDEN = Path(__file__).parents[1] / "golden"
PLANS = sorted(path.name.partition(".")[0] for path in GOLDEN.glob("*@kubernetes.plan.json"))
RELEASES = ("1.34", "1.35", "1.36", "1.37")
WIDE = ("metered@kubernetes", "several-nodes@kubernetes")


def objects(name: str) -> dict[str, Json]:
    plan = json.loads((GOLDEN / f"{name}.plan.json").read_text())
    return cast("dict[str, Json]", plan["objects"])


def since(name: str) -> str:
    """The release that the case says its cluster has: older ones know less."""
    plan = json.loads((GOLDEN / f"{name}.plan.json").read_text())
    return cast("str", plan["cluster_version"])


def is_custom(obj: Json) -> bool:
    return f"{obj['apiVersion']}/{obj['kind']}" in shipped_crds()


def faults(obj: Json, release: str) -> list[str]:
    try:
        kubernetes_validate.validate(obj, release, strict=True)
    except (ValidationError, SchemaNotFoundError) as error:
        return [str(error)]
    return []


def meetings() -> list[tuple[str, str]]:
    """Each case with the oldest and the newest release it may meet; two wide ones with those between."""
    ends = {(name, release) for name in PLANS for release in (since(name), RELEASES[-1])}
    between = {(name, release) for name in WIDE for release in RELEASES if release >= since(name)}
    return sorted(ends | between)


@pytest.mark.parametrize(("name", "release"), meetings())
def test_every_release_that_a_case_may_meet_takes_its_objects(name: str, release: str) -> None:
    found = {
        role: faults(obj, release) for role, obj in objects(name).items() if not is_custom(obj)
    }
    assert {role: why for role, why in found.items() if why} == {}


@pytest.mark.parametrize("name", PLANS)
def test_custom_kinds_are_what_their_definitions_say(name: str) -> None:
    for role, obj in objects(name).items():
        if is_custom(obj):
            crd = shipped_crds()[f"{obj['apiVersion']}/{obj['kind']}"]
            validator = cast("Any", Draft202012Validator(dict(crd["schema"])))
            assert [error.message for error in validator.iter_errors(obj)] == [], role


@pytest.mark.parametrize("name", PLANS)
def test_no_object_is_of_a_kind_that_nobody_judges(name: str) -> None:
    for role, obj in objects(name).items():
        built_in = faults(obj, since(name))
        assert is_custom(obj) or not any("not found" in why.lower() for why in built_in), role


@pytest.mark.parametrize("release", [RELEASES[0], RELEASES[-1]])
def test_every_release_takes_the_objects_of_a_front_door(release: str) -> None:
    planned = plan(placement(gateway=GATEWAY, crds=SERVED)).objects
    assert {r: faults(o, release) for r, o in planned.items() if not is_custom(o)} == {
        role: [] for role, obj in planned.items() if not is_custom(obj)
    }
    custom = [f"{obj['apiVersion']}/{obj['kind']}" for obj in planned.values() if is_custom(obj)]
    assert custom == ["networking.gke.io/v1/HealthCheckPolicy", "networking.gke.io/v1/GCPBackendPolicy",
                      "gateway.networking.k8s.io/v1/HTTPRoute"]  # fmt: skip


def test_the_judge_refuses_what_the_api_would() -> None:
    plan = objects("chat@kubernetes")
    misspelt = json.loads(json.dumps(plan["deployment"]))
    misspelt["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    assert faults(misspelt, "1.34")
    claim = json.loads(json.dumps(objects("several-nodes@kubernetes")["gpu-claim"]))
    request = claim["spec"]["spec"]["devices"]["requests"][0]
    request["deviceClassName"] = request.pop("exactly")["deviceClassName"]
    assert faults(claim, "1.36")
