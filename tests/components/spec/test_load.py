from pathlib import Path

import pytest

from portway.errors import BadInput, Problem, Refused
from portway.spec.load import judge_stack, load_spec, load_stack, plan_stack
from portway.spec.project import find_project, stack_names
from support.desk import SPEC, SPEC_FILE, STACK, STACK_FILE, STACK_NAME, Desk

PROJECT = Path(__file__).resolve().parents[3]


def problems(desk: Desk, name: str = STACK_NAME) -> list[str]:
    return [str(problem) for problem in judge_stack(desk.folder, name).problems]


def placement(text: str) -> str:
    return STACK.replace("{target: paper, region: europe-paper1}", text)


@pytest.mark.parametrize("name", stack_names(PROJECT))
def test_every_stack_of_the_repository_can_be_read(name: str) -> None:
    stack = load_stack(PROJECT, name)
    assert stack.name == f"{stack.spec.name}.{stack.placement.environment}.{stack.placement.target}"


def test_a_stack_is_its_spec_and_its_placement(desk: Desk) -> None:
    desk.stack(stack=STACK + "  paper:colour: white\n  paper:tray: {size: 4, is_open: true}\n")
    stack = load_stack(desk.folder, STACK_NAME)
    assert stack.spec == load_spec(desk.folder / SPEC_FILE).spec
    assert stack.placement.model_dump() == {
        "target": "paper",
        "region": "europe-paper1",
        "environment": "prod",
        "cluster": None,
        "keys": ("1",),
        "door": None,
        "options": {},
        "settings": {"paper:colour": "white", "paper:tray": '{"size":4,"is_open":true}'},
    }
    assert plan_stack(stack).model_dump()["instances"] == 2


def test_a_secret_is_allowed_and_goes_nowhere(desk: Desk) -> None:
    secret = "v1:AAAA:topsecret"
    desk.stack(
        stack=f"{STACK}  paper:token: {{secure: {secret}}}\n  paper:nested: [{{a: {{secure: {secret}}}}}]\n"
    )
    stack = load_stack(desk.folder, STACK_NAME)
    assert stack.placement.settings == {}
    assert secret not in str(judge_stack(desk.folder, STACK_NAME).plan)


def test_problems_of_both_files_are_said_at_once_each_with_its_line(desk: Desk) -> None:
    desk.stack(
        spec=SPEC.replace("min: 1", "min: 5").replace("eu", "europe") + "extra: 1\n",
        stack=placement("{target: paper, regoin: europe-paper1, keys: [a, a]}") + "  portway:spce: x\n",
    )  # fmt: skip
    assert problems(desk) == [
        f"{STACK_FILE}:3: placement.regoin: is not a field; did you mean region?",
        f"{STACK_FILE}:4: portway:spce: is not a setting of portway; did you mean portway:spec?",
        f"{SPEC_FILE}:3: scaling.max: is 2, below min, which is 5; raise max or lower min",
        f"{SPEC_FILE}:4: residency: 'europe' is not a boundary; choose among " + BOUNDARIES,
        f"{SPEC_FILE}:6: extra: is not a field; remove it, or use one of name, model, interface, "
        "scaling, timeout_seconds, access, residency, budget, traffic",
    ]


BOUNDARIES = (
    "eu, eea, ae, au, be, bh, br, ca, ch, cl, cn, de, es, fi, fr, hk, id, ie, il, in, it, jp, kr, mx, "
    "my, nl, nz, pl, qa, sa, se, sg, th, tw, uk, us, za, us-gov"
)


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        ("", f"{STACK_FILE}:1: the file is empty; describe the service or the stack in it"),
        ("confg: {}\n", f"{STACK_FILE}:1: confg: is not a field; did you mean config?"),
        ("config:\n", f"{STACK_FILE}:1: config: holds nothing; write `config:` with portway:spec and portway:placement in it"),
        (STACK.replace("portway:spec", "spec"), f"{STACK_FILE}:2: spec: is not a setting of portway; did you mean portway:spec?"),
        (STACK.replace("specs/chat.yaml", "specs/none.yaml"), f"{STACK_FILE}:2: portway:spec: stacks/specs/none.yaml there is no such file; check its name, or write it with `portway new`"),
        (STACK.replace("specs/chat.yaml", "[1]"), f"{STACK_FILE}:2: portway:spec: is a list; name the spec's file, such as specs/chat.yaml"),
        (placement("paper"), f"{STACK_FILE}:3: placement: is text; write {{target: …, region: …}}"),
        (placement("{secure: AAA}"), f"{STACK_FILE}:3: placement: is encrypted; a placement is no secret: set it as plain text"),
        (placement("{target: paper}"), f"{STACK_FILE}:3: placement.region: is missing; add `region:`"),
        (placement("{target: papper, region: x}"), f"{STACK_FILE}:3: placement.target: 'papper' is not a target; did you mean paper? choose one of cloud-run, lambda-bedrock, kubernetes, paper"),
        (placement("{target: paper, region: 7}"), f"{STACK_FILE}:3: placement.region: is 7, a whole number; write text"),
        (placement("{target: paper, region: x, environment: dev}"), f"{STACK_FILE}:3: placement.environment: is not a field; remove it, or use one of target, region, cluster, keys, options"),
        (placement("{target: paper, region: europe-paper1, keys: [a, a]}"), f"{STACK_FILE}:3: placement.keys: names a key generation twice; give each its own name"),
        (placement("{target: paper, region: europe-paper1, keys: [/x]}"), f"{STACK_FILE}:3: placement.keys[0]: is '/x'; start with a lower-case letter or a digit, then use lower-case letters, digits and hyphens"),
        (placement("{target: paper, region: europe-paper1, options: {sheet: 1}}"), f"{STACK_FILE}:3: placement.options.sheet: is not a field; did you mean sheets?"),
        (placement("{target: paper, region: europe-paper1, options: {sheets: many}}"), f"{STACK_FILE}:3: placement.options.sheets: is 'many', text; write a whole number"),
    ],
)  # fmt: skip
def test_a_stack_file_at_fault_is_answered_with_its_line(desk: Desk, stack: str, said: str) -> None:
    desk.stack(stack=stack)
    assert said in problems(desk)
    with pytest.raises(BadInput) as caught:
        plan_stack(load_stack(desk.folder, STACK_NAME))
    assert said in str(caught.value).splitlines()


def test_a_stack_is_called_after_its_service_and_its_target(desk: Desk) -> None:
    desk.write({"stacks/Pulumi.talk.prod.cloud-run.yaml": STACK, SPEC_FILE: SPEC})
    desk.write({"stacks/Pulumi.chat-prod.yaml": STACK})
    assert problems(desk, "talk.prod.cloud-run") == [
        "stacks/Pulumi.talk.prod.cloud-run.yaml:2: portway:spec: names a spec of the service 'chat', "
        "but the stack is one of 'talk'; rename one of them",
        "stacks/Pulumi.talk.prod.cloud-run.yaml:3: placement.target: is 'paper', but the stack's name "
        "ends in 'cloud-run'; make them one",
    ]
    assert problems(desk, "chat-prod") == [
        "stacks/Pulumi.chat-prod.yaml:1: the stack's name 'chat-prod' is not "
        "<service>.<environment>.<target>, such as chat.prod.cloud-run; rename the file and the stack"
    ]


def test_a_targets_reasons_are_placed_in_the_file_that_they_speak_of(desk: Desk) -> None:
    desk.stack(
        spec=SPEC.replace("max: 2", "max: 11").replace("ministral-3-8b", "qwen3-32b"),
        stack="config:\n  portway:spec: specs/chat.yaml\n  paper:colour: ''\n  portway:placement:\n"
        "    target: paper\n    region: mars\n    options:\n      sheets: 0\n",
    )
    with pytest.raises(Refused) as caught:
        plan_stack(load_stack(desk.folder, STACK_NAME))
    assert caught.value.target == "paper"
    placed = {problem.path: problem.where for problem in caught.value.problems}
    assert placed == {
        "placement.region": f"{STACK_FILE}:6",
        "model": f"{SPEC_FILE}:2",
        "scaling.max": f"{SPEC_FILE}:3",
        "placement.options.sheets": f"{STACK_FILE}:8",
        "paper:colour": f"{STACK_FILE}:3",
    }


def test_traffic_that_the_model_cannot_carry_is_refused_on_every_target(desk: Desk) -> None:
    desk.stack(
        spec=f"{SPEC}traffic: {{requests_per_day: 1, input_tokens: 600, output_tokens: 9000}}\n"
    )
    assert problems(desk) == [
        f"{SPEC_FILE}:6: traffic.output_tokens: is 9000; ministral-3-8b answers with at most 4096 tokens; "
        "lower it or choose another model"
    ]
    desk.stack(spec=f"{SPEC}traffic: {{requests_per_day: 1, input_tokens: 32700}}\n")
    assert problems(desk) == [
        f"{SPEC_FILE}:6: traffic.input_tokens: and output_tokens make 32900; ministral-3-8b is served "
        "with a context of 32768 tokens; lower them or choose another model"
    ]


def test_an_unknown_stack_is_answered_with_those_there_are(desk: Desk) -> None:
    desk.stack()
    assert judge_stack(desk.folder, "chat.prod.papr").problems == (
        Problem(
            "",
            "there is no stack 'chat.prod.papr'; did you mean chat.prod.paper? "
            "the project has chat.prod.paper",
            "stacks/Pulumi.chat.prod.papr.yaml",
        ),
    )


def test_the_project_is_the_nearest_folder_upward(desk: Desk) -> None:
    inner = desk.folder / "stacks" / "specs"
    inner.mkdir(parents=True)
    assert find_project(inner) == desk.folder.resolve()
    with pytest.raises(BadInput, match=r"no Pulumi\.yaml in this folder or above"):
        find_project(Path("/"))


def test_stack_files_are_where_the_project_says(desk: Desk) -> None:
    desk.write({"Pulumi.yaml": "name: desk\nruntime: python\n", "Pulumi.a.b.paper.yaml": STACK})
    assert stack_names(desk.folder) == ("a.b.paper",)
    desk.write({"Pulumi.yaml": "name: desk\nruntime: python\n\nstackConfigDir: [a]\n"})
    with pytest.raises(BadInput, match=r"Pulumi\.yaml:4: stackConfigDir: is not text"):
        stack_names(desk.folder)
