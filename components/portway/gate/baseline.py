"""What a stack cost before: from an exported state, from the JSON of an earlier gate run, or as agreed."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, cast

from portway.errors import BadInput, Problem
from portway.gate.attest.events import stack_of
from portway.gate.billing import stack_estimate
from portway.gate.billing.words import untold
from portway.gate.exported import content_of, state_of
from portway.gate.resource import Stack
from portway.gate.sums import IncreaseLimits

BASELINE: Final = "PORTWAY_BASELINE"
"""The environment variable that names the files instead of the configuration, divided as a PATH is."""

DEPLOYED: Final = "PORTWAY_DEPLOYED"
"""The same where neither names any: the state that is about to be changed."""

Declared = tuple[tuple[str, Decimal], ...]

_AGREED = "baseline_usd"
_A_RUN = "write it again with `portway gate --json`"


@dataclass(frozen=True)
class Earlier:
    """What one stack cost, USD a month.

    Attributes:
        project: None where the source does not say it.
        source: the file, or ``baseline_usd``.
        untold: why that is not the whole of it; "" where it is.
    """

    stack: str
    project: str | None
    source: str
    floor: Decimal
    ceiling: Decimal
    untold: str = ""


def earlier(stack: Stack, limits: IncreaseLimits, declared: Declared = ()) -> Earlier | str:
    """What ``stack`` cost before, or why nobody can tell.

    Args:
        stack: as it is to be.
        limits: the configuration, which says where to look.
        declared: what the organisation says that some resources cost: then as now.
    """
    name, project = name_of(stack)
    try:
        known = read_baselines(files_of(limits), declared)
    except BadInput as error:
        return "; ".join(map(str, error.problems))
    known += tuple(
        Earlier(one, None, _AGREED, said.floor, said.ceiling)
        for one, said in limits.baseline_usd.items()
    )
    if not known:
        return (
            "nothing says what it cost before; name an exported state as baseline (portway gate "
            "--baseline FILE), or amounts as baseline_usd"
        )
    of_it = [one for one in known if one.stack == name and one.project in (None, project)]
    if not of_it:
        there = ", ".join(sorted({one.stack for one in known}))
        return f"no baseline is of the stack {name} of {project}; there are those of {there}"
    if len(of_it) > 1:
        both = ", ".join(one.source for one in of_it)
        return f"several baselines are of the stack {name}: {both}; leave one"
    return of_it[0]


def files_of(limits: IncreaseLimits) -> tuple[Path, ...]:
    """The files to read: those asked for, else those of the configuration, else what is deployed."""
    said = os.environ.get(BASELINE)
    if not said and not limits.baseline and not limits.baseline_usd:
        said = os.environ.get(DEPLOYED)
    names = said.split(os.pathsep) if said else limits.baseline
    return tuple(Path(name) for name in dict.fromkeys(names) if name)


def read_baselines(files: Sequence[Path], declared: Declared = ()) -> tuple[Earlier, ...]:
    """What the stacks in ``files`` cost.

    Raises:
        BadInput: all that is wrong with each file that is neither an exported state nor a gate run.
    """
    found: list[Earlier] = []
    problems: list[Problem] = []
    for file in files:
        try:
            content = content_of(file)
            if _is_run(content):
                found += _of_run(file, cast("Mapping[str, Any]", content))
            else:
                found.append(_of_state(file, content, declared))
        except BadInput as error:
            problems += [problem.at(str(file)) for problem in error.problems]
    if problems:
        raise BadInput(problems)
    return tuple(found)


def name_of(stack: Stack) -> tuple[str, str]:
    """Name and project of a stack, as its URNs say them."""
    for one in stack.resources:
        name, _, rest = one.urn.removeprefix("urn:pulumi:").partition("::")
        return name, rest.partition("::")[0]
    return "", ""


def _of_state(file: Path, content: object, declared: Declared) -> Earlier:
    state = state_of(file, content)
    stack = stack_of(row for row in state.rows if not row.get("delete"))
    found = stack_estimate(stack, declared)
    why = next((why for _, why in untold(found.resources)), "")
    project = name_of(stack)[1] or None
    totals = found.totals
    return Earlier(state.stack, project, str(file), totals.floor, totals.ceiling, why)


def _is_run(content: object) -> bool:
    return isinstance(content, Mapping) and "stacks" in content and "verdict" in content


def _of_run(file: Path, content: Mapping[str, Any]) -> Iterator[Earlier]:
    stacks: object = content["stacks"]
    rows = cast("list[object]", stacks) if isinstance(stacks, list) else [stacks]
    for index, given in enumerate(rows):
        row = cast("Mapping[str, Any]", given if isinstance(given, Mapping) else {})
        monthly, name = row.get("monthly"), row.get("stack")
        if not isinstance(name, str):
            raise BadInput([Problem(f"stacks[{index}]", f"names no stack; {_A_RUN}")])
        if monthly is None:
            said = cast("list[object]", row.get("unpriced") or [])
            why = "; ".join(map(str, said)) or "its cost was not told"
            yield Earlier(name, row.get("project"), str(file), Decimal(0), Decimal(0), why)
            continue
        try:
            floor, ceiling = (_usd(monthly[key]) for key in ("floor", "ceiling"))
        except (KeyError, TypeError, InvalidOperation):
            path = f"stacks[{index}].monthly"
            raise BadInput([Problem(path, f"holds no floor and ceiling; {_A_RUN}")]) from None
        yield Earlier(name, row.get("project"), str(file), floor, ceiling)


def _usd(text: object) -> Decimal:
    amount = Decimal(str(text))
    if not amount.is_finite() or amount < 0:
        raise InvalidOperation
    return amount
