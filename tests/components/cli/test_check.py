import subprocess
import sys
from pathlib import Path

import pytest

from support.command_line import CommandLine
from support.desk import SPEC, SPEC_FILE, STACK, STACK_NAME, Desk

PROJECT = Path(__file__).resolve().parents[3]
CLOUD_RUN = "config:\n  portway:spec: specs/chat.yaml\n  portway:placement: {target: cloud-run, region: REGION}\n  gcp:project: acme-inference\n"  # fmt: skip
BEDROCK = "config:\n  portway:spec: specs/chat.yaml\n  portway:placement: {target: lambda-bedrock, region: REGION}\n"  # fmt: skip

BAD = {
    "unknown key": (
        STACK_NAME,
        SPEC.replace("max: 2", "maximum: 2"),
        STACK,
        f"{SPEC_FILE}:3: scaling.maximum: is not a field; did you mean max?",
    ),
    "wrong type": (
        STACK_NAME,
        SPEC.replace("max: 2", "max: two"),
        STACK,
        f"{SPEC_FILE}:3: scaling.max: is 'two', text; write a whole number (instances at most)",
    ),
    "max below min": (
        STACK_NAME,
        SPEC.replace("min: 1", "min: 3"),
        STACK,
        f"{SPEC_FILE}:3: scaling.max: is 2, below min, which is 3; raise max or lower min",
    ),
    "unknown model": (
        STACK_NAME,
        SPEC.replace("ministral-3-8b", "ministral-8b"),
        STACK,
        f"{SPEC_FILE}:2: model: 'ministral-8b' is not in the model catalogue; did you mean ",
    ),
    "model too large for one L4": (
        "chat.prod.cloud-run",
        SPEC.replace("ministral-3-8b", "qwen3-32b"),
        CLOUD_RUN.replace("REGION", "europe-west4"),
        f"{SPEC_FILE}:2: model: qwen3-32b needs 76.2 GB of GPU memory (65.53 GB of bf16 weights",
    ),
    "region without L4": (
        "chat.prod.cloud-run",
        SPEC,
        CLOUD_RUN.replace("REGION", "europe-north1"),
        "stacks/Pulumi.chat.prod.cloud-run.yaml:3: placement.region: 'europe-north1' does not sell ",
    ),
    "Bedrock model missing in the region": (
        "chat.prod.lambda-bedrock",
        SPEC,
        BEDROCK.replace("REGION", "eu-central-1"),
        "stacks/Pulumi.chat.prod.lambda-bedrock.yaml:3: placement.region: ",
    ),
    "bad name": (
        STACK_NAME,
        SPEC.replace("name: chat", "name: Chat_Service"),
        STACK,
        f"{SPEC_FILE}:1: name: is 'Chat_Service'; start with a lower-case letter, then use ",
    ),
    "empty file": (
        STACK_NAME,
        "",
        STACK,
        f"{SPEC_FILE}:1: the file is empty; describe the service or the stack in it",
    ),
    "not YAML": (
        STACK_NAME,
        "name: chat\nmodel: [ministral-3-8b\nscaling: {max: 1}\n",
        STACK,
        f"{SPEC_FILE}:3: is not YAML: ",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_stack_is_one_sentence_with_file_and_line_and_exit_code_2(
    desk: Desk, portway: CommandLine, case: str
) -> None:
    name, spec, stack, said = BAD[case]
    desk.write({SPEC_FILE: spec, f"stacks/Pulumi.{name}.yaml": stack})
    ran = portway("check", name)
    assert ran.code == 2
    assert ran.out == f"bad  {name}  1 problem\n"
    (line,) = ran.err.splitlines()
    assert line.startswith(said)


def test_all_bad_stacks_are_reported_at_once_and_a_shared_fault_once(
    desk: Desk, portway: CommandLine
) -> None:
    desk.stack(spec=SPEC + "nonsense: 1\n")
    desk.write({"stacks/Pulumi.chat.dev.paper.yaml": STACK.replace("region", "regoin")})
    ran = portway("check")
    assert ran.code == 2
    assert ran.out == "bad  chat.dev.paper   2 problems\nbad  chat.prod.paper  1 problem\n"
    assert ran.err.splitlines() == [
        "stacks/Pulumi.chat.dev.paper.yaml:3: placement.regoin: is not a field; did you mean region?",
        f"{SPEC_FILE}:6: nonsense: is not a field; remove it, or use one of name, model, interface, "
        "scaling, timeout_seconds, access, residency, budget, traffic",
    ]


def test_good_stacks_end_with_0(desk: Desk, portway: CommandLine) -> None:
    desk.stack()
    assert portway("check").out == f"ok   {STACK_NAME}  europe-paper1  ministral-3-8b\n"
    assert portway("check", STACK_NAME).code == 0


def test_json_is_one_document_with_file_and_line_apart(desk: Desk, portway: CommandLine) -> None:
    desk.stack(spec=SPEC.replace("max: 2", "max: 20"))
    ran = portway("check", "--json")
    assert (ran.code, ran.err) == (2, "")
    assert ran.json == {
        "stacks": [
            {
                "stack": STACK_NAME,
                "ok": False,
                "target": None,
                "region": None,
                "model": None,
                "problems": [
                    {
                        "file": SPEC_FILE,
                        "line": 3,
                        "path": "scaling.max",
                        "message": "is more than a desk holds",
                    }
                ],
            }
        ]
    }
    desk.stack()
    (stack,) = portway("check", "--json").json["stacks"]
    assert (stack["ok"], stack["target"], stack["region"]) == (True, "paper", "europe-paper1")


def test_a_project_without_stacks_is_told_how_to_get_one(desk: Desk, portway: CommandLine) -> None:
    ran = portway("check")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "stacks/ holds no stack; `portway new` writes the first\n"


def test_outside_a_project_the_answer_says_so(
    tmp_path: Path, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = portway("check")
    assert ran.code == 2
    assert "no Pulumi.yaml in this folder or above" in ran.err


def test_colours_are_for_terminals_that_want_them(desk: Desk, portway: CommandLine) -> None:
    desk.stack(spec=SPEC + "nonsense: 1\n")
    ran = portway("check", "--no-color")
    assert "\x1b" not in ran.out + ran.err


def test_checking_planning_and_pricing_import_no_pulumi() -> None:
    program = (
        "import sys\n"
        "from portway.cli.app import main\n"
        "for argv in (['check'], ['plan', 'chat.prod.cloud-run', '--json'], ['models', '--json'],\n"
        "             ['price', 'chat.prod.lambda-bedrock', '--json'], ['rates', '--json']):\n"
        "    sys.argv = ['portway', *argv]\n"
        "    try: main()\n"
        "    except SystemExit as ended: print(argv[0], ended.code, file=sys.stderr)\n"
        "heavy = {'pulumi', 'pulumi_aws', 'pulumi_gcp', 'boto3', 'grpc', 'httpx', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    told = [line for line in ran.stderr.splitlines() if " rates used are older than " not in line]
    assert told == [
        "check 0", "plan 0", "models 0", "price 0", "rates 0", "[]",
    ]  # fmt: skip
