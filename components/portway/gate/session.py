"""One run of one pack over one stack: what was seen, what was said, at which level."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from portway.gate.config import PackConfig
from portway.gate.context import Declarations
from portway.gate.exemption import Exemption, soon
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Violation


class Level(StrEnum):
    """What a violation does: refuse, or only be read."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"


@dataclass(frozen=True)
class Finding:
    """A violation with its rule, its level and its final words."""

    rule: str
    level: Level
    violation: Violation
    note: str = ""

    @property
    def text(self) -> str:
        """``[rule-id] message``, the form in which every violation is printed."""
        return f"[{self.rule}] {self.violation.message}{self.note}"


def utc_today() -> date:
    """Today, as exemptions count it."""
    return datetime.now(tz=UTC).date()


class Session:
    """Judges resources as they are registered, then the whole stack.

    A resource judged early is judged again with the whole stack, where more can be told; what was
    said of it then is not said twice.
    """

    def __init__(
        self,
        rules: tuple[Rule[Any], ...],
        config: PackConfig,
        *,
        is_preview: bool = False,
        today: Callable[[], date] = utc_today,
    ) -> None:
        """Args: ``is_preview``: the whole stack will be judged before anything is created.

        ``whole`` is the stack, once it has been judged as a whole.
        """
        self._rules = rules
        self._config = config
        self._is_preview = is_preview
        self._today = today
        self._declarations = Declarations()
        self._seen: dict[str, Resource] = {}
        self._said: set[tuple[str, str | None, str]] = set()
        self._needed: set[Exemption] = set()
        self.whole: Stack | None = None

    def resource(self, resource: Resource) -> tuple[Finding, ...]:
        """Everything to be said of ``resource``, which is about to be created or updated."""
        self._seen[resource.urn] = resource
        self._declarations.add(resource)
        findings = tuple(self._judged(resource, None, is_final=not self._is_preview))
        self._said.update(map(_key, findings))
        return findings

    def stack(self, resources: Iterable[Resource]) -> tuple[Finding, ...]:
        """Everything to be said of the whole stack that was not said before.

        A resource that was seen when it was registered is judged by its inputs of then; another one
        (read, or left alone in a targeted update) by what it is now. The engine gives them in an order
        that differs from run to run; what is said must not.
        """
        ordered = sorted(resources, key=lambda resource: resource.urn)
        stack = self.whole = Stack.of(self._with_inputs(resource) for resource in ordered)
        for resource in stack.resources:
            self._declarations.add(resource)
        findings = [
            finding
            for resource in stack.resources
            for finding in self._judged(resource, stack, is_final=True)
        ]
        findings += self._judged_whole(stack)
        findings += self._unneeded(stack)
        return tuple(finding for finding in findings if _key(finding) not in self._said)

    def _unneeded(self, stack: Stack) -> Iterator[Finding]:
        """Advice on exemptions of this very stack that nothing in it needs."""
        names = {urn.removeprefix("urn:pulumi:").partition("::")[0] for urn in stack.by_urn}
        for one in self._config.exemptions:
            if one.stack in names and one not in self._needed:
                text = f"{one} covers nothing that the rule refuses in this stack; remove it"
                yield Finding(one.rule, Level.ADVISORY, Violation(text, None, str(one)))

    def _with_inputs(self, resource: Resource) -> Resource:
        seen = self._seen.get(resource.urn)
        if seen is None:
            return resource
        return replace(seen, parent=resource.parent, depends_on=resource.depends_on)

    def _judged(
        self, resource: Resource, stack: Stack | None, *, is_final: bool
    ) -> Iterator[Finding]:
        context = self._declarations.context(
            self._config, resource, is_final=is_final, today=self._today()
        )
        for rule in self._rules:
            if rule.judge is not None:
                try:
                    violations = list(rule.judge(resource, context, stack))
                except Exception as error:  # noqa: BLE001 - a gate fails closed, whatever went wrong
                    violations = [_broken(resource.urn, error)]
                for violation in violations:
                    yield self._finding(rule, violation)

    def _judged_whole(self, stack: Stack) -> Iterator[Finding]:
        context = self._declarations.context(self._config, None, is_final=True, today=self._today())
        for rule in self._rules:
            if rule.judge_stack is not None:
                try:
                    violations = list(rule.judge_stack(stack, context))
                except Exception as error:  # noqa: BLE001 - the same
                    violations = [_broken(None, error)]
                for violation in violations:
                    yield self._finding(rule, violation)

    def _finding(self, rule: Rule[Any], violation: Violation) -> Finding:
        exemption = self._exemption(rule.id, violation.urn)
        note = ""
        usual = Level.ADVISORY if rule.advises else Level.MANDATORY
        level = Level(self._config.rules.get(rule.id, usual))
        if violation.advice:
            level = Level.ADVISORY
        if violation.undetermined and not self._config.strict:
            level = Level.ADVISORY
        if exemption is not None and exemption.has_expired(self._today()):
            note = f" (the exemption by {exemption.owner} expired on {exemption.expires})"
        elif exemption is not None:
            level = Level.ADVISORY
            note = f" (exempt until {self._terms(exemption)}: {exemption.reason})"
        return Finding(rule.id, level, violation, note)

    def _exemption(self, rule: str, urn: str | None) -> Exemption | None:
        """The exemption that lasts longest, if any covers this."""
        covering = [one for one in self._config.exemptions if one.covers(rule, urn)]
        self._needed.update(covering)
        return max(covering, key=lambda one: one.expires, default=None)

    def _terms(self, exemption: Exemption) -> str:
        left = exemption.days_left(self._today())
        ends = f"{exemption.expires}" if left is None else f"{exemption.expires} ({soon(left)})"
        agreed = f", approved by {exemption.approver}" if exemption.approver else ""
        return f"{ends} by {exemption.owner}{agreed}"


def _broken(urn: str | None, error: Exception) -> Violation:
    """What a rule that breaks says: it refuses, and says no more than that."""
    broken = f"this rule broke ({type(error).__name__}) and so could not judge {urn or 'the stack'}"
    return Violation(f"{broken}; this is a fault in the rule", urn, "rule")


def _key(finding: Finding) -> tuple[str, str | None, str]:
    return (finding.rule, finding.violation.urn, finding.violation.path)
