"""What a resource tells a program, taken apart into named settings."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.gate.resource import Provider, Resource
from portway.gate.settings import Kind, settings
from portway.gate.tables import table
from portway.gate.values import UNKNOWN, View
from support.sdk_paths import exists

LAMBDA = "aws:lambda/function:Function"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def told(token: str, tree: Any) -> list[tuple[str, str | None, Kind]]:
    resource = Resource("urn:it", "it", token, View(tree), Provider("p", "urn:p", View({})))
    return [(one.name, one.value, one.kind) for one in settings(resource)]


def named(token: str, tree: Any) -> dict[str, str | None]:
    return {name: value for name, value, _ in told(token, tree)}


def pod(**container: Any) -> Mapping[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def test_variables_of_a_function_are_named_by_their_keys() -> None:
    tree = {"environment": {"variables": {"A_URL": "http://a", "B": UNKNOWN}}}
    assert told(LAMBDA, tree) == [
        ("A_URL", "http://a", Kind.VARIABLE),
        ("B", None, Kind.VARIABLE),
    ]


def test_pairs_of_a_name_and_a_value_are_one_setting() -> None:
    env = [{"name": "A", "value": "b"}, {"name": "K", "valueFrom": {"secretKeyRef": {"key": "k"}}}]
    assert told(DEPLOYMENT, pod(env=env)) == [("A", "b", Kind.VARIABLE), ("K", "", Kind.VARIABLE)]


def test_flags_carry_their_values_in_one_part_and_in_two() -> None:
    args = ["--api-base=http://a", "--otlp", "http://b", "serve", "--quiet", "--host", "h"]
    assert told(DEPLOYMENT, pod(args=args)) == [
        ("--api-base", "http://a", Kind.ARGUMENT),
        ("--otlp", "http://b", Kind.ARGUMENT),
        ("", "serve", Kind.ARGUMENT),
        ("--host", "h", Kind.ARGUMENT),
    ]


def test_the_command_of_a_shell_is_taken_apart() -> None:
    line = "export A_URL=http://a && exec vllm serve m --otlp-endpoint https://b --quiet"
    found = named(DEPLOYMENT, pod(command=["sh", "-c", line]))
    assert found["A_URL"] == "http://a"
    assert found["--otlp-endpoint"] == "https://b"


def test_a_document_in_a_text_is_read_as_one() -> None:
    definition = '[{"name": "app", "environment": [{"name": "A", "value": "b"}], "command": ["x"]}]'
    found = told("aws:ecs/taskDefinition:TaskDefinition", {"containerDefinitions": definition})
    assert ("A", "b", Kind.VARIABLE) in found
    assert ("", "x", Kind.ARGUMENT) in found


def test_the_lines_of_a_configuration_are_settings_of_a_document() -> None:
    text = "exporters:\n  otlp:\n    endpoint: https://otlp.example.com\n"
    found = told("kubernetes:core/v1:ConfigMap", {"data": {"collector.yaml": text}})
    assert ("endpoint", "https://otlp.example.com", Kind.DOCUMENT) in found


def test_pairs_in_the_lines_of_a_configuration_keep_their_names() -> None:
    text = "env:\n- name: A_URL\n  value: http://a\n"
    assert named("kubernetes:core/v1:ConfigMap", {"data": {"x.yaml": text}})["A_URL"] == "http://a"


def test_base64_is_read_as_what_it_encodes() -> None:
    encoded = base64.b64encode(b"https://a.example.com").decode()
    found = named("kubernetes:core/v1:Secret", {"data": {"A_URL": encoded}})
    assert found == {"A_URL": "https://a.example.com"}
    script = base64.b64encode(b"#!/bin/sh\nexport A_URL=https://a.example.com\n").decode()
    found = named("aws:ec2/launchTemplate:LaunchTemplate", {"userData": script})
    assert found["A_URL"] == "https://a.example.com"


def test_what_is_no_base64_stays_as_it_is() -> None:
    found = named("kubernetes:core/v1:Secret", {"data": {"A": "no base64!", "B": "//79"}})
    assert found["A"] == "no base64!"
    assert found["B"] == "//79"


def test_a_definition_of_objects_tells_nobody_anything() -> None:
    token = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
    assert told(token, {"spec": {"versions": [{"description": "https://a.example.com"}]}}) == []


def test_a_resource_that_runs_nothing_tells_nothing() -> None:
    assert told("gcp:storage/bucket:Bucket", {"location": "EU", "name": "a.example.com"}) == []


@pytest.mark.parametrize("value", [UNKNOWN, {"containers": UNKNOWN}, {"containers": [UNKNOWN]}])
def test_what_is_not_known_is_said_where_knowledge_ends(value: Any) -> None:
    found = told(DEPLOYMENT, {"spec": {"template": {"spec": value}}})
    assert [one[1] for one in found] == [None]


_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.just(UNKNOWN),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "value", "env", "args", "spec", "data", "containers", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from([DEPLOYMENT, LAMBDA, "kubernetes:core/v1:Secret", "kubernetes:core/v1:Pod"]),
    _trees,
)
def test_any_properties_can_be_taken_apart(token: str, tree: Any) -> None:
    assert all(one[2] in Kind for one in told(token, tree))


def test_the_listed_properties_exist_in_the_pinned_sdks() -> None:
    rows: Mapping[str, Any] = table("hosts.json")["settings"]
    pairs = [
        (token, path)
        for token, paths in rows.items()
        if ":" in token and not token.startswith("kubernetes:")
        for path in paths
    ]
    assert [pair for pair in pairs if not exists(*pair)] == []
    assert len(pairs) > 60


def test_what_a_store_keeps_is_called_as_the_setting_is() -> None:
    tree = {"name": "/chat/llm-endpoint", "value": "https://a.example.com"}
    found = told("aws:ssm/parameter:Parameter", tree)
    assert found == [("llm-endpoint", "https://a.example.com", Kind.VARIABLE)]


def test_a_variable_behind_a_flag_keeps_its_own_name() -> None:
    line = "docker run -e A_URL=https://a.example.com --env=B_URL=https://b.example.com x"
    found = named("gcp:compute/instance:Instance", {"metadataStartupScript": line})
    assert found["A_URL"] == "https://a.example.com"
    assert found["B_URL"] == "https://b.example.com"


def test_a_header_of_requests_is_no_host_to_call() -> None:
    text = "[OUTPUT]\n    Host in.example.com\n[NOTE]\nHost: chat.example.com\n"
    found = told("kubernetes:core/v1:ConfigMap", {"data": {"x.conf": text}})
    assert [value for name, value, _ in found if name == "Host"] == ["in.example.com"]
