"""The gate judges a program that reads other stacks, the cloud, and providers nobody has embedded."""

from pathlib import Path

import pytest

from portway.gate.run import StackReport, Verdict, run_gate, subjects_of
from support.gate_workshop import policies, program, workshop

pytestmark = pytest.mark.sandbox

PROGRAM = """\
    from pathlib import Path

    import pulumi
    import pulumi_gcp as gcp
    from pulumi.dynamic import Resource, ResourceProvider

    landing = pulumi.StackReference("landing", stack_name="acme/landing/prod")
    key = gcp.kms.CryptoKey.get("key", "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k")
    name = Path("name.txt").read_text().strip()
    gcp.storage.Bucket(name, location="europe-west4", labels={"team": landing.get_output("team")})
    gcp.storage.Bucket("keyed", location="europe-west4", encryption={"default_kms_key_name": key.id})
    gcp.storage.Bucket("elsewhere", location=landing.require_output("region"))


    class Anything(ResourceProvider):
        def create(self, props):
            raise AssertionError("a gate deploys nothing")


    class Ours(Resource):
        out: pulumi.Output[int]


    Ours(Anything(), "ours", {"out": None})
    """


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> StackReport:
    folder = program(tmp_path_factory.mktemp("looking") / "foreign", PROGRAM)
    (folder / "Pulumi.dev.yaml").write_text(
        "config:\n  gcp:project: p\n  gcp:region: europe-west4\n"
    )
    (folder / "name.txt").write_text("plain\n")
    with workshop() as going:
        (found,) = run_gate(subjects_of(folder), policies(), going)
    return found


def refused(report: StackReport) -> dict[str, list[str]]:
    assert report.record is not None
    found: dict[str, list[str]] = {}
    for one in report.record.refusals:
        if one.rule.startswith("residency-"):
            found.setdefault((one.urn or "").rsplit("::", 1)[-1], []).append(one.rule)
    return found


def test_it_is_judged_whole_and_nothing_fails(report: StackReport) -> None:
    assert (report.faults, report.verdict) == ((), Verdict.REFUSED)


def test_only_what_a_rule_must_know_is_refused(report: StackReport) -> None:
    found = refused(report)
    assert "plain" not in found
    assert found["elsewhere"] == ["residency-region-inside-boundary"]
    assert found["keyed"] == ["residency-keys-stay-inside"]
    assert found["ours"] == ["residency-type-is-read"]


def test_what_was_looked_up_is_said(report: StackReport) -> None:
    (hint,) = report.hints
    assert "gcp:kms/cryptoKey:CryptoKey key, pulumi:pulumi:StackReference landing; " in hint


def test_the_programs_own_files_are_where_it_looks_for_them(tmp_path: Path) -> None:
    folder = program(tmp_path / "foreign", "raise ValueError('my own')")
    with workshop() as going:
        (found,) = run_gate(subjects_of(folder), policies(), going)
    (fault,) = found.faults
    assert f'File "{folder}/__main__.py", line 1' in fault
    assert "portway_gate" not in fault
    assert "lookups.py" not in fault
