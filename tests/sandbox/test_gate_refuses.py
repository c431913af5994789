"""The gate end to end: the real engine, the real packs, stand-in plugins, nothing created."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from portway.gate.run import StackReport, Subject, Verdict, Workshop
from support.gate_workshop import judged, judged_program, our_project, program, refusals, workshop

pytestmark = pytest.mark.sandbox

REGION = "residency-region-inside-boundary"
ROUTE = "residency-inference-profile-stays-inside"
SPEC = """\
    name: chat
    model: ministral-3-8b
    scaling: {min: 0, max: 1, concurrency: 8}
    residency: eu
    budget: {monthly_usd: 2500}
    """


def leaks(report: StackReport) -> list[tuple[str, str]]:
    """What the residency pack refuses; what it costs is for other tests."""
    return [one for one in refusals(report) if one[0].startswith("residency-")]


@pytest.fixture(scope="module")
def going() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


def test_our_own_stacks_pass_in_europe_and_are_refused_elsewhere(
    tmp_path: Path, going: Workshop
) -> None:
    def cloud_run(region: str) -> str:
        return f"""\
            config:
              portway:spec: specs/chat.yaml
              portway:placement: {{target: cloud-run, region: {region}}}
              gcp:project: acme-inference
            """

    stacks = {
        "chat.prod.cloud-run": cloud_run("europe-west4"),
        "chat.us.cloud-run": cloud_run("us-central1"),
    }
    project = our_project(tmp_path / "ours", stacks, SPEC)
    reports = judged(going, [Subject(project, name) for name in stacks])

    inside = reports["chat.prod.cloud-run"]
    assert (inside.verdict, inside.faults, refusals(inside)) == (Verdict.PASSED, (), [])
    assert inside.judged > 5

    outside = reports["chat.us.cloud-run"]
    assert (outside.verdict, outside.faults) == (Verdict.REFUSED, ())
    found = refusals(outside)
    rules = {"residency-code-runs-inside", "residency-keys-stay-inside", REGION}
    assert {rule for rule, _ in found} == rules
    assert (REGION, "gcp:cloudrunv2/service:Service chat-service") in found
    assert outside.record is not None
    message = next(
        one.message
        for one in outside.record.refusals
        if one.rule == REGION and "Service chat-service " in one.message
    )
    assert "is in us-central1 (location), outside the boundary eu" in message
    assert "choose a region inside it, such as europe-" in message


def test_more_gpus_than_the_organisation_allows_are_refused(
    tmp_path: Path, going: Workshop
) -> None:
    spec = SPEC.replace("max: 1", "max: 5")
    stack = """\
        config:
          portway:spec: specs/chat.yaml
          portway:placement: {target: cloud-run, region: europe-west4}
          gcp:project: acme-inference
        """
    project = our_project(tmp_path / "ours", {"chat.big.cloud-run": stack}, spec)
    report = judged(going, [Subject(project, "chat.big.cloud-run")])["chat.big.cloud-run"]
    assert report.verdict is Verdict.REFUSED
    found = refusals(report)
    assert ("cost-gpus-within-limit", "gcp:cloudrunv2/service:Service chat-service") in found
    assert {rule for rule, _ in found} == {"cost-gpus-within-limit", "cost-monthly-within-budget"}


def test_a_region_known_only_after_deployment_is_refused(tmp_path: Path, going: Workshop) -> None:
    folder = program(
        tmp_path / "late",
        """\
        import pulumi_gcp as gcp
        first = gcp.storage.Bucket("first", location="europe-west4")
        gcp.storage.Bucket("second", location=first.url.apply(lambda _: "europe-west4"))
        """,
    )
    report = judged_program(going, folder)
    assert report.verdict is Verdict.REFUSED
    assert leaks(report) == [(REGION, "gcp:storage/bucket:Bucket second")]
    assert report.record is not None
    (message,) = [one.message for one in report.record.refusals if one.rule == REGION]
    assert "known only after deployment" in message


def test_profiles_that_leave_europe_are_refused_wherever_they_stand(
    tmp_path: Path, going: Workshop
) -> None:
    folder = program(
        tmp_path / "profiles",
        """\
        import json
        import pulumi
        import pulumi_aws as aws
        trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                "Principal": {"Service": "lambda.amazonaws.com"}}]}
        own = pulumi.ResourceOptions(provider=aws.Provider("ireland", region="eu-west-1"))
        role = aws.iam.Role("role", assume_role_policy=json.dumps(trust), opts=own)
        aws.iam.RolePolicy("policy", role=role.name, opts=own, policy=json.dumps({"Statement": [
            {"Effect": "Allow", "Action": "bedrock:InvokeModel",
             "Resource": "arn:aws:bedrock:::foundation-model/*"}]}))
        for name, model in {
            "worldwide": "bedrock:global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "american": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "european": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        }.items():
            aws.lambda_.Function(
                name, role=role.arn, runtime="python3.13", handler="main.handler",
                code=pulumi.AssetArchive({"main.py": pulumi.StringAsset("def handler(*_): ...")}),
                reserved_concurrent_executions=2,
                environment={"variables": {"MODEL": model, "ROLE": role.arn}}, opts=own)
        """,
    )
    report = judged_program(going, folder)
    assert (report.verdict, report.faults) == (Verdict.REFUSED, ())
    assert leaks(report) == [
        (ROUTE, "aws:iam/rolePolicy:RolePolicy policy"),
        (ROUTE, "aws:lambda/function:Function american"),
        (ROUTE, "aws:lambda/function:Function worldwide"),
    ]


def test_a_program_that_registers_nothing_was_not_judged(tmp_path: Path, going: Workshop) -> None:
    report = judged_program(going, program(tmp_path / "empty", "import pulumi\n"))
    assert report.verdict is Verdict.FAILED
    assert report.faults == ("the program registered no resource, so nothing was judged",)


def test_a_program_that_crashes_was_not_judged_and_says_its_own_error(
    tmp_path: Path, going: Workshop
) -> None:
    folder = program(
        tmp_path / "crash",
        """\
        import pulumi_gcp as gcp
        gcp.storage.Bucket("first", location="europe-west4")
        raise RuntimeError("no such thing")
        """,
    )
    report = judged_program(going, folder)
    assert report.verdict is Verdict.FAILED
    assert any("no such thing" in fault for fault in report.faults)


def test_the_stack_files_of_a_project_stay_as_they_are(tmp_path: Path, going: Workshop) -> None:
    folder = program(
        tmp_path / "plain",
        """\
        import pulumi
        import pulumi_random as random
        random.RandomPassword("key", length=pulumi.Config().require_int("length"))
        """,
    )
    text = "config:\n  foreign:length: '20'\n  foreign:token:\n    secure: v1:abc:def\n"
    file = folder / "Pulumi.dev.yaml"
    file.write_text(text)
    report = judged_program(going, folder)
    assert (report.stack, report.verdict, report.judged) == ("dev", Verdict.PASSED, 1)
    assert file.read_text() == text
