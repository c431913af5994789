"""``portway new --door``: the stack that clients of a service use, written and known to be valid."""

import shutil
from pathlib import Path

import pytest

from support.command_line import CommandLine
from support.sandbox_project import ROOT

FLAGS = ("new", "--name", "chat", "--door", "cloud-run", "--region", "europe-west4")
A, B = "chat.prod.cloud-run", "chat.prod.lambda-bedrock"
DOOR_FILE = "stacks/Pulumi.chat.prod.door.yaml"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_door_sends_everything_to_the_first_stack_and_check_accepts_it(
    project: Path, portway: CommandLine
) -> None:
    ran = portway(
        *FLAGS, "--to", A, "--to", B, "--config", "gcp:project=acme-inference",
        "--option", "min_instances=0",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    assert (project / DOOR_FILE).read_text() == (
        "config:\n"
        "  portway:spec: specs/chat.yaml\n"
        "  portway:door: {kind: cloud-run, region: europe-west4, "
        f'weights: {{"{A}": 100, "{B}": 0}}, options: {{min_instances: 0}}}}\n'
        "  gcp:project: acme-inference\n"
    )
    assert ran.out.splitlines()[0] == f"wrote {DOOR_FILE}"
    assert portway("check", "chat.prod.door").code == 0
    again = portway(*FLAGS, "--to", A)
    assert (again.code, again.out) == (2, "")
    assert "nothing is overwritten" in again.err


def test_a_door_in_a_cluster_names_the_cluster(project: Path, portway: CommandLine) -> None:
    ran = portway(*FLAGS[:4], "kubernetes", *FLAGS[5:], "--cluster", "prod-eu", "--to", A)
    assert (ran.code, ran.err) == (0, "")
    assert (project / DOOR_FILE).read_text() == (
        "config:\n"
        "  portway:spec: specs/chat.yaml\n"
        "  portway:door: {kind: kubernetes, region: europe-west4, cluster: prod-eu, "
        f'weights: {{"{A}": 100}}}}\n'
    )
    assert portway("check", "chat.prod.door").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*FLAGS,), "--to: is missing"),
        ((*FLAGS[:-1], "us-central1", "--to", A), "is outside the boundary eu"),
        ((*FLAGS, "--to", "chat.prod.nix"), "is no stack"),
        ((*FLAGS, "--to", A, "--target", "kubernetes"), "is not a front door's"),
        ((*FLAGS, "--to", A, "--cluster", "prod-eu"), "a door on Cloud Run has no cluster, remove it"),
        ((*FLAGS[:4], "kubernetes", *FLAGS[5:], "--to", A), "door.cluster: is not set"),
        ((*FLAGS[:4], "cloudrun", *FLAGS[5:], "--to", A), "is 'cloudrun'; choose one of cloud-run,"),
        (("new", "--name", "search", *FLAGS[3:], "--to", A), "has no spec (stacks/specs/search.yaml)"),
        (("new", "--name", "chat", "--to", A), "--to: goes with --door"),
    ],
)  # fmt: skip
def test_a_door_that_cannot_be_is_not_written(
    project: Path, portway: CommandLine, words: tuple[str, ...], said: str
) -> None:
    ran = portway(*words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert not (project / DOOR_FILE).exists()
