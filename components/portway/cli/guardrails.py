"""``portway guardrails``: the clouds' own policies for a boundary."""

import click

from portway.cli.output import output_options, print_json, say
from portway.errors import BadInput, Problem
from portway.gate.guardrails.build import FORMATS, Made, as_text, guardrails
from portway.gate.guardrails.document import TABLE, Document, Guardrail
from portway.gate.tables import table
from portway.residency.boundary import Boundary, boundary
from portway.residency.tables import table as residency_table

_ALL = "all"


@click.command()
@click.option(
    "--boundary",
    "names",
    multiple=True,
    required=True,
    help="Such as eu. Given more than once, it means inside all of them.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice([*FORMATS, _ALL]),
    default=_ALL,
    show_default=True,
    help="Which policy to print.",
)
@output_options
def command(*, names: tuple[str, ...], format_name: str, as_json: bool, no_color: bool) -> int:
    """Print the cloud policies that hold data inside a boundary, whoever deploys.

    They come from the tables that the residency pack judges by. One format alone is printed as the
    vendor's tool takes it; what it leaves open goes to stderr.

    Exit code 2: no such boundary, or no region of that cloud is inside it.
    """
    inside = _boundary(names)
    made = guardrails(inside, FORMATS if format_name == _ALL else (format_name,))
    if not made.guardrails:
        raise BadInput([Problem("--boundary", why) for why in made.refused.values()])
    if as_json:
        print_json(as_document(inside, made))
    elif format_name == _ALL:
        _print_all(made, no_color=no_color)
    else:
        click.echo(as_text(made.guardrails[0]).rstrip("\n"))
        _print_notes(made.guardrails[0], no_color=no_color)
    return 0


def as_document(inside: Boundary, made: Made) -> dict[str, object]:
    """The guardrails for programs."""
    return {
        "boundary": list(inside.names),
        "as_of": {
            name: residency_table(name)["as_of"]
            for name in ("boundaries.json", "bedrock_profiles.json")
        }
        | {TABLE: table(TABLE)["as_of"]},
        "guardrails": [
            {
                "format": one.format,
                "documents": [_document(document) for document in one.documents],
                "does_not_cover": list(one.does_not_cover),
            }
            for one in made.guardrails
        ],
        "refused": [{"format": name, "reason": why} for name, why in made.refused.items()],
    }


def _boundary(names: tuple[str, ...]) -> Boundary:
    """The boundary inside all of ``names``.

    Raises:
        BadInput: with the option's name as its path.
    """
    try:
        return boundary(names)
    except BadInput as error:
        problems = [Problem("--boundary", problem.message) for problem in error.problems]
        raise BadInput(problems) from None


def _document(one: Document) -> dict[str, object]:
    return {
        "name": one.name,
        "characters": one.characters,
        "limit": one.limit,
        "document": dict(one.content),
    }


def _print_all(made: Made, *, no_color: bool) -> None:
    for one in made.guardrails:
        say(f"# {one.format}: {_sizes(one)}", no_color=no_color, bold=True)
        click.echo(as_text(one).rstrip("\n"))
        for gap in one.does_not_cover:
            say(f"# does not cover {gap}", no_color=no_color)
        click.echo()
    for name, why in made.refused.items():
        say(f"# {name}: none: {why}", no_color=no_color, bold=True)


def _print_notes(one: Guardrail, *, no_color: bool) -> None:
    say(f"{one.format}: {_sizes(one)}", no_color=no_color, err=True)
    for gap in one.does_not_cover:
        say(f"does not cover {gap}", no_color=no_color, err=True)


def _sizes(one: Guardrail) -> str:
    return ", ".join(
        f"{document.name} ({document.characters} of {document.limit} characters)"
        if document.limit
        else document.name
        for document in one.documents
    )
