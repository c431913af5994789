"""``portway verify``: an attestation judged again, with no network."""

from pathlib import Path

import click

from portway.cli.output import output_options, print_json, say
from portway.gate.attest.shape import StackSaid
from portway.gate.attest.verify import Attestation, read, verify


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@output_options
def command(*, file: Path, as_json: bool, no_color: bool) -> int:
    """Judge the attestation in FILE again: its digest, its tables, and every hop's verdict.

    Everything is recomputed from what FILE records and the tables of this installation: no network,
    no engine, no cloud account. A digest finds changes; it does not say who wrote the document.

    Exit code 0: it holds, and attests; 1: it does not; 2: it is no attestation of this version;
    3: there is no such file.
    """
    given = read(file)
    findings = verify(given)
    if as_json:
        print_json(as_document(given, findings))
    else:
        _print(given, findings, no_color=no_color)
    return 1 if findings else 0


def as_document(given: Attestation, findings: tuple[str, ...]) -> dict[str, object]:
    """The result for programs."""
    said = given.said
    return {
        "holds": not findings,
        "digest": said.digest,
        "issued_at": said.issued_at,
        "findings": list(findings),
        "stacks": [
            {
                "stack": one.stack,
                "verdict": one.verdict.value,
                "boundary": list(one.boundary),
                "hops": len(one.hops),
            }
            for one in said.stacks
        ],
    }


def _print(given: Attestation, findings: tuple[str, ...], *, no_color: bool) -> None:
    for one in given.said.stacks:
        say(f"{one.stack}: {one.verdict}, {_summary(one)}", no_color=no_color)
    for finding in findings:
        say(finding, no_color=no_color, fg="red")
    if not findings:
        say(f"holds: {given.said.digest}", no_color=no_color, fg="green")


def _summary(one: StackSaid) -> str:
    said = ", ".join(f"{count} {verdict.value}" for verdict, count in one.counts.items() if count)
    within = " and ".join(one.boundary) or "no boundary"
    return f"{len(one.hops)} hops of {within} ({said or 'none'})"
