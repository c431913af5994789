"""Drift runs: judging what was deployed, from the JSON that ``pulumi stack export`` writes."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from portway.engine.analyze import analyze
from portway.engine.environment import engine_environment
from portway.gate.costs import COSTS
from portway.gate.costs import read as read_costs
from portway.gate.exported import Row, State
from portway.gate.record import is_managed, read_events, texts_of
from portway.gate.run import Policies, StackReport, Workshop, faults_of

_BLIND = "could not decrypt secrets"
_PASSPHRASE = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def judge_states(
    states: Sequence[State],
    policies: Policies,
    workshop: Workshop,
    on_done: Callable[[StackReport], object] = lambda _: None,
    deadline_seconds: float | None = None,
) -> tuple[StackReport, ...]:
    """What the packs say of each state, by the engine's own ``policy analyze``."""
    given = {name: os.environ[name] for name in _PASSPHRASE if name in os.environ}

    def judge(numbered: tuple[int, State]) -> StackReport:
        number, state = numbered
        costs = workshop.places.root / f"state-{number}.costs.json"
        environment = {
            **engine_environment(workshop.places, workshop.engine),
            **given,
            **policies.environment,
            COSTS: str(costs),
        }
        packs = policies.for_engine
        outcome = analyze(state.file, packs, workshop.engine, environment, deadline_seconds)
        errors = () if outcome.succeeded or outcome.violations else (outcome.stderr.strip(),)
        seen = read_events(outcome.events, errors)
        kept = [row for row in state.rows if not row.get("delete")]
        urns = tuple(row["urn"] for row in kept if _is_judged(row))
        # The engine ends with an error unless it asked every pack about every resource kept.
        record = replace(
            seen,
            registered=urns,
            components=frozenset(row["urn"] for row in kept if not row.get("custom")),
            analysed=dict.fromkeys(seen.packs, frozenset(urns)),
            whole=seen.packs,
            texts=frozenset(text for row in kept for text in texts_of(row)),
        )
        if record.components.issuperset(urns) and not errors:
            faults = ("the state holds no resource, so nothing was judged",)
        else:
            faults = faults_of(outcome, record, policies)
        hints = tuple(_hints(state, is_blind=_BLIND in outcome.stderr))
        report = StackReport(
            state.stack,
            record,
            faults,
            state=state.file,
            hints=hints,
            resources=tuple(kept),
            engine=str(workshop.engine.version),
            costs=read_costs(costs),
        )
        on_done(report)
        return report

    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(judge, enumerate(states)))


def _hints(state: State, *, is_blind: bool) -> Iterator[str]:
    """What of the state no rule could see."""
    if is_blind:
        yield (
            f"{state.file}: {_many(state.secrets, 'value')} encrypted; a rule that needs one refuses. "
            "Set PULUMI_CONFIG_PASSPHRASE, or export with --show-secrets"
        )
    if state.leaving:
        yield (
            f"{state.file}: {_many(len(state.leaving), 'resource')} waiting to be deleted and not "
            "judged, though still there; finish it with `pulumi up`"
        )


def _many(count: int, what: str) -> str:
    return f"{count} {what} is" if count == 1 else f"{count} {what}s are"


def _is_judged(row: Row) -> bool:
    return is_managed(row["type"]) and not row.get("external")
