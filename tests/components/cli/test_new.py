import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portway.cli import new
from portway.cli.draft import Draft, spec_text, stack_text
from portway.spec.document import parse_document
from support.command_line import CommandLine
from support.desk import SPEC_FILE, STACK_FILE, Desk

FLAGS = ("--name", "chat", "--target", "paper", "--region", "europe-paper1")
MODEL = ("--model", "ministral-3-8b")


def test_flags_alone_write_a_spec_and_a_stack_that_check_accepts(
    desk: Desk, portway: CommandLine
) -> None:
    ran = portway(
        "new", *FLAGS, *MODEL, "--residency", "eu", "--residency", "nl", "--min", "1", "--max", "2",
        "--budget", "2500", "--option", "sheets=4", "--config", "paper:colour=off",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    assert desk.text(SPEC_FILE) == (
        "name: chat\n"
        "model: ministral-3-8b\n"
        "scaling: {min: 1, max: 2, concurrency: 8}\n"
        "access: {auth: api-key, reach: public}\n"
        "residency: [eu, nl]\n"
        "budget: {monthly_usd: 2500}\n"
    )
    assert desk.text(STACK_FILE) == (
        "config:\n"
        "  portway:spec: specs/chat.yaml\n"
        "  portway:placement: {target: paper, region: europe-paper1, options: {sheets: 4}}\n"
        '  paper:colour: "off"\n'
    )
    assert ran.out.splitlines() == [
        f"wrote {SPEC_FILE}",
        f"wrote {STACK_FILE}",
        "next:",
        "  portway plan chat.prod.paper",
        "  portway gate chat.prod.paper",
        "  pulumi stack init chat.prod.paper && pulumi up --stack chat.prod.paper",
    ]
    assert portway("check").code == 0


def test_limits_of_use_and_who_is_told_are_written_beside_the_budget(
    desk: Desk, portway: CommandLine
) -> None:
    ran = portway(
        "new", *FLAGS, *MODEL, "--budget", "2500", "--monthly-requests", "60000",
        "--monthly-tokens", "50000000", "--alert-email", "ml@example.com",
        "--alert-email", "on-call+llm@example.com", "--config", "paper:colour=white",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    assert parse_document(desk.text(SPEC_FILE), "spec").data["budget"] == {
        "monthly_usd": 2500,
        "monthly_requests": 60_000,
        "monthly_tokens": 50_000_000,
        "alert_emails": ["ml@example.com", "on-call+llm@example.com"],
    }


def test_a_limit_of_use_needs_a_budget(desk: Desk, portway: CommandLine) -> None:
    ran = portway("new", *FLAGS, *MODEL, "--monthly-requests", "0")
    assert ran.code == 2
    assert [line.split(": ", 2)[1] for line in ran.err.splitlines()] == [
        "budget.monthly_usd",
        "budget.monthly_requests",
    ]
    assert desk.files() == []


def test_a_second_stack_shares_the_spec(desk: Desk, portway: CommandLine) -> None:
    portway("new", *FLAGS, *MODEL)
    before = desk.text(SPEC_FILE)
    ran = portway("new", *FLAGS, "--env", "dev", "--json")
    assert ran.json["written"] == ["stacks/Pulumi.chat.dev.paper.yaml"]
    assert desk.text(SPEC_FILE) == before
    assert portway("check").code == 0


def test_nothing_is_overwritten(desk: Desk, portway: CommandLine) -> None:
    portway("new", *FLAGS, *MODEL)
    before = {name: desk.text(name) for name in desk.files()}
    again = portway("new", *FLAGS)
    assert again.code == 2
    assert again.err == (
        f"--env: {STACK_FILE} exists, and nothing is overwritten; change that file, "
        "or choose another --env\n"
    )
    other = portway("new", *FLAGS, *MODEL, "--env", "dev")
    assert other.code == 2
    assert other.err.startswith(f"--name: {SPEC_FILE} exists; leave out what describes the spec")
    assert {name: desk.text(name) for name in desk.files()} == before


def test_what_a_target_refuses_is_never_written(desk: Desk, portway: CommandLine) -> None:
    ran = portway("new", *FLAGS, "--model", "qwen3-32b", "--max", "11")
    assert ran.code == 2
    assert [line.split(": ")[:2] for line in ran.err.splitlines()] == [
        [f"{SPEC_FILE}:2", "model"],
        [f"{SPEC_FILE}:3", "scaling.max"],
    ]
    assert desk.files() == []


def test_every_missing_flag_is_named_at_once(desk: Desk, portway: CommandLine) -> None:
    ran = portway("new")
    assert ran.code == 2
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == [
        "--name",
        "--model",
        "--target",
        "--region",
    ]
    assert desk.files() == []


def test_names_that_are_no_names_are_refused_before_any_path_is_made(
    desk: Desk, portway: CommandLine
) -> None:
    ran = portway("new", "--name", "../../x", "--env", "A", "--target", "mars", "--region", "r")
    assert ran.code == 2
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == [
        "--name",
        "--env",
        "--target",
    ]
    assert portway("new", *FLAGS, *MODEL, "--option", "sheets").err == (
        "--option: is 'sheets'; write KEY=VALUE\n"
    )
    assert portway("new", "--name", "x" * 400, *FLAGS[2:], *MODEL).code == 2


def test_a_person_is_asked_for_what_is_missing(
    desk: Desk, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        "service name": "chat",
        "region": "europe-paper1",
        "residency (a boundary)": "eu nl",
        "instances kept warm": "1",
        "instances at most": "2",
        "budget, USD a month (empty for none)": "",
        "paper:colour": "white",
    }
    asked: list[str] = []

    def answer(text: str, *_: object) -> str:
        asked.append(text)
        return answers[text]

    def choose(text: str, _: tuple[str, ...]) -> str:
        return {"model": MODEL[1], "target": "paper"}[text]

    monkeypatch.setattr(new, "_prompt", answer)
    monkeypatch.setattr(new, "_choose", choose)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    ran = portway("new", "--config", "paper:colour=")
    assert (ran.code, ran.err) == (2, f"{STACK_FILE}:4: paper:colour: is not set\n")
    assert asked == list(answers)[:-1]
    assert portway("new").code == 0
    assert "residency: [eu, nl]" in desk.text(SPEC_FILE)
    assert "budget" not in desk.text(SPEC_FILE)


def test_an_answer_that_is_none_is_asked_again(
    desk: Desk, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["My Chat", "chat", "-1", "one", "1", "2", "lots", "2500"])

    def typed(_: str) -> str:
        return next(answers)

    monkeypatch.setattr("click.termui.visible_prompt_func", typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    given = (*MODEL, *FLAGS[2:], "--residency", "eu", "--config", "paper:colour=white")
    ran = portway("new", *given)
    assert (ran.code, next(answers, None)) == (0, None)
    assert [line.partition(";")[0] for line in ran.err.splitlines() if line] == [
        "Error: 'My Chat' is no name",
        "Error: '-1' is not a whole number",
        "Error: 'one' is not a whole number",
        "Error: 'lots' is not an amount",
    ]
    assert "scaling: {min: 1, max: 2, concurrency: 8}\n" in desk.text(SPEC_FILE)


@pytest.mark.parametrize(
    ("given", "read"),
    [("[a@b, user:c]", ["a@b", "user:c"]), ("[]", []), ("[4]", [4]), ("[", "["), ("true", True)],
)
def test_an_option_may_be_a_list(given: str, read: object) -> None:
    draft = Draft(
        name="chat", model="m", target="paper", region="r", cluster=None, environment="prod",
        residency=(), minimum=None, maximum=None, concurrency=None, auth=None, reach=None,
        budget=None, options={"o": given}, settings={},
    )  # fmt: skip
    config = parse_document(stack_text(draft), "stack").data["config"]
    assert config["portway:placement"]["options"] == {"o": read}


WORDS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=15
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(WORDS, WORDS, st.lists(WORDS, max_size=3), st.dictionaries(st.from_regex(r"[a-z]{1,4}:[a-z]{1,4}", fullmatch=True), WORDS, max_size=3))  # fmt: skip
def test_whatever_is_answered_reads_back_as_text(
    name: str, region: str, residency: list[str], settings_: dict[str, str]
) -> None:
    draft = Draft(
        name=name, model=region, target=name, region=region, cluster=name, environment="prod",
        residency=tuple(residency), minimum=None, maximum=None, concurrency=None, auth=None,
        reach=None, budget=None, options={}, settings=settings_,
    )  # fmt: skip
    spec = parse_document(spec_text(draft), "spec").data
    assert (spec["name"], spec["model"]) == (name, region)
    expected = residency[0] if len(residency) == 1 else residency
    assert spec.get("residency", []) == expected
    config = parse_document(stack_text(draft), "stack").data["config"]
    placement = {"target": name, "region": region, "cluster": name}
    assert config == {
        "portway:spec": f"specs/{name}.yaml",
        "portway:placement": placement,
        **settings_,
    }
