"""``portway compare``: for people, for a pull request, for programs; exit 1 where the spec would break."""

import pytest

from support.command_line import CommandLine
from support.desk import SPEC as DECLARED
from support.desk import STACK, Desk

A, B = "chat.prod.paper", "chat.next.paper"
SPEC = DECLARED.replace("residency: eu\n", "")  # a desk of paper is in no country
TRAFFIC = "traffic: {requests_per_day: 2000, input_tokens: 600, output_tokens: 200}\n"


@pytest.fixture
def two(desk: Desk) -> Desk:
    desk.stack(spec=SPEC + TRAFFIC)
    desk.write({f"stacks/Pulumi.{B}.yaml": STACK})
    return desk


def test_the_document_has_the_keys_that_programs_rely_on(two: Desk, portway: CommandLine) -> None:
    ran = portway("compare", A, B, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert list(ran.json) == [
        "from", "to", "model", "breaks_the_spec", "differences", "both_running_usd_per_hour",
    ]  # fmt: skip
    assert ran.json["from"] == {
        "stack": A, "target": "paper", "region": "europe-paper1",
        "modelIdentity": ran.json["to"]["modelIdentity"], "monthly": ran.json["to"]["monthly"],
    }  # fmt: skip
    assert (ran.json["model"], ran.json["breaks_the_spec"]) == ("equal", False)
    assert [one["what"] for one in ran.json["differences"]] == ["environment", "API keys"]
    assert ran.json["both_running_usd_per_hour"] == {"expected": "1.00", "at_most": "2.00"}


def test_a_move_that_breaks_the_spec_is_exit_1_in_every_form(
    two: Desk, portway: CommandLine
) -> None:
    two.write({"stacks/specs/small.yaml": (SPEC + TRAFFIC).replace("max: 2", "max: 1")})
    two.write({f"stacks/Pulumi.{B}.yaml": STACK.replace("specs/chat", "specs/small")})
    people, pull_request = portway("compare", A, B), portway("compare", A, B, "--markdown")
    assert [people.code, pull_request.code, portway("compare", A, B, "--json").code] == [1, 1, 1]
    assert "the move breaks the spec: 1 of the above" in people.out
    assert "**The move breaks the spec.**" in pull_request.out
    assert "| breaks | scaling.max | 2 | 1<br>the other stack's spec does not ask for as much |" in pull_request.out  # fmt: skip


def test_prices_stand_beside_each_other(two: Desk, portway: CommandLine) -> None:
    two.write({f"stacks/Pulumi.{B}.yaml": STACK.replace("europe-paper1}", "europe-paper1, options: {sheets: 2}}")})  # fmt: skip
    ran = portway("compare", A, B, "--markdown")
    assert "| ceiling | 730.00 | 1,460.00 | +730.00 |" in ran.out


def test_everything_wrong_with_both_stacks_is_said_at_once(two: Desk, portway: CommandLine) -> None:
    for name in (A, B):
        two.write({f"stacks/Pulumi.{name}.yaml": STACK.replace("europe-paper1", f"{name[5:9]}-paper")})  # fmt: skip
    ran = portway("compare", A, B)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("has no paper") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((A, "chat.gone.paper"), "chat.gone.paper"),
        ((A, B, "--json", "--markdown"), "give one"),
        ((A,), "Missing argument 'STACK_B'"),
    ],
)
def test_bad_input_is_exit_2(
    words: tuple[str, ...], message: str, two: Desk, portway: CommandLine
) -> None:
    ran = portway("compare", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
