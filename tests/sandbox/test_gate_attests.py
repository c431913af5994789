"""Evidence end to end: our own stacks are attested from the real engine's events, a leaking one is not."""

import json
from pathlib import Path

import pytest

from portway.gate.attest.gated import attest, write
from portway.gate.attest.verify import read, verify
from portway.gate.report import GateReport
from portway.gate.run import Subject, run_gate
from portway.gate.session import utc_today
from support.gate_workshop import ROOT, policies, program, workshop

pytestmark = pytest.mark.sandbox

LEAKS = """\
    import pulumi, pulumi_gcp as gcp
    bucket = gcp.storage.Bucket("data", location="us-central1")
    gcp.storage.Bucket("later", location=bucket.id)
    gcp.secretmanager.SecretVersion("key", secret="projects/p/secrets/key",
                                    secret_data=pulumi.Output.secret("hunter2"))
    """
STACKS = ("chat.prod.cloud-run", "chat.prod.kubernetes", "chat.prod.lambda-bedrock")


def test_our_stacks_are_attested_and_a_leaking_one_is_refused(tmp_path: Path) -> None:
    foreign = program(tmp_path / "foreign", LEAKS)
    subjects = [*(Subject(ROOT, name) for name in STACKS), Subject(foreign, "gate")]
    with workshop() as going:
        found = run_gate(subjects, policies(), going)
    report = GateReport(found, policies().packs, policies().configs, utc_today())
    document = attest(report)
    file = tmp_path / "attestation.json"
    write(document, file)

    stacks = {one["stack"]: one for one in document["stacks"]}
    assert {name: one["verdict"] for name, one in stacks.items()} == {
        **dict.fromkeys(STACKS, "attested"),
        "gate": "refused",
    }
    models = [
        (hop["model"], [place["place"] for place in hop["places"]])
        for name in STACKS
        for hop in stacks[name]["hops"]
        if hop["kind"] == "model"
    ]
    weights = "mistralai/Ministral-3-8B-Instruct-2512"
    assert models == [
        (weights, ["europe-west4"]),
        (weights, ["europe-west4"]),
        ("mistral.ministral-3-8b-instruct", ["eu-west-1"]),
    ]
    assert all("logs" in {hop["kind"] for hop in stacks[name]["hops"]} for name in STACKS[::2])
    counts = stacks["gate"]["counts"]
    assert (counts["outside"], counts["undetermined"] > 0) == (1, True)
    assert "hunter2" not in file.read_text()

    findings = verify(read(file))
    assert findings
    assert all(finding.startswith("gate: is refused") for finding in findings)
    whole = json.loads(file.read_text())
    assert (whole["attested"], whole["tools"]["engine"] != "") == (False, True)
