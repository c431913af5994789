"""``portway status``: what is deployed, and its four signals of late, from where each target keeps them."""

import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from portway.cli.output import console, output_options, print_json, say
from portway.cli.stack_place import StackPlace, place_of
from portway.errors import BadInput, Missing, Problem
from portway.sayings import for_operators
from portway.spec.project import find_project
from portway.status.access import PROMETHEUS_VARIABLE, Access
from portway.status.deployed import Metered, Service, service_of
from portway.status.figures import Used

if TYPE_CHECKING:
    from rich.table import Table

    from portway.sandbox.layout import Layout
    from portway.status.read import Read

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400}
_LONGEST_SECONDS: Final = 30 * 86400
_MICRO: Final = 1_000_000


@click.command()
@click.argument("stack")
@click.option("--since", default="1h", show_default=True, help="How far back: 15m, 1h, 7d.")
@click.option(
    "--prometheus",
    metavar="URL",
    help=f"The Prometheus that scrapes the cluster, where one does; or ${PROMETHEUS_VARIABLE}.",
)
@click.option("--backend", metavar="URL", help="Where the state is; as for `portway recover`.")
@output_options
@click.pass_context
def command(
    context: click.Context, *, stack: str, since: str, prometheus: str | None,
    backend: str | None, as_json: bool, no_color: bool,
) -> None:  # fmt: skip
    """Say what STACK has deployed and how it does: requests, errors, time to first token, tokens.

    Reads the project's sandbox where there is one, else the state and the clouds of your own login.
    Exit code 1 where the stack has deployed nothing, or nothing whose signals are kept.
    """
    since_seconds = seconds_of(since)
    place = place_of(find_project(), stack, backend, unless_told="sandbox")
    service = service_of(place.state.read().get("deployment") or {})
    if service is None or service.kept is None:
        what = "nothing is deployed" if service is None else "nothing keeps its signals"
        document = {"stack": stack, "deployed": service is not None, "reason": what}
        if as_json:
            print_json(document)
        else:
            say(f"{stack} {place.said}: {what}", no_color=no_color, fg="yellow")
        context.exit(1)
    from portway.status.read import read_signals  # noqa: PLC0415 - only once there is what to read

    access = _access(place, prometheus)
    read = read_signals(service.kept, since_seconds, access)
    used, unread = _used(service.metered, access)
    if as_json:
        print_json(_document(stack, service, read, since_seconds, used, unread))
    else:
        say(f"{stack} {place.said}", no_color=no_color, bold=True)
        console(no_color=no_color).print(signal_table(service, read, since, used, unread))


def seconds_of(since: str) -> int:
    """The seconds of a while such as ``15m``, ``1h`` or ``7d``.

    Raises:
        BadInput: it is none, or longer than thirty days.
    """
    match = re.fullmatch(r"([0-9]{1,6})([mhd])", since)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST_SECONDS:
        message = f"is {since!r}; give minutes, hours or days up to 30d, such as 15m, 1h or 7d"
        raise BadInput([Problem("--since", message)])
    return seconds


def _access(place: StackPlace, prometheus: str | None) -> Access:
    told = prometheus or os.environ.get(PROMETHEUS_VARIABLE) or ""
    if told and not told.startswith(("http://", "https://")):
        message = f"is {told!r}; give an address with http:// or https://"
        raise BadInput([Problem("--prometheus", message)])
    if place.clouds is None:
        return Access(prometheus={"": told} if told else {})
    return _sandbox_access(place.clouds)


def _sandbox_access(layout: "Layout") -> Access:
    from portway.sandbox.dataplane import (  # noqa: PLC0415 - only for the sandbox
        cloudwatch,
        cloudwatch_logs,
        dynamodb,
        firestore,
        monitoring,
        prometheus,
    )
    from portway.sandbox.dataplane.amazon_cloud import DEPLOYER  # noqa: PLC0415 - as above
    from portway.sandbox.dataplane.prometheus import clusters  # noqa: PLC0415 - as above
    from portway.sandbox.store import Store  # noqa: PLC0415 - as above

    store = Store(layout.store)
    if not store.meta("daemon"):
        raise Missing("the sandbox does not run, and nobody counts there; `portway sandbox start`")

    def address(owner: str) -> str:
        return f"http://127.0.0.1:{store.port(owner)}"

    keys = {"aws_access_key_id": DEPLOYER, "aws_secret_access_key": DEPLOYER}
    return Access(
        monitoring=address(monitoring.OWNER),
        firestore=address(firestore.OWNER),
        google_token=DEPLOYER,
        aws={
            service: {"endpoint_url": address(owner), **keys}
            for service, owner in (
                ("cloudwatch", cloudwatch.OWNER),
                ("logs", cloudwatch_logs.OWNER),
                ("dynamodb", dynamodb.OWNER),
            )
        },
        prometheus=clusters(address(prometheus.OWNER), store),
        is_sandbox=True,
    )


def _used(metered: Metered | None, access: Access) -> tuple[Used | None, str]:
    """What the meter counted, or why that is not known."""
    if metered is None:
        return None, ""
    from portway.status.read import read_meter  # noqa: PLC0415 - only where something is metered

    try:
        return read_meter(metered, access), ""
    except Missing as error:
        return None, str(error)


def _document(
    stack: str, service: Service, read: "Read", since_seconds: int, used: Used | None, unread: str
) -> dict[str, Any]:
    figures, outputs = read.figures, service.outputs
    meter = None if used is None else {
        "month": used.month,
        **{
            name: {"used": count, "limit": used.limits.get(name)}
            for name, count in used.counted.items()
        },
    }  # fmt: skip
    return {
        "stack": stack,
        "deployed": True,
        **{
            name: outputs.get(name) for name in ("target", "region", "service", "model", "endpoint")
        },
        "last_change": service.last_change or None,
        "source": read.source,
        "since_seconds": since_seconds,
        "requests": figures.requests,
        "errors": dict(figures.errors),
        "to_do": list(for_operators(figures.errors)),
        "first_token_seconds": {
            "p50": figures.first_token_p50_seconds,
            "p95": figures.first_token_p95_seconds,
        },
        "tokens": {"input": figures.input_tokens, "output": figures.output_tokens},
        "instances": figures.instances,
        "meter": meter,
        "meter_unread": unread or None,
    }


def signal_table(
    service: Service, read: "Read", since: str, used: Used | None, unread: str
) -> "Table":
    """What was read, for people."""
    from rich.table import Table  # noqa: PLC0415 - only people need it

    outputs, figures = service.outputs, read.figures
    failed = sum(figures.errors.values())
    classes = ", ".join(f"{name} {count}" for name, count in figures.errors.items())
    p50, p95 = figures.first_token_p50_seconds, figures.first_token_p95_seconds
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column("", style="bold", no_wrap=True)
    table.add_column("", overflow="fold")
    rows = (
        ("service", f"{outputs.get('service')}, {outputs.get('model')}"),
        ("runs", f"{outputs.get('target')}, {outputs.get('region')}, {outputs.get('endpoint')}"),
        ("last change", _ago(service.last_change)),
        (f"last {since}", f"by {read.source}"),
        ("requests", f"{figures.requests:,}"),
        ("errors", f"{failed:,} ({classes})" if classes else f"{failed:,}"),
        (
            "first token",
            "no streamed answer" if p50 is None else f"p50 {p50:.3f} s, p95 {p95:.3f} s",
        ),
        ("tokens", f"{figures.input_tokens:,} read, {figures.output_tokens:,} written"),
        ("instances", "not known" if figures.instances is None else f"{figures.instances:,}"),
        ("meter", _meter(used) if used else unread or "nothing is metered"),
    )
    for name, value in rows:
        table.add_row(name, value)
    for advice in for_operators(figures.errors):
        table.add_row("to do", advice)
    return table


def _meter(used: Used) -> str:
    parts = [
        _amount(name, count, used.limits[name])
        for name, count in used.counted.items()
        if name in used.limits
    ]
    return f"{used.month}: {', '.join(parts)}"


def _amount(name: str, count: int, limit: int) -> str:
    if name == "micro_usd":
        return f"{count / _MICRO:.2f} of {limit / _MICRO:.2f} USD"
    return f"{count:,} of {limit:,} {name}"


def _ago(written: str) -> str:
    try:
        then = datetime.fromisoformat(written)
    except ValueError:
        return "not known"
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    minutes = max(int((datetime.now(UTC) - then).total_seconds() // 60), 0)
    days, hours = minutes // 1440, minutes // 60
    ago = f"{days} days" if days > 1 else f"{hours} hours" if hours > 1 else f"{minutes} minutes"
    return f"{then.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {ago} ago"
