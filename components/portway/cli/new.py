"""``portway new``: writes a spec and a stack file that are known to be valid."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from portway.cli.draft import Draft, spec_text, stack_text
from portway.cli.output import output_options, print_json, say
from portway.errors import BadInput, Problem
from portway.models import catalogue
from portway.registry import door_kinds, registered
from portway.spec.document import parse_document, read_document, shown
from portway.spec.load import Judgement, judge
from portway.spec.project import find_project, stacks_folder
from portway.spec.service import NAME_PATTERN

NAME_RULE = (
    "start with a lower-case letter, then use lower-case letters, digits and hyphens, at most 40"
)
_REQUIRED = ("name", "model", "target", "region")


@click.command()
@click.option("--name", help="The service's name, a DNS label.")
@click.option("--model", help="A row of `portway models`.")
@click.option("--target", help="Where it runs: a target.")
@click.option(
    "--door", metavar="KIND", help="Instead of a target: a front door of that kind, before --to."
)
@click.option(
    "--to",
    "ends",
    multiple=True,
    metavar="STACK",
    help="What the front door leads to; repeatable. The first gets everything.",
)
@click.option("--region", help="The cloud region it runs in.")
@click.option("--cluster", help="The kubeconfig context, where the target has clusters.")
@click.option("--env", "environment", default="prod", show_default=True, help="The environment.")
@click.option("--residency", multiple=True, help="A boundary; repeat it to be inside several.")
@click.option("--min", "minimum", type=int, help="Instances kept warm. [default: 0]")
@click.option("--max", "maximum", type=int, help="Instances at most. [default: 1]")
@click.option("--concurrency", type=int, help="Requests one instance serves at once. [default: 8]")
@click.option("--auth", help="api-key or iam. [default: api-key]")
@click.option("--reach", help="public or private. [default: public]")
@click.option("--budget", help="The most it may cost a month, in USD.")
@click.option("--monthly-requests", type=int, help="Requests a month; those beyond are refused.")
@click.option("--monthly-tokens", type=int, help="Tokens read and written a month, likewise.")
@click.option(
    "--alert-email", "alert_emails", multiple=True, help="Who is told of the spending; repeatable."
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the target; a list as [a, b].",
)
@click.option(
    "--config",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Other configuration, such as gcp:project=acme.",
)
@output_options
def command(*, as_json: bool, no_color: bool, **given: Any) -> None:  # noqa: ANN401 - one per option
    """Write a spec and its stack file, checked by the same rules as everything else.

    Asks for what is missing when a person is there to answer. Where the service has a spec already,
    only a further stack is written. With --door that stack is the service's front door. Never overwrites. Exit code 2, and nothing written, where the
    target could not honour the result.
    """
    project = find_project()
    folder = stacks_folder(project)
    draft = Draft.of(given)
    asks = sys.stdin.isatty() and not as_json and not draft.door
    draft = _ask(draft, folder) if asks else draft
    _refuse_incomplete(draft, folder)
    judgement = _judged(draft, folder)
    while judgement.problems and asks and (more := _ask_settings(draft, judgement)):
        draft = more
        judgement = _judged(draft, folder)
    if judgement.problems:
        raise BadInput(judgement.problems)
    written = _write(draft, folder)
    _report(draft, written, as_json=as_json, no_color=no_color)


def _ask(draft: Draft, folder: Path) -> Draft:
    """Ask for every required value that no flag gave, and for the spec's main ones."""
    name = draft.name or _prompt("service name", "chat", _a_name)
    draft = replace(draft, name=name)
    target = draft.target or _choose("target", registered())
    region = draft.region or _prompt("region")
    draft = replace(draft, target=target, region=region)
    if draft.spec_path(folder).exists():
        return draft
    model = draft.model or _choose("model", tuple(catalogue()))
    residency = draft.residency or tuple(_prompt("residency (a boundary)", "eu").split())
    minimum = (
        draft.minimum
        if draft.minimum is not None
        else int(_prompt("instances kept warm", "0", _a_number))
    )
    maximum = (
        draft.maximum
        if draft.maximum is not None
        else int(_prompt("instances at most", "1", _a_number))
    )
    budget = draft.budget or _prompt("budget, USD a month (empty for none)", "", _an_amount)
    return replace(
        draft,
        model=model,
        residency=residency,
        minimum=minimum,
        maximum=maximum,
        budget=budget or None,
    )


def _ask_settings(draft: Draft, judgement: Judgement) -> Draft | None:
    """Ask for settings (``gcp:project``) and the cluster that the target misses; None if neither."""
    paths = [problem.path for problem in judgement.problems]
    missing = {path.removeprefix("placement.settings.") for path in paths if ":" in path}
    wanted = sorted(missing - draft.settings.keys())
    settings = {**draft.settings, **{key: _prompt(key) for key in wanted}}
    needs_cluster = "placement.cluster" in paths and not draft.cluster
    if not wanted and not needs_cluster:
        return None
    cluster = _prompt("cluster (a kubeconfig context)") if needs_cluster else draft.cluster
    return replace(draft, settings=settings, cluster=cluster)


def _refuse_incomplete(draft: Draft, folder: Path) -> None:
    """Flags that are missing or no names, and files that exist: all said at once."""
    unusable = [
        Problem(flag, f"is {value!r}; {NAME_RULE}")
        for flag, value in (("--name", draft.name), ("--env", draft.environment))
        if value and not re.fullmatch(NAME_PATTERN, value)
    ]
    if draft.target and draft.target not in registered():
        message = f"is {draft.target!r}; choose one of {', '.join(registered())}"
        unusable.append(Problem("--target", message))
    unusable += _about_doors(draft, folder)
    if unusable:
        raise BadInput(unusable)
    has_spec = bool(draft.name) and draft.spec_path(folder).exists()
    known = {*(("model",) if has_spec else ()), *(("target",) if draft.door else ())}
    needed = [name for name in _REQUIRED if name not in known]
    problems = [
        Problem(f"--{name}", "is missing; give it (a terminal would be asked)")
        for name in needed
        if not getattr(draft, name)
    ]
    if has_spec and draft.describes_a_spec:
        message = f"{shown(draft.spec_path(folder))} exists; leave out what describes the spec to add a stack to it, or change that file"
        problems.append(Problem("--name", message))
    if not problems and draft.stack_path(folder).exists():
        message = f"{shown(draft.stack_path(folder))} exists, and nothing is overwritten; change that file, or choose another --env"
        problems.append(Problem("--env", message))
    if problems:
        raise BadInput(problems)


def _about_doors(draft: Draft, folder: Path) -> list[Problem]:
    """A door stands before stacks of a service that is there; it has a kind, and no target."""
    if not draft.door:
        return [Problem("--to", "goes with --door, a kind of front door")] if draft.ends else []
    kinds = tuple(door_kinds())
    problems: list[Problem] = []
    if draft.door not in kinds:
        problems.append(Problem("--door", f"is {draft.door!r}; choose one of {', '.join(kinds)}"))
    if draft.target:
        problems.append(Problem("--target", "is not a front door's; leave it out"))
    if not draft.ends:
        problems.append(Problem("--to", "is missing; name the stack that gets everything first"))
    if draft.name and not draft.spec_path(folder).exists():
        message = f"has no spec ({shown(draft.spec_path(folder))}); write the service first"
        problems.append(Problem("--name", message))
    return problems


def _judged(draft: Draft, folder: Path) -> Judgement:
    """What ``check`` would say of the files, before there are any."""
    stack = parse_document(stack_text(draft), shown(draft.stack_path(folder)))
    spec = draft.spec_path(folder)
    if spec.exists():
        return judge(draft.stack_name, stack, lambda text: read_document(folder / text))
    return judge(draft.stack_name, stack, lambda _: parse_document(spec_text(draft), shown(spec)))


def _write(draft: Draft, folder: Path) -> list[Path]:
    files: Mapping[Path, str] = {
        draft.spec_path(folder): spec_text(draft),
        draft.stack_path(folder): stack_text(draft),
    }
    written: list[Path] = []
    for file, text in files.items():
        if file == draft.spec_path(folder) and file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            message = f"cannot be written: {error.strerror or error}; check the folder"
            raise BadInput([Problem("", message, shown(file))]) from None
        written.append(file)
    return written


def _report(draft: Draft, written: list[Path], *, as_json: bool, no_color: bool) -> None:
    stack = draft.stack_name
    following = [
        f"portway plan {stack}",
        f"portway gate {stack}",
        f"pulumi stack init {stack} && pulumi up --stack {stack}",
    ]
    if as_json:
        files = [shown(file) for file in written]
        print_json({"stack": stack, "written": files, "next": following})
        return
    for file in written:
        say(f"wrote {shown(file)}", no_color=no_color, fg="green")
    say("next:", no_color=no_color)
    for line in following:
        say(f"  {line}", no_color=no_color)


def _prompt(
    text: str, default: str | None = None, read: Callable[[str], object] | None = None
) -> str:
    """The answer; asked again as long as ``read`` does not understand it."""
    return str(click.prompt(text, default=default, value_proc=read, err=True))


def _a_name(answer: str) -> str:
    if not re.fullmatch(NAME_PATTERN, answer):
        raise click.BadParameter(f"{answer!r} is no name; {NAME_RULE}")
    return answer


def _a_number(answer: str) -> int:
    if not answer.isdecimal():
        raise click.BadParameter(f"{answer!r} is not a whole number")
    return int(answer)


def _an_amount(answer: str) -> str:
    if answer and not re.fullmatch(r"\d+(\.\d+)?", answer):
        raise click.BadParameter(f"{answer!r} is not an amount; write it as 2500")
    return answer


def _choose(text: str, names: tuple[str, ...]) -> str:
    return str(click.prompt(text, type=click.Choice(names), default=names[0], err=True))
