"""``portway check``: validates specs and placements; pure, no network, no Pulumi."""

import click

from portway.cli.output import output_options, print_json, print_problems, problem_as_json, say
from portway.errors import BadInput, Problem
from portway.spec.load import Judgement, judge_stack
from portway.spec.project import find_project, stack_names, stacks_folder

BAD_INPUT = 2


@click.command()
@click.argument("stacks", nargs=-1, metavar="[STACK]...")
@output_options
def command(*, stacks: tuple[str, ...], as_json: bool, no_color: bool) -> int:
    """Validate stacks: their specs, their placements, and whether their targets can honour them.

    Every stack of the project where none is named. Pure: no network, no Pulumi, no credentials.
    Exit code 0 when all are valid, 2 when one is not.
    """
    project = find_project()
    names = dict.fromkeys(stacks or stack_names(project))
    if not names:
        folder = stacks_folder(project).name
        message = f"{folder}/ holds no stack; `portway new` writes the first"
        raise BadInput([Problem("", message)])
    judgements = [judge_stack(project, name) for name in names]
    if as_json:
        print_json({"stacks": [_as_json(judgement) for judgement in judgements]})
    else:
        _print(judgements, no_color=no_color)
    return BAD_INPUT if any(judgement.problems for judgement in judgements) else 0


def _print(judgements: list[Judgement], *, no_color: bool) -> None:
    width = max(len(judgement.name) for judgement in judgements)
    places = max((len(each.plan.region) for each in judgements if each.plan), default=0)
    for judgement in judgements:
        if judgement.plan is not None:
            about = f"{judgement.plan.region:<{places}}  {judgement.plan.model}"
            say(f"ok   {judgement.name:<{width}}  {about}", no_color=no_color, fg="green")
        else:
            count = len(judgement.problems)
            about = f"{count} problem{'s' if count > 1 else ''}"
            say(f"bad  {judgement.name:<{width}}  {about}", no_color=no_color, fg="red")
    problems = [problem for judgement in judgements for problem in judgement.problems]
    print_problems(problems, no_color=no_color)


def _as_json(judgement: Judgement) -> dict[str, object]:
    plan = judgement.plan
    return {
        "stack": judgement.name,
        "ok": not judgement.problems,
        "target": plan.target if plan else None,
        "region": plan.region if plan else None,
        "model": plan.model if plan else None,
        "problems": [problem_as_json(problem) for problem in judgement.problems],
    }
