import json
import subprocess
import sys

import pytest

from support.command_line import CommandLine


def test_one_format_is_printed_as_its_tool_takes_it(portway: CommandLine) -> None:
    ran = portway("guardrails", "--boundary", "eu", "--format", "aws-scp")
    assert ran.code == 0
    assert [one["Effect"] for one in json.loads(ran.out)["Statement"]] == ["Deny"] * 5
    assert "does not cover the management account" in ran.err


def test_all_formats_are_printed_each_under_its_name(portway: CommandLine) -> None:
    ran = portway("guardrails", "--boundary", "de")
    assert ran.code == 0
    heads = [line for line in ran.out.splitlines() if line.startswith("# ") and ": " in line[:20]]
    assert [head.split(":")[0] for head in heads] == [
        "# aws-scp",
        "# aws-iam",
        "# gcp-org-policy",
        "# kubernetes-vap",
    ]


def test_json_holds_every_document_and_what_could_not_be_made(portway: CommandLine) -> None:
    document = portway("guardrails", "--boundary", "nl", "--json").json
    assert [one["format"] for one in document["guardrails"]] == ["gcp-org-policy", "kubernetes-vap"]
    assert [one["format"] for one in document["refused"]] == ["aws-scp", "aws-iam"]
    assert set(document["as_of"]) == {"boundaries.json", "bedrock_profiles.json", "guardrails.json"}
    values = document["guardrails"][0]["documents"][0]["document"]["spec"]["rules"][0]["values"]
    assert values == {"allowedValues": ["in:europe-west4-locations"]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--boundary", "europe"), "'europe' is not a boundary"),
        (("--boundary", "eu", "--boundary", "us"), "no region is inside eu and us"),
        (("--boundary", "nl", "--format", "aws-scp"), "no AWS region is inside nl"),
        ((), "--boundary"),
        (("--boundary", "eu", "--format", "azure"), "azure"),
    ],
)
def test_bad_input_is_said_and_ends_with_2(
    portway: CommandLine, arguments: tuple[str, ...], says: str
) -> None:
    ran = portway("guardrails", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_printing_guardrails_loads_no_pulumi() -> None:
    program = (
        "import sys; import portway.cli.guardrails, portway.cli.verify; "
        "print(sorted(m for m in sys.modules if m.split('.')[0].startswith(('pulumi', 'boto', 'grpc'))))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
