"""The packs and configuration of this repository, and their closedness over every known type."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from portway.gate.run import load_policies
from portway.gate.session import utc_today
from portway.gate.tables import reason, table
from portway.gate.testing import UNKNOWN, Given, judge, resource
from support.packs import POLICIES

RULES = ("residency-region-inside-boundary", "residency-type-is-read")
ROOT = Path(__file__).parents[2]


def tokens(package: str) -> Iterator[str]:
    """Every resource type of the pinned SDK."""
    listed = table(f"{package}.json")
    groups: list[Mapping[str, list[str]]] = [*listed["located"].values(), listed["unlocated"]]
    for modules in groups:
        for module, names in modules.items():
            yield from (f"{package}:{module}/{n[0].lower()}{n[1:]}:{n}" for n in names)


ALL_TOKENS = (*tokens("aws"), *tokens("gcp"))
NOT_EXEMPT = tuple(
    one
    for one in ALL_TOKENS
    if reason("reviewed.json", "placeless", one) is None
    and reason("reviewed.json", "judged", one) is None
)
PROPS = st.dictionaries(
    st.sampled_from(["name", "tags", "template", "replication", "policy", "environment"]),
    st.recursive(
        st.just(UNKNOWN) | st.text() | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=5,
    ),
)


def is_refused(given: Given) -> bool:
    said = judge([given], POLICIES / "residency", {"boundary": "eu"})
    return any(one.rule in RULES and one.name == given.name for one in said.refusals)


def test_the_committed_configuration_is_valid() -> None:
    policies = load_policies(POLICIES)
    assert [pack.name for pack in policies.packs] == ["residency", "cost"]


@pytest.mark.parametrize("pack", ["residency", "cost"])
def test_a_pack_runs_on_the_projects_virtual_environment_and_has_a_version(pack: str) -> None:
    yaml: Any = YAML(typ="safe")
    described = yaml.load(POLICIES / pack / "PulumiPolicy.yaml")
    assert described["version"]
    assert described["runtime"]["options"]["virtualenv"] == "../../.venv"


def test_the_lists_of_located_types_are_what_the_pinned_sdks_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "inventory.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NOT_EXEMPT), PROPS)
def test_no_type_without_a_known_place_passes_whatever_its_other_properties(
    token: str, props: Mapping[str, Any]
) -> None:
    assert is_refused(resource(token, "it", props))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NOT_EXEMPT))
def test_no_type_passes_that_says_it_is_outside(token: str) -> None:
    places = {
        "region": "us-east-1",
        "location": "us-east1",
        "zone": "us-east1-b",
        "locationId": "nam5",
    }
    assert is_refused(resource(token, "it", places))


def test_the_exempt_types_are_few_enough_to_be_reviewed() -> None:
    exempt = [one for one in ALL_TOKENS if reason("reviewed.json", "placeless", one)]
    bare = [one for one in exempt if "iam" not in one.lower()]
    assert len(ALL_TOKENS) > 3000
    assert len(bare) < len(ALL_TOKENS) / 10


def test_exempting_the_largest_leaves_the_rest_to_be_judged() -> None:
    pod = {"containers": [{"resources": {"limits": {"nvidia.com/gpu": 1}}}]}

    def workload(name: str, replicas: int) -> Given:
        spec = {"replicas": replicas, "template": {"spec": pod}}
        return resource("kubernetes:apps/v1:Deployment", name, {"spec": spec})

    exemption = {
        "rule": "cost-gpus-within-limit",
        "urn": "*::largest",
        "reason": "trial",
        "owner": "ann",
        "expires": str(utc_today() + timedelta(days=1)),
    }
    config = {"max_gpus": 4, "exemptions": [exemption]}
    stack = [workload("largest", 9), workload("one", 3), workload("other", 3)]
    said = judge(stack, POLICIES / "cost", config).refusals
    refused = [one for one in said if one.rule == exemption["rule"]]
    assert [(one.name, "may hold 6 GPUs" in one.message) for one in refused] == [("one", True)]
