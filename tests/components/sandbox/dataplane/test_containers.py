"""Declared containers as processes: images, paths, ports and the environment."""

import sys
from pathlib import Path

import pytest

from portway.errors import BadInput
from portway.sandbox.dataplane.containers import Container, Mount, Rewrite, kind_of, launch
from portway.sandbox.dataplane.probes import Probe
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.dataplane.volumes import attach, materialise
from portway.sandbox.dataplane.world import PlatformError

ROOT = Path("/box/rootfs")
PORTS = {8080: 40001, 8000: 40002}
SETTINGS = Settings()


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("python:3.13-slim", "python"),
        ("docker.io/library/python@sha256:aa", "python"),
        ("europe-west4-docker.pkg.dev/p/hub/library/python:3.13@sha256:aa", "python"),
        ("localhost:5000/python", "python"),
        ("vllm/vllm-openai:v0.29.0", "vllm"),
        ("docker.io/valkey/valkey@sha256:cc", "valkey"),
        ("eu-docker.pkg.dev/p/hub/vllm/vllm-openai@sha256:bb", "vllm"),
    ],
)
def test_stock_python_vllm_and_valkey_images_run(image: str, kind: str) -> None:
    assert kind_of(image) == kind


@pytest.mark.parametrize(
    "image", ["", "nginx", "ghcr.io/acme/python-app:1", "vllm/vllm-openai-rocm"]
)
def test_any_other_image_is_refused_by_name(image: str) -> None:
    with pytest.raises(
        PlatformError, match=r"stock Python .* vLLM .* and Valkey .* images only"
    ) as refused:
        kind_of(image)
    assert repr(image) in str(refused.value)


@pytest.mark.parametrize(
    ("given", "rewritten"),
    [
        ("/opt/app", "/box/rootfs/opt/app"),
        ("/opt/app/run.py", "/box/rootfs/opt/app/run.py"),
        ("--file=/opt/app/x", "--file=/box/rootfs/opt/app/x"),
        ("/opt/application", "/opt/application"),
        ("see /opt/app", "see /opt/app"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:40002"),
        ("http://localhost:8000/v1?a=8000", "http://localhost:40002/v1?a=8000"),
        ("0.0.0.0:8080", "0.0.0.0:40001"),
        ("http://127.0.0.1:80800", "http://127.0.0.1:80800"),
        ("http://10.127.0.0.1:8000", "http://10.127.0.0.1:8000"),
        ("http://example.com:8000", "http://example.com:8000"),
        ("--port=8000", "--port=40002"),
        ("--max-model-len=8000", "--max-model-len=8000"),
        ("8000", "8000"),
    ],
)
def test_mount_paths_and_local_ports_are_rewritten_and_nothing_else(
    given: str, rewritten: str
) -> None:
    assert Rewrite(ROOT, ["/opt/app", "/tmp"], PORTS).word(given) == rewritten


def test_the_number_after_port_and_port_variables_are_ports() -> None:
    rewrite = Rewrite(ROOT, [], PORTS)
    assert rewrite.arguments(["--port", "8000", "--len", "8000"]) == [
        "--port",
        "40002",
        "--len",
        "8000",
    ]
    assert rewrite.environment({"PORT": "8080", "METRICS_PORT": "9", "SIZE": "8080"}) == {
        "PORT": "40001", "METRICS_PORT": "9", "SIZE": "8080",
    }  # fmt: skip


def test_ports_are_those_declared_probed_and_given_as_arguments() -> None:
    container = Container(
        "app", "python", arguments=("--port", "8000", "--port=9000", "--port"), ports=(8080,),
        startup=Probe("http", 7000), liveness=Probe("tcp", 8080),
    )  # fmt: skip
    assert container.declared_ports() == {7000, 8000, 8080, 9000}


def test_a_python_container_runs_its_program_with_its_own_environment_only() -> None:
    container = Container(
        "app", "python", command=("python", "-O"), arguments=("/code/app.py", "x"),
        environment={"A": "/code/b"}, mounts=(Mount("/code", "code"),), ports=(8080,),
    )  # fmt: skip
    plan = launch(container, ROOT, PORTS, SETTINGS)
    assert plan.argv[:3] == (sys.executable, "-u", "-O")
    assert plan.argv[3].endswith("/loopback.py")
    assert plan.argv[4:] == ("/box/rootfs/code/app.py", "x")
    own = {"A": "/box/rootfs/code/b", "PORT": "40001", "HOME": str(ROOT)}
    assert plan.environment.items() >= own.items()
    assert plan.environment.keys() == {*own, "PATH", "LANG", "TMPDIR"}


def test_a_port_for_scrapes_is_another_one_too_and_leaves_the_program_its_own() -> None:
    container = Container(
        "runtime", "docker.io/library/python", command=("python", "-c", "0"),
        ports=(8080, 9464), environment={"TOLD": "prometheus:9464", "STORE": "prometheus:6379x"},
    )  # fmt: skip
    plan = launch(container, ROOT, {8080: 40001, 9464: 40003}, SETTINGS)
    told = {name: plan.environment[name] for name in ("PORT", "TOLD", "STORE")}
    assert told == {"PORT": "40001", "TOLD": "prometheus:40003", "STORE": "prometheus:6379x"}


@pytest.mark.parametrize("command", [(), ("sh", "-c", "true"), ("/opt/venv/bin/python", "x.py")])
def test_a_python_image_runs_python_only(command: tuple[str, ...]) -> None:
    with pytest.raises(PlatformError, match=r"container 'app': exec: .* executable file not found"):
        launch(Container("app", "python", command=command), ROOT, {}, SETTINGS)


@pytest.mark.parametrize(
    "command",
    [(), ("vllm", "serve"), ("python3", "-m", "vllm.entrypoints.openai.api_server")],
)
def test_a_vllm_image_runs_the_stand_in_with_its_arguments(command: tuple[str, ...]) -> None:
    container = Container(
        "vllm", "vllm/vllm-openai", command=command, arguments=("--model", "a/b", "--port", "8000"),
        has_gpu=True,
    )  # fmt: skip
    plan = launch(container, ROOT, PORTS, SETTINGS)
    assert plan.argv[1:] == (
        "-m", "portway.sandbox.dataplane.model_server", "--model", "a/b", "--port", "40002",
    )  # fmt: skip
    assert plan.environment["NVIDIA_VISIBLE_DEVICES"] == "all"


def test_volumes_hold_exactly_their_files_and_scratch_space_keeps_its_own(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"two")
    volume, scratch = tmp_path / "volumes" / "keys", tmp_path / "volumes" / "tmp"
    materialise(volume, {"a": b"one", "deep/b": source})
    materialise(scratch, {})
    attach(
        tmp_path / "root",
        tmp_path / "volumes",
        [Mount("/keys", "keys"), Mount("/tmp", "tmp"), Mount("/one", "keys", "a")],
    )
    assert (tmp_path / "root/keys/deep/b").read_bytes() == b"two"
    assert (tmp_path / "root/one").read_bytes() == b"one"
    (tmp_path / "root/tmp/own").write_text("kept")
    materialise(volume, {"a": b"three"})
    materialise(scratch, {})
    assert sorted(path.name for path in volume.iterdir() if path.is_file()) == ["a"]
    assert (tmp_path / "root/keys/a").read_bytes() == b"three"
    assert not (volume / "deep/b").exists()
    assert (scratch / "own").read_text() == "kept"


def test_settings_are_read_from_the_environment_and_refused_all_at_once() -> None:
    given = {"PORTWAY_SANDBOX_TIME_SCALE": "0.5", "PORTWAY_SANDBOX": "/x", "OTHER": "y"}
    assert Settings.from_environment(given) == Settings(time_scale=0.5)
    bad = {"PORTWAY_SANDBOX_IDLE_SECONDS": "-1", "PORTWAY_SANDBOX_TIME_SCALE": "inf"}
    with pytest.raises(BadInput) as refused:
        Settings.from_environment(bad)
    assert [problem.path for problem in refused.value.problems] == sorted(bad, reverse=True)
