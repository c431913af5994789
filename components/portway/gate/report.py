"""One run of the gate, whole: what every report is written from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any

from portway.gate.config import PackConfig
from portway.gate.exemption import Exemption
from portway.gate.pack import Pack
from portway.gate.record import Reported
from portway.gate.rule import Rule
from portway.gate.run import StackReport, Verdict

EXIT_CODES = {Verdict.PASSED: 0, Verdict.REFUSED: 1, Verdict.FAILED: 3}


class Kind(StrEnum):
    """What became of one violation."""

    REFUSED = "refused"
    EXEMPT = "exempt"
    ADVICE = "advice"


@dataclass(frozen=True)
class Said:
    """One violation with all that a reader wants to know of it.

    Attributes:
        id: of its rule; of its policy where somebody else's pack names no rule.
        rule: None where no rule of our packs has that id.
        number: how many of the same rule and resource came before it.
    """

    id: str
    kind: Kind
    reported: Reported
    rule: Rule[Any] | None = None
    exemption: Exemption | None = None
    number: int = 0

    @property
    def severity(self) -> str:
        """The rule's; ``high`` where nobody says."""
        return "high" if self.rule is None else self.rule.severity.value


@dataclass(frozen=True)
class GateReport:
    """Everything one run found out.

    Attributes:
        stacks: in the order in which they were asked for.
        packs: by what was judged.
        configs: of the packs, by name.
        today: the day by which exemptions were counted, UTC.
        notes: advice on the run as a whole, such as an exemption that nothing needs.
        faults: why nothing, or not everything, was judged, beside what each stack says of itself.
        ended: the exit code of a run that could not begin.
        prices: what the promises of the stacks add to a month, a sentence each.
    """

    stacks: tuple[StackReport, ...]
    packs: tuple[Pack, ...]
    configs: Mapping[str, PackConfig]
    today: date
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    ended: int | None = None
    prices: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of all; a run without a stack has failed."""
        verdicts = {report.verdict for report in self.stacks}
        if self.faults or not verdicts or Verdict.FAILED in verdicts:
            return Verdict.FAILED
        return Verdict.REFUSED if Verdict.REFUSED in verdicts else Verdict.PASSED

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return EXIT_CODES[self.verdict] if self.ended is None else self.ended

    @property
    def judged(self) -> int:
        """How many resources, over all stacks."""
        return sum(report.judged for report in self.stacks)

    @cached_property
    def rules(self) -> Mapping[str, tuple[Pack, Rule[Any]]]:
        """Every rule that judged, by id, with its pack."""
        return {rule.id: (pack, rule) for pack in self.packs for rule in pack.rules}

    @property
    def headline(self) -> str:
        """Such as ``2 of 5 stacks refused`` or ``3 stacks passed``."""
        counts = [
            (sum(one.verdict is verdict for one in self.stacks), words)
            for verdict, words in ((Verdict.FAILED, "not judged"), (Verdict.REFUSED, "refused"))
        ]
        total = _stacks(len(self.stacks))
        told = [f"{count} {words}" for count, words in counts if count]
        if told:
            first, *rest = told
            number, _, words = first.partition(" ")
            return ", ".join([f"{number} of {total} {words}", *rest])
        return "nothing was judged" if self.faults or not self.stacks else f"{total} passed"

    @property
    def scope(self) -> str:
        """What was judged and by how much: ``40 resources judged by 31 rules in 2 packs``."""
        resources = f"{self.judged} resource{'' if self.judged == 1 else 's'}"
        packs = f"{len(self.packs)} pack{'' if len(self.packs) == 1 else 's'}"
        return f"{resources} judged by {len(self.rules)} rules in {packs}"

    def said(self, report: StackReport) -> tuple[Said, ...]:
        """Every violation of one stack: refusals first, pack by pack, then in the engine's order.

        Packs judge at the same time, so that the engine's order is whoever speaks first.
        """
        if report.record is None:
            return ()
        counted: dict[tuple[str, str], int] = {}
        found: list[Said] = []
        turns = {pack.name: turn for turn, pack in enumerate(self.packs)}
        for one in (
            *_by_turn(report.record.refusals, turns),
            *_by_turn(report.record.advice, turns),
        ):
            name = one.rule or one.policy
            number = counted.get((name, one.urn), 0)
            counted[name, one.urn] = number + 1
            exemption = None if one.level == "mandatory" else self._exemption(one)
            kind = Kind.REFUSED if one.level == "mandatory" else Kind.ADVICE
            rule = self.rules[name][1] if name in self.rules else None
            kind = Kind.EXEMPT if exemption is not None else kind
            found.append(Said(name, kind, one, rule, exemption, number))
        return tuple(found)

    def _exemption(self, one: Reported) -> Exemption | None:
        config = self.configs.get(one.pack)
        covering = [
            exemption
            for exemption in (() if config is None else config.exemptions)
            if exemption.covers(one.rule, one.urn) and not exemption.has_expired(self.today)
        ]
        return max(covering, key=lambda exemption: exemption.expires, default=None)


def _by_turn(reported: Iterable[Reported], turns: Mapping[str, int]) -> list[Reported]:
    """Pack by pack; packs that are not ours come last."""
    return sorted(reported, key=lambda one: turns.get(one.pack, len(turns)))


def _stacks(count: int) -> str:
    return f"{count} stack{'' if count == 1 else 's'}"
