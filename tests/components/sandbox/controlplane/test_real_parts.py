"""The real control plane before anything runs: what is built where, what is started how, which nodes."""

import json
from pathlib import Path

import pytest

from portway.engine.progress import silent
from portway.errors import BadInput, Missing
from portway.sandbox.controlplane import nodes, programs
from portway.sandbox.controlplane.install import definition
from portway.sandbox.controlplane.nodes import GPU, MACHINE, REGION, NoSuchMachine
from portway.sandbox.controlplane.objects import Object
from portway.sandbox.controlplane.parts import Folder, Ports, commands, kubeconfig
from portway.sandbox.layout import Layout
from portway.sandbox.store import Key, Row, Store
from portway.sandbox.which_kubernetes import Kubernetes, check_choice, used

PROGRAMS = programs.Programs(Path("/programs/controlplane"), Path("/programs/etcd"))
FOLDER = Folder(Path("/p/.portway/kubernetes"))
GO_STUB = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho Kubernetes {version}\\n' > "$2"
chmod +x "$2"
"""


def pod(required: dict[str, str], selector: Object | None = None, gpus: int = 1) -> Object:
    term = [{"key": key, "operator": "In", "values": [value]} for key, value in required.items()]  # fmt: skip
    wanted = {"nodeSelectorTerms": [{"matchExpressions": term}]}
    return {
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {
            "nodeSelector": selector or {},
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": wanted}
            },
            "containers": [
                {"name": "c", "resources": {"limits": {GPU: str(gpus)} if gpus else {}}}
            ],
        },
    }


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    go = tmp_path / "bin" / "go"
    go.write_text(GO_STUB.replace("{version}", programs.KUBERNETES_VERSION))
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    return go


def test_the_modules_pin_the_versions_that_are_named() -> None:
    text = (Path(programs.__file__).parent / "go" / "kubernetes" / "go.mod").read_text()
    assert f"k8s.io/kubernetes {programs.KUBERNETES_VERSION}\n" in text
    assert f"sigs.k8s.io/kwok {programs.KWOK_VERSION}\n" in text
    etcd = (Path(programs.__file__).parent / "go" / "etcd" / "go.mod").read_text()
    assert f"go.etcd.io/etcd/server/v3 {programs.ETCD_VERSION}\n" in etcd


def test_programs_are_built_once_into_a_place_of_their_own(fake_go: Path, tmp_path: Path) -> None:
    assert programs.find_programs(tmp_path) is None
    built = programs.ensure_programs(silent, tmp_path)
    assert built == programs.find_programs(tmp_path)
    assert sorted(path.name for path in built.etcd.parent.iterdir()) == ["controlplane", "etcd"]
    fake_go.unlink()
    assert programs.ensure_programs(silent, tmp_path) == built


def test_a_build_of_another_version_is_not_kept(fake_go: Path, tmp_path: Path) -> None:
    fake_go.write_text(GO_STUB.replace("{version}", "v0.0.0-master"))
    with pytest.raises(Missing, match=r"says 'Kubernetes v0\.0\.0-master', not v1\.36"):
        programs.ensure_programs(silent, tmp_path)
    assert programs.find_programs(tmp_path) is None


def test_without_go_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"no Go on PATH to build a Kubernetes control plane"):
        programs.ensure_programs(silent, tmp_path)


def test_every_part_names_its_folder_and_listens_on_loopback_only() -> None:
    every = commands(PROGRAMS, FOLDER, Ports(1001, 1002, 1003))
    assert list(every)[:2] == ["etcd", "kube-apiserver"]
    for words in every.values():
        assert any(f"={FOLDER.root}/" in word for word in words)
        addresses = [word for word in words if "://" in word or "bind-address" in word]
        outside = [
            w for w in addresses if "127.0.0.1" not in w and "service-account-issuer" not in w
        ]
        assert outside == []
    assert "--anonymous-auth=false" in every["kube-apiserver"]
    assert "--client-cert-auth=true" in every["etcd"]
    assert "secret" not in json.dumps(kubeconfig(FOLDER, Ports(1, 2, 3), "admin"))


def test_a_node_has_what_its_pod_requires() -> None:
    required = {REGION: "europe-west4", MACHINE: "g2-standard-8"}
    wanted = pod(required, {"cloud.google.com/gke-spot": "true"})
    node, status = nodes.node_for(wanted, "pool", 0)
    labels = node["metadata"]["labels"]
    assert (labels[REGION], labels[MACHINE]) == ("europe-west4", "g2-standard-8")
    assert labels["cloud.google.com/gke-spot"] == "true"
    assert (status["allocatable"][GPU], status["allocatable"]["cpu"]) == ("1", "8")
    assert node["spec"]["taints"][0]["key"] == GPU
    assert nodes.slice_for(node)["spec"]["devices"][0]["capacity"]["memory"]["value"] == "24Gi"


def test_devices_are_handed_out_by_a_plugin_or_by_claims_never_both() -> None:
    claiming = pod({}, gpus=0)
    claiming["spec"]["resourceClaims"] = [{"name": "gpu"}]
    _, status = nodes.node_for(claiming, "pool", 0)
    assert GPU not in status["allocatable"]


@pytest.mark.parametrize(
    ("required", "why"),
    [
        ({MACHINE: "g2-standard-9"}, "no machine of the sandbox is of type g2-standard-9"),
        ({MACHINE: "g6.xlarge", REGION: "europe-west4"}, "of type g6.xlarge is in europe-west4"),
        ({nodes.ACCELERATOR: "nvidia-l44"}, "has cloud.google.com/gke-accelerator=nvidia-l44"),
    ],
)
def test_what_no_machine_has_is_refused(required: dict[str, str], why: str) -> None:
    with pytest.raises(NoSuchMachine, match=why):
        nodes.node_for(pod(required), "pool", 0)


def test_more_gpus_than_a_machine_has_are_refused() -> None:
    with pytest.raises(NoSuchMachine, match="g2-standard-8 has"):
        nodes.labels_for(pod({MACHINE: "g2-standard-8"}, gpus=2))


def test_shipped_kinds_become_definitions_with_structural_schemas() -> None:
    closed = {"type": "object", "required": ["apiVersion", "kind", "metadata", "spec"], "additionalProperties": False, "properties": {"spec": {"type": "object"}}}  # fmt: skip
    about = {"plural": "things", "namespaced": True, "schema": closed}
    made = definition("example.dev/v1/Thing", about)
    assert made["metadata"]["name"] == "things.example.dev"
    assert made["spec"]["scope"] == "Namespaced"
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema == {
        "type": "object", "required": ["spec"],
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }  # fmt: skip


def test_a_cluster_with_something_in_it_is_not_left(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ".portway")
    layout.create()
    store = Store(layout.store)
    check_choice(layout, store, Kubernetes.REAL)
    store.create(Row(Key("kubernetes", "prod", "kubernetes:core/v1:Namespace", "x"), "", {}, {}))
    check_choice(layout, store, Kubernetes.EMBEDDED)
    with pytest.raises(BadInput, match="1 objects are deployed in the embedded cluster"):
        check_choice(layout, store, Kubernetes.REAL)


def test_why_the_embedded_one_is_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = used(Layout(tmp_path / ".portway"))
    assert (found.which, found.running) == (Kubernetes.EMBEDDED, ())
    assert "there is no Go" in found.why
