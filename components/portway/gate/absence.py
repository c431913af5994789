"""What a stack as a whole lacks: the frame of the rules that look for something that is not there.

Another stack, or the landing zone, may well hold it. So these rules advise, and configuration says
under ``elsewhere`` where it is kept, which is then reported instead.
"""

from collections.abc import Callable, Iterable, Iterator

from portway.gate.context import CostContext, ResidencyContext
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Violation
from portway.gate.values import Known

Judge = Callable[[Stack, ResidencyContext], Iterable[Violation]]
CostJudge = Callable[[Stack, CostContext], Iterable[Violation]]


def absence(rule: str, lacks: Judge) -> Judge:
    """``lacks`` as the ``judge_stack`` of ``rule``: silenced by ``elsewhere``, which is then said.

    A stack without a boundary is refused by other rules, and judged by none of these.
    """

    def judge_stack(stack: Stack, context: ResidencyContext) -> Iterator[Violation]:
        if context.boundary is None:
            return
        yield from _unless_elsewhere(lacks(stack, context), context.elsewhere.get(rule))

    return judge_stack


def cost_absence(rule: str, lacks: CostJudge) -> CostJudge:
    """``lacks`` as the ``judge_stack`` of ``rule`` of the cost pack, silenced in the same way."""

    def judge_stack(stack: Stack, context: CostContext) -> Iterator[Violation]:
        yield from _unless_elsewhere(lacks(stack, context), context.elsewhere.get(rule))

    return judge_stack


def _unless_elsewhere(lacking: Iterable[Violation], where: str | None) -> Iterator[Violation]:
    found = list(lacking)
    if where is None:
        yield from found
    elif found:
        yield Violation(
            f"what this asks for is kept elsewhere: {where}", None, "elsewhere", advice=True
        )


def of_types(stack: Stack, types: Iterable[str]) -> Iterator[Resource]:
    """The resources of ``stack`` whose type is one of ``types``."""
    wanted = frozenset(types)
    return (resource for resource in stack.resources if resource.type in wanted)


def text(resource: Resource, path: str) -> str:
    """The text at ``path``; empty where there is none, or none that is known."""
    seen = resource.properties.get(path)
    return seen.value if isinstance(seen, Known) and isinstance(seen.value, str) else ""


def named(resources: Iterable[Resource], most: int = 3) -> str:
    """``gcp:storage/bucket:Bucket logs, ... and 2 more``, for a message."""
    names = list(dict.fromkeys(map(str, resources)))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
