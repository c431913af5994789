"""The packs under plain ``pulumi``, without our gate: what anybody's program meets."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portway.engine.environment import engine_environment
from portway.engine.mirror import mirror
from portway.engine.stack import Outcome, Pack, Stack
from support.engine_projects import the_engine
from support.gate_workshop import program, workshop
from support.packs import POLICIES

pytestmark = pytest.mark.sandbox

BUCKET = """\
    import pulumi_gcp as gcp
    gcp.storage.Bucket("data", location="{location}")
    """

PROJECT = f"name: foreign\nruntime: {{name: python, options: {{virtualenv: {sys.prefix}}}}}\n"


def previewed(tmp_path: Path, location: str, config: dict[str, Any] | None) -> Outcome:
    folder = program(tmp_path / "foreign", BUCKET.format(location=location))
    (folder / "Pulumi.yaml").write_text(PROJECT)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    with workshop() as made:
        shown = mirror(folder, made.places.root / "project")
        environment = engine_environment(made.places, the_engine(), project=shown)
        stack = Stack(shown, "dev", the_engine(), environment)
        return stack.preview([Pack(POLICIES / "residency", file if config is not None else None)])


REGION = "residency-region-inside-boundary"


def messages(outcome: Outcome) -> list[tuple[str, str]]:
    """What the rule on places says; what a stack lacks is advised beside it."""
    said = [(one["enforcementLevel"], one["message"].split("\n")[1]) for one in outcome.violations]
    return [(level, text) for level, text in said if text.startswith(f"[{REGION}]")]


def test_a_stack_that_declares_nothing_is_refused_without_configuration(tmp_path: Path) -> None:
    outcome = previewed(tmp_path, "europe-west4", None)
    assert not outcome.succeeded
    ((level, text),) = messages(outcome)
    assert level == "mandatory"
    assert text.startswith(f"[{REGION}] the stack cannot be judged: no boundary")


def test_any_policy_of_a_pack_configures_all_of_them(tmp_path: Path) -> None:
    outcome = previewed(tmp_path, "us-central1", {"residency-whole-stack": {"boundary": "eu"}})
    assert not outcome.succeeded
    ((level, text),) = messages(outcome)
    assert level == "mandatory"
    assert "gcp:storage/bucket:Bucket data is in us-central1 (location)" in text


def test_a_misspelt_key_stops_the_run_and_says_the_right_one(tmp_path: Path) -> None:
    outcome = previewed(tmp_path, "europe-west4", {"residency": {"boundry": "eu"}})
    assert not outcome.succeeded
    assert "did you mean boundary?" in f"{outcome.stdout}{outcome.stderr}"
    assert outcome.changes == {}


def test_an_advisory_rule_reports_and_lets_pass(tmp_path: Path) -> None:
    rules = {REGION: "advisory"}
    outcome = previewed(tmp_path, "us-central1", {"residency": {"boundary": "eu", "rules": rules}})
    assert outcome.succeeded
    ((level, text),) = messages(outcome)
    assert level == "advisory"
    assert "us-central1" in text


def test_a_state_is_judged_as_a_program_is(tmp_path: Path) -> None:
    urn = "urn:pulumi:dev::foreign::"
    provider = f"{urn}pulumi:providers:gcp::default"
    unique = "aa2f2a8a-0000-0000-0000-000000000001"
    settings = {"version": "10.2.0"}
    bucket = {
        "urn": f"{urn}gcp:storage/bucket:Bucket::data",
        "type": "gcp:storage/bucket:Bucket",
        "custom": True,
        "id": "data",
        "inputs": {"location": "us-central1"},
        "outputs": {"location": "US-CENTRAL1"},
        "provider": f"{provider}::{unique}",
    }
    resources = [
        {
            "urn": provider,
            "type": "pulumi:providers:gcp",
            "custom": True,
            "id": unique,
            "inputs": settings,
            "outputs": settings,
        },
        bucket,
    ]
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    pack = ["--policy-pack", POLICIES / "residency"]
    with workshop() as made:
        done = subprocess.run(
            [
                made.engine.path,
                "policy",
                "analyze",
                *pack,
                "--policy-pack-config",
                POLICIES / "residency.json",
                "--file",
                state,
                "--json",
            ],
            cwd=tmp_path,
            env=engine_environment(made.places, made.engine),
            capture_output=True,
            text=True,
            check=False,
        )
    events = [json.loads(line) for line in done.stdout.splitlines() if line]
    said = [event["policyEvent"]["message"] for event in events if "policyEvent" in event]
    assert done.returncode == 1
    (placed,) = (one for one in said if f"[{REGION}]" in one)
    assert "data is in us-central1 (location), outside the boundary eu" in placed
