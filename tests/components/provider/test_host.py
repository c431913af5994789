"""The provider as an engine starts it and asks it: schema, components, and what it refuses."""

from collections.abc import Generator
from typing import Any

import pytest
from pulumi.runtime import rpc
from ruamel.yaml import YAML

from portway.provider.schema import schema_text
from support.provider_host import COMPONENTS, PROJECT, STACK, Host, Refusal, hosted

SPEC: dict[str, Any] = {
    "model": "ministral-3-8b",
    "scaling": {"min": 0, "max": 2},
    "residency": ["eu"],
    "budget": {"monthlyUsd": 2500},
    "timeoutSeconds": 120,
}
KEY = "4dabf18193072939515e22adb298388d"
SECRET = {KEY: "1b47061264138c4ac30d75fd1eb44270"}
SERVICE = "portway:index:InferenceService"


@pytest.fixture(scope="module")
def host() -> Generator[Host]:
    with hosted() as running:
        yield running


def test_it_serves_the_schema(host: Host) -> None:
    assert host.schema() == schema_text()


def test_the_folder_is_a_plugin_of_its_virtual_environment() -> None:
    assert "virtualenv: ../.venv" in (COMPONENTS / "PulumiPlugin.yaml").read_text()


def test_a_service_is_made_with_all_that_its_target_needs(host: Host) -> None:
    made = host.construct(
        "InferenceService",
        "chat",
        {"spec": SPEC, "target": "lambda-bedrock", "region": "eu-west-1"},
    )
    assert made.urn == f"urn:pulumi:{STACK}::{PROJECT}::{SERVICE}::chat"
    assert made.state["endpoint"].startswith("https://")
    assert made.state["apiKey"][KEY] == SECRET[KEY]
    named = ("target", "region", "model", "service")
    assert [made.state[one] for one in named] == [
        "lambda-bedrock", "eu-west-1", "ministral-3-8b", "chat",
    ]  # fmt: skip
    (service,) = (one for one in made.created if one.type == SERVICE)
    # What the packs judge the stack by is recorded, whatever language the program is in.
    assert (service.inputs["boundary"], service.inputs["monthlyBudgetUsd"]) == (["eu"], "2500")
    (function,) = (one for one in made.created if one.type == "aws:lambda/function:Function")
    assert function.inputs["timeout"] >= SPEC["timeoutSeconds"]


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("CloudRunService", {"region": "europe-west4", "options": {"memoryGib": 32}}),
        ("LambdaBedrockService", {"region": "eu-west-1", "options": {"memoryMb": 2048}}),
        (
            "KubernetesService",
            {
                "spec": {**SPEC, "scaling": {"min": 1, "max": 2}, "access": {"reach": "private"}},
                "region": "europe-west4",
                "cluster": "prod",
            },
        ),
    ],
)
def test_the_component_of_a_target_is_made_by_itself(
    host: Host, kind: str, inputs: dict[str, Any]
) -> None:
    made = host.construct(
        kind, f"a-{kind.lower()[:5]}", {"spec": SPEC, **inputs}, gcp__project="acme-prod"
    )
    assert f"portway:index:{kind}::" in made.urn
    assert {"endpoint", "region", "identity", "apiKey"} == set(made.state)
    assert made.state["region"] == inputs["region"]
    assert SERVICE not in {one.type for one in made.created}


def test_what_is_wrong_comes_back_by_property_and_nothing_is_made(host: Host) -> None:
    spec = {**SPEC, "scaling": {"max": 0}, "model": "gpt-9"}
    before = len(host.monitor.inner.created)
    with pytest.raises(Refusal) as refusal:
        host.construct(
            "InferenceService",
            "bad",
            {"spec": spec, "target": "cloud-run", "region": "europe-west4"},
        )
    assert set(refusal.value.reasons) == {"spec.scaling.max", "spec.model"}
    assert "Traceback" not in str(refusal.value)
    assert len(host.monitor.inner.created) == before


@pytest.mark.parametrize("value", [rpc.UNKNOWN, {**SECRET, "value": "eu-west-1"}])
def test_what_is_not_known_before_deployment_is_refused_where_it_stands(
    host: Host, value: Any
) -> None:
    with pytest.raises(Refusal) as refusal:
        host.construct(
            "InferenceService", "late", {"spec": SPEC, "target": "lambda-bedrock", "region": value}
        )
    (path,) = refusal.value.reasons
    assert path == "region"
    assert "is known only after deployment, or secret" in refusal.value.reasons[path]
    with pytest.raises(Refusal) as refusal:
        host.construct("CloudRunService", "late", {"spec": {**SPEC, "residency": [value]}})
    assert any(one.startswith("spec") for one in refusal.value.reasons)


def test_a_component_that_is_none_is_refused_with_those_there_are(host: Host) -> None:
    with pytest.raises(Refusal, match="is no component; there are portway:index:InferenceService"):
        host.construct("Service", "chat", {})


def test_the_example_in_yaml_asks_for_what_the_provider_makes(host: Host) -> None:
    """What the engine would send for it; a language host for YAML is not among our packages."""
    yaml: Any = YAML(typ="safe")
    program = yaml.load(COMPONENTS.parent / "examples" / "yaml" / "Pulumi.yaml")
    assert (COMPONENTS.parent / "examples" / "yaml" / program["packages"]["portway"]).samefile(
        COMPONENTS
    )
    ((name, one),) = program["resources"].items()
    assert one["type"] == "portway:InferenceService"
    made = host.construct("InferenceService", f"{name}-yaml", one["properties"])
    assert set(program["outputs"]) <= set(made.state)
