"""One verdict by every road: preview with packs, ``policy analyze``, the gate, the gate on a state."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from portway.gate.exported import read_states
from portway.gate.record import Record, read_events
from portway.gate.run import Policies, StackReport, Subject, Workshop, load_policies, run_gate
from portway.gate.state import judge_states
from support.gate_workshop import workshop
from support.packs import POLICIES
from support.sandbox_project import STACKS, SandboxProject, run

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

FOREIGN = """\
    import pulumi_gcp as gcp
    gcp.storage.Bucket("inside", location="EU")
    gcp.storage.Bucket("outside", location="us-central1")
    gcp.secretmanager.Secret("everywhere", secret_id="everywhere", replication={"auto": {}})
    gcp.secretmanager.Secret("here", secret_id="here", replication={
        "user_managed": {"replicas": [{"location": "europe-west4"}]}})
    """

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
REFERENCES = "residency-references-stay-inside"
Verdict = frozenset[tuple[str, str, str]]
"""Level, rule and URN of everything that was said."""


@pytest.fixture(scope="module")
def going() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture(scope="module")
def foreign(running: SandboxProject, tmp_path_factory: pytest.TempPathFactory) -> SandboxProject:
    """A program that uses none of our components, deployed without any pack."""
    folder = tmp_path_factory.mktemp("foreign")
    settings = (running.folder / "Pulumi.yaml").read_text().split("\n")
    assert settings[0].startswith("name:")
    virtualenv = f"{{name: python, options: {{virtualenv: {running.folder / '.venv'}}}}}"
    (folder / "Pulumi.yaml").write_text(f"name: foreign\nruntime: {virtualenv}\n")
    (folder / "Pulumi.dev.yaml").write_text("config:\n  gcp:project: acme-inference\n")
    (folder / "__main__.py").write_text(dedent(FOREIGN))
    environment = {**running.environment, "PULUMI_OPTION_CWD": str(folder)}
    made = SandboxProject(folder, environment)
    for words in (("stack", "init", "dev"), ("up", "--yes", "--stack", "dev")):
        done = made.pulumi(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    return made


def policies(tmp_path: Path, boundary: str) -> Policies:
    file = tmp_path / "residency.json"
    clusters = {"prod-eu": "europe-west4"}
    file.write_text(json.dumps({"residency": {"boundary": boundary, "clusters": clusters}}))
    return load_policies(POLICIES, {"residency": file})


def by_pulumi(project: SandboxProject, words: tuple[str, ...], judge_by: Policies) -> list[str]:
    packs = [
        word
        for pack in judge_by.for_engine
        for word in ("--policy-pack", str(pack.path), "--policy-pack-config", str(pack.config))
    ]
    environment = {**project.environment, "PULUMI_DEBUG_COMMANDS": "true"}
    done = run(("pulumi", "--non-interactive", *words, *packs), project.folder, environment)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


def said(record: Record | None) -> Verdict:
    assert record is not None
    return frozenset((one.level, one.rule, one.urn) for one in record.reported)


def read(lines: list[str]) -> Verdict:
    return said(read_events([json.loads(line) for line in lines if line.startswith("{")]))


def only(reports: tuple[StackReport, ...]) -> Verdict:
    (report,) = reports
    assert report.faults == ()
    return said(report.record)


def roads(
    project: SandboxProject, stack: str, tmp_path: Path, going: Workshop, judge_by: Policies
) -> Mapping[str, Verdict]:
    state, log = tmp_path / "state.json", tmp_path / "events.jsonl"
    export = ("stack", "export", "--stack", stack, "--show-secrets", "--file", str(state))
    done = project.pulumi(*export)
    assert done.returncode == 0, done.stderr
    by_pulumi(project, ("preview", "--stack", stack, "--event-log", str(log)), judge_by)
    analyze = ("policy", "analyze", "--file", str(state), "--json")
    subject = Subject(project.folder, stack)
    return {
        "pulumi preview --policy-pack": read(log.read_text().splitlines()),
        "pulumi policy analyze --file": read(by_pulumi(project, analyze, judge_by)),
        "portway gate": only(run_gate([subject], judge_by, going)),
        "portway gate --state": only(judge_states(read_states([state]), judge_by, going)),
    }


def disagreements(verdicts: Mapping[str, Verdict]) -> dict[str, list[tuple[str, str, str]]]:
    """By road, what only it said, or what only it did not say."""
    usual = verdicts["portway gate"]
    return {road: sorted(said ^ usual) for road, said in verdicts.items() if said != usual}


@pytest.mark.parametrize(
    "stack", [STACKS[0], *(pytest.param(s, marks=pytest.mark.long) for s in STACKS[1:])]
)
def test_our_stacks_pass_by_every_road(
    deployed: SandboxProject, going: Workshop, tmp_path: Path, stack: str
) -> None:
    verdicts = roads(deployed, stack, tmp_path, going, policies(tmp_path, "eu"))
    assert "mandatory" not in {level for level, _, _ in verdicts["portway gate"]}
    assert disagreements(verdicts) == {}


def test_a_stack_elsewhere_is_refused_by_every_road(
    deployed: SandboxProject, going: Workshop, tmp_path: Path
) -> None:
    verdicts = roads(
        deployed, "chat.prod.lambda-bedrock", tmp_path, going, policies(tmp_path, "us")
    )
    refused = [rule for level, rule, _ in verdicts["portway gate"] if level == "mandatory"]
    assert len(refused) > 5
    # Once deployed, the ARNs are known of what is outside, and so is who refers to it: an alarm its topic.
    every = {one for said in verdicts.values() for one in said}
    late = {one for one in every if one[1] == REFERENCES or ALARM in one[2]}
    assert disagreements({road: said - late for road, said in verdicts.items()}) == {}


def test_a_program_without_our_components_is_judged_alike_by_every_road(
    foreign: SandboxProject, going: Workshop, tmp_path: Path
) -> None:
    verdicts = roads(foreign, "dev", tmp_path, going, policies(tmp_path, "eu"))
    names = {
        urn.rpartition("::")[2]
        for level, _, urn in verdicts["portway gate"]
        if level == "mandatory"
    }
    assert names == {"outside", "everywhere"}
    assert disagreements(verdicts) == {}
