"""Which pods may talk, by the NetworkPolicies that are deployed, and what stands for a claim."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.dataplane import loopback
from portway.sandbox.dataplane.containers import Container, Rewrite, launch
from portway.sandbox.dataplane.kubernetes_objects import CLAIM, disk_of
from portway.sandbox.dataplane.kubernetes_policies import NAMESPACE, POLICY, Peer, may_connect
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.dataplane.volumes import Disk, materialise
from portway.sandbox.dataplane.world import World
from portway.sandbox.store import Key, Row

CHAT = Peer("prod", "chat", {"app": "chat"})
METER = Peer("prod", "chat", {"app": "meter"})
OTHER = Peer("prod", "other", {"app": "chat"})


def row(kind: str, name: str, namespace: str = "chat", scope: str = "prod", **fields: Any) -> Row:
    inputs = {"metadata": {"name": name, "namespace": namespace}, **fields}
    return Row(Key("kubernetes", scope, kind, f"{namespace}/{name}"), "", inputs, inputs)


def policy(app: str | None, **spec: Any) -> Row:
    selector = {"matchLabels": {"app": app}} if app else {}
    return row(POLICY, "policy", spec={"podSelector": selector, **spec})


def allowed(*policies: Row, source: Peer = CHAT, port: int = 6379, name: str = "valkey") -> bool:
    labels = {"team": "ml"}
    namespace = row(NAMESPACE, "other")
    namespace.inputs["metadata"]["labels"] = labels
    return may_connect(World([*policies, namespace], Path()), source, METER, port, name)


def chosen(app: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {"app": app}}}


def test_without_a_policy_everybody_talks() -> None:
    assert allowed()
    assert allowed(policy("somebody", policyTypes=["Ingress"]))


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({}, True),
        ({"from": [chosen("chat")]}, True),
        ({"from": [chosen("somebody")]}, False),
        ({"from": [chosen("somebody"), chosen("chat")]}, True),
        ({"from": [chosen("chat")], "ports": [{"port": 6379}]}, True),
        ({"from": [chosen("chat")], "ports": [{"port": "valkey", "protocol": "TCP"}]}, True),
        ({"from": [chosen("chat")], "ports": [{"port": 6379, "protocol": "UDP"}]}, False),
        ({"ports": [{"port": 80}]}, False),
        ({"ports": [{"port": 6000, "endPort": 7000}]}, True),
        ({"ports": [{"protocol": "TCP"}]}, True),
        ({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}, True),
        ({"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}, False),
        ({"from": [{"ipBlock": {"cidr": "none"}}]}, False),
    ],
)
def test_a_selected_pod_takes_what_a_rule_says(rule: dict[str, Any], holds: bool) -> None:  # noqa: FBT001 - a table
    assert allowed(policy("meter", policyTypes=["Ingress"], ingress=[rule])) is holds


def test_a_policy_without_rules_lets_nothing_through() -> None:
    assert not allowed(policy("meter"))
    assert not allowed(policy(None, policyTypes=["Ingress"]))
    assert not allowed(policy("chat", policyTypes=["Egress"]))
    assert allowed(policy("meter", policyTypes=["Egress"]))


def test_both_sides_must_agree() -> None:
    into = policy("meter", policyTypes=["Ingress"], ingress=[{"from": [chosen("chat")]}])
    out = policy("chat", egress=[{"to": [chosen("meter")]}])
    nowhere = policy("chat", policyTypes=["Egress"], egress=[])
    assert allowed(into, out)
    assert not allowed(into, nowhere)
    assert allowed(into, out, nowhere)


def test_policies_of_another_namespace_or_cluster_do_not_count() -> None:
    spec: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert allowed(row(POLICY, "p", "other", spec=spec), row(POLICY, "p", scope="test", spec=spec))


@pytest.mark.parametrize(
    ("peer", "holds"),
    [
        (chosen("chat"), False),
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "ml"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "web"}}}, False),
        ({"namespaceSelector": {}, **chosen("somebody")}, False),
        ({"namespaceSelector": {}, **chosen("chat")}, True),
    ],
)
def test_pods_of_another_namespace_are_chosen_by_its_labels(
    peer: dict[str, Any],
    holds: bool,  # noqa: FBT001 - a table
) -> None:
    rules = policy("meter", policyTypes=["Ingress"], ingress=[{"from": [peer]}])
    assert allowed(rules, source=OTHER) is holds


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("In", ["chat", "x"], True),
        ("In", ["x"], False),
        ("NotIn", ["x"], True),
        ("NotIn", ["chat"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Near", ["chat"], False),
    ],
)
def test_expressions_choose_pods(operator: str, values: list[str], holds: bool) -> None:  # noqa: FBT001 - a table
    expression = {"key": "app", "operator": operator, "values": values}
    peer = {"podSelector": {"matchExpressions": [expression]}}
    rules = policy("meter", policyTypes=["Ingress"], ingress=[{"from": [peer]}])
    assert allowed(rules) is holds


def test_a_claim_made_again_is_another_disk(tmp_path: Path) -> None:
    world = World((), tmp_path)
    first, again = (row(CLAIM, "data", status=status) for status in ("a", "b"))
    first.outputs["metadata"] = {"uid": "1"}
    again.outputs["metadata"] = {"uid": "2"}
    assert disk_of(first, world) == disk_of(first, world) != disk_of(again, world)


def test_what_is_written_to_a_disk_outlives_the_pod(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disks" / "one")
    for pod in ("a", "b"):
        volume = tmp_path / pod / "volumes" / "data"
        materialise(volume, disk)
        materialise(volume, disk)
        (volume / pod).write_text(pod)
    assert sorted(p.name for p in disk.folder.iterdir()) == ["a", "b"]


def test_paths_within_a_variable_that_is_json_are_rewritten_and_nothing_else() -> None:
    rewrite = Rewrite(Path("/box"), ["/run/meter"], {})
    given = {"store": {"host": "m.chat.svc", "port": 6379, "file": "/run/meter/p"}, "l": ["/run"]}
    found = rewrite.environment({"A": json.dumps(given), "B": "{not json /run/meter"})
    store = {"host": "m.chat.svc", "port": 6379, "file": "/box/run/meter/p"}
    assert json.loads(found["A"]) == {"store": store, "l": ["/run"]}
    assert found["B"] == "{not json /run/meter"


def test_a_valkey_container_runs_the_stand_in_with_its_own_arguments() -> None:
    container = Container(
        "valkey", "docker.io/valkey/valkey@sha256:aa", ("valkey-server",), ("--port", "6379"),
        ports=(6379,),
    )  # fmt: skip
    argv = launch(container, Path("/box"), {6379: 40001}, Settings()).argv
    assert argv[1:] == ("-m", "portway.sandbox.dataplane.valkey_server", "--port", "40001")


def test_a_program_looks_names_up_in_the_file_each_time(tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    code = (
        "import json, os, pathlib, socket, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "def ask(name): return socket.getaddrinfo(name, 6379, type=socket.SOCK_STREAM)[0][4]\n"
        "found = [ask('meter.chat.svc'), ask('meter.chat.svc.')]\n"
        "file.write_text(json.dumps({'meter.chat.svc:6379': 40002}))\n"
        "found += [ask('meter.chat.svc'), ask('127.0.0.1')]\n"
        f"print(json.dumps([found, {loopback.NAMES!r} in os.environ]))\n"
    )
    names.write_text(json.dumps({"meter.chat.svc:6379": 40001}))
    program = [sys.executable, str(Path(loopback.__file__)), "-c", code, str(names)]
    environment = {loopback.NAMES: str(names)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    ports = [40001, 40001, 40002, 6379]
    assert json.loads(done.stdout) == [[["127.0.0.1", port] for port in ports], False]
