"""The ``portway`` command: a table of verbs, each imported only when it is called."""

import sys
from importlib import import_module

import click

from portway.errors import PortwayError

_VERBS = {
    "check": ("portway.cli.check", "Validate specs and placements. Pure: no network, no Pulumi."),
    "plan": ("portway.cli.plan", "Print what the target intends to create, as data."),
    "price": ("portway.cli.price", "Estimate what a stack costs a month, and at most."),
    "advise": ("portway.cli.advise", "Find the cheapest lawful place for a spec."),
    "rates": ("portway.cli.rates", "List what the vendors charge, who says so, and its age."),
    "models": ("portway.cli.models", "List the model catalogue."),
    "new": ("portway.cli.new", "Write a spec and its stack files."),
    "demo": (
        "portway.cli.demo",
        "One service on all three targets in the sandbox, and two refusals.",
    ),
    "compare": ("portway.cli.compare", "Say what moving a service to another stack changes."),
    "migrate": (
        "portway.cli.migrate",
        "Move a live service to another stack without a failed request.",
    ),
    "probe": ("portway.cli.probe", "Ask an endpoint what OpenAI's clients rely on."),
    "status": ("portway.cli.status", "Say what a stack runs, and its requests, errors and tokens."),
    "gate": ("portway.cli.gate", "Preview with both policy packs on; no login, no credentials."),
    "verify": ("portway.cli.verify", "Judge an attestation again, with no network."),
    "guardrails": ("portway.cli.guardrails", "Print the clouds' own policies for a boundary."),
    "sandbox": ("portway.cli.sandbox", "Start, stop and inspect the embedded clouds."),
    "up": ("portway.cli.up", "Run `pulumi up` with both packs, once no earlier one is unresolved."),
    "recover": ("portway.cli.recover", "Say what an interrupted `pulumi up` left, and resolve it."),
    "doctor": ("portway.cli.doctor", "Say what is installed, what is missing, what to do."),
}


class Verbs(click.Group):
    """Looks verbs up in the table, so that one verb never pays for another's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs, in the order people meet them."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The verb's ``command``, or None when there is no such verb."""
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(_VERBS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The help page, from the table alone."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in _VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portway", prog_name="portway")
def app() -> None:
    """One spec for an LLM inference service; three places to run it; refused before it leaks."""


def main() -> None:
    """Run the command and end with its exit code: 1 findings, 2 bad input, 3 missing or broken."""
    try:
        code: object = app.main(prog_name="portway", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("portway: stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except PortwayError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"portway: {where}{error.strerror or error}", err=True)
        sys.exit(3)
    sys.exit(code if isinstance(code, int) else 0)
