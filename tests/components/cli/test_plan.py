from pathlib import Path

import pytest

from portway.spec.load import load_stack, plan_stack
from support.command_line import CommandLine
from support.desk import SPEC, SPEC_FILE, STACK_NAME, Desk
from support.paper_target import PaperPlan

ROOT = Path(__file__).resolve().parents[3]


def test_json_is_the_plan_exactly(desk: Desk, portway: CommandLine) -> None:
    desk.stack()
    ran = portway("plan", STACK_NAME, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert PaperPlan.model_validate_json(ran.out) == plan_stack(load_stack(desk.folder, STACK_NAME))


def test_people_get_a_tree_with_nothing_cut_and_nothing_absent(
    desk: Desk, portway: CommandLine
) -> None:
    desk.stack()
    ran = portway("plan", STACK_NAME)
    assert ran.code == 0
    assert [line.rstrip() for line in ran.out.splitlines()] == [
        STACK_NAME,
        "├── target  paper",
        "├── service  chat",
        "├── environment  prod",
        "├── region  europe-paper1",
        "├── model  ministral-3-8b",
        "├── model_identity  mistralai/Ministral-3-8B-Instruct-2512"
        "@5b26027e7b19eeb4b7352e1fed3926375dd2cb4d#fp8",
        "├── boundary  eu",
        "├── monthly_budget_usd  2500",
        "├── auth  api-key",
        "├── keys  1",
        "├── sheets  1",
        "├── instances  2",
        "├── args  --model mistralai/Ministral-3-8B-Instruct-2512",
        "├── drawers",
        "│   └── 1 top",
        "│       ├── name  top",
        "│       └── colour  [red]",
        "└── is_lined  yes",
    ]


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_refusal_is_on_stderr_with_file_and_line(
    desk: Desk, portway: CommandLine, flags: tuple[str, ...]
) -> None:
    desk.stack(spec=SPEC.replace("max: 2", "max: 20"))
    ran = portway("plan", STACK_NAME, *flags)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"{SPEC_FILE}:3: scaling.max: is more than a desk holds\n"


@pytest.mark.parametrize("target", ["cloud-run", "lambda-bedrock", "kubernetes"])
def test_each_note_has_a_line_of_its_own(
    target: str, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six sentences in one line were one that nobody could read."""
    monkeypatch.chdir(ROOT)
    stack = f"chat.prod.{target}"
    plan = plan_stack(load_stack(ROOT, stack))
    ran = portway("plan", stack)
    lines = [line.strip(" │├└─") for line in ran.out.splitlines()]
    numbered = [f"{place}  {note}" for place, note in enumerate(plan.notes, 1)]
    assert numbered
    begin = lines.index("notes") + 1
    assert lines[begin : begin + len(numbered)] == numbered
