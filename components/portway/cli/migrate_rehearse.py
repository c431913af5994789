"""``portway migrate --rehearse``: the whole move in a sandbox of its own, under load."""

from typing import TYPE_CHECKING

from portway.cli.migrate_output import follower
from portway.cli.migrate_tools import Workplace
from portway.cli.output import console, print_json, say
from portway.portability.keeping import Kept
from portway.portability.move_plan import MovePlan
from portway.portability.rehearsal import Rehearsed, backend_of, copied, for_rehearsal, rehearse

if TYPE_CHECKING:
    from portway.cli.migrate import Asked


def rehearsed(asked: "Asked", plan: MovePlan) -> int:
    """Rehearse, and say what to expect; returns the exit code: 0 where no client noticed."""
    plan = for_rehearsal(plan)
    clients = asked.clients or _as_declared(plan)

    def tell_person(text: str) -> None:
        say(text, no_color=asked.no_color, err=True)

    # what the door's file lacks is said before anything is copied
    Workplace(asked.project, plan, asked.backend, asked.prompts)
    with copied(asked.project, plan.move, tell_person) as copy:
        place = Workplace(copy, plan, backend_of(copy), asked.prompts)
        kept = Kept.of(copy, plan.move.service, plan.move.environment)
        with place.lease(kept) as lease, follower(no_color=asked.no_color) as tell:
            found = rehearse(copy, plan, place.tools(lease), clients, tell, tell_person)
    if asked.as_json:
        print_json(_document(found, plan, clients))
    else:
        _print(found, plan, clients, no_color=asked.no_color)
    return 0 if found.is_good else 1


def _document(found: Rehearsed, plan: MovePlan, clients: int) -> dict[str, object]:
    counts = found.counts
    return {
        "from": plan.move.source,
        "to": plan.move.destination,
        "outcome": found.outcome.value,
        "clients": clients,
        "answered": counts.answered,
        "failed": counts.failed,
        "cut_short": counts.cut,
        "answered_twice": counts.twice,
        "slowest_first_token_seconds": round(counts.slowest_first_token_seconds, 3),
        "errors": dict(counts.errors),
        "seconds": found.seconds,
        "both_running_at_most_usd": None
        if found.cost_at_most_usd is None
        else str(found.cost_at_most_usd),
    }


def _as_declared(plan: MovePlan) -> int:
    """Clients that one warm instance has room for, beside the requests of the controller itself."""
    scaling = plan.comparison.before.spec.scaling
    return max(1, max(1, scaling.min) * scaling.concurrency // 2)


def _print(found: Rehearsed, plan: MovePlan, clients: int, *, no_color: bool) -> None:
    on = console(no_color=no_color)
    on.print(
        f"{plan.move.source} → {plan.move.destination}, in the sandbox: [bold]{found.outcome}[/]"
    )
    for step, seconds in found.seconds.items():
        on.print(f"  {step:<10} {seconds:6.1f} s")
    on.print(f"{clients} clients: {found.counts}")
    if plan.at_most_usd_per_hour is not None:
        on.print(
            f"while both run: {plan.at_most_usd_per_hour:,.2f} USD an hour at most; here that would have "
            f"been {found.cost_at_most_usd} USD"
        )
    on.print(
        "Real clouds take longer to create and to start a model; the order, the guards and what "
        "clients see are the same."
    )
