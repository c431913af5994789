"""How each step of a move is done: the one place where something is changed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portway.errors import Findings
from portway.portability.door_weights import said, sent
from portway.portability.guards import Health, compare_answers, faults_of, health
from portway.portability.migration import Story
from portway.portability.move import Act, Step
from portway.portability.world import End, Tools

Found = dict[str, Any]
"""What a step found out, for the journal: JSON, and never a secret."""

_ALL = 100
_POLL_SECONDS = 0.5
_GRACE_SECONDS = 10.0


class StepFailed(Findings):
    """What a step needs does not hold; carries every reason."""

    def __init__(self, reasons: Sequence[str]) -> None:
        """``reasons`` are sentences."""
        self.reasons = tuple(reasons)
        super().__init__("; ".join(self.reasons))


class Steps:
    """Does one step at a time. Doing any of them again, wherever it was interrupted, does no harm."""

    def __init__(self, tools: Tools) -> None:
        """Work with ``tools``."""
        self._tools = tools
        self._ways: Mapping[Act, Callable[[Step, Story], Found]] = {
            Act.PREFLIGHT: self._preflight,
            Act.DEPLOY: lambda _, story: self._raise_up(story.move.destination),
            Act.PROBE: lambda _, story: self._probe(story.move.destination),
            Act.REPLAY: self._replay,
            Act.SHIFT: self._shift,
            Act.DRAIN: lambda _, story: self._drain(story.move.source, story),
            Act.KEEP: lambda _, story: self._no_traffic(story.move.source),
            Act.RETIRE: lambda _, story: self._take_down(
                story.move.source, story.move.destination, story
            ),
            Act.VERIFY: lambda _, story: self._verify(story.move.destination, story),
            Act.RESTORE: self._restore,
            Act.RETURN: self._return,
            Act.EMPTY: lambda _, story: self._drain(story.move.destination, story),
            Act.REMOVE: lambda _, story: self._take_down(
                story.move.destination, story.move.source, story
            ),
            Act.SPARE: lambda _, story: self._spare(story.move.destination),
            Act.CONFIRM: lambda _, story: self._verify(story.move.source, story),
        }

    def do(self, step: Step, story: Story) -> Found:
        """Do ``step``; returns what is worth remembering.

        Raises:
            StepFailed: what it needs does not hold.
            PortwayError: a tool could not do its part.
        """
        return self._ways[step.act](step, story)

    def answers(self, stack: str) -> bool:
        """Whether ``stack`` is up and answers at least one request of a few."""
        end = self._tools.cloud.end(stack)
        return end is not None and self._health(end).answers

    def _preflight(self, _: Step, story: Story) -> Found:
        move, cloud = story.move, self._tools.cloud
        stacks = (move.source, move.destination, move.door)
        reasons = list(self._tools.objections)
        reasons += [text for stack in stacks for text in cloud.unfinished(stack)]
        if not reasons:
            reasons += cloud.gate(stacks)
        weights = sent(self._tools.door.weights())
        if weights != {move.source: _ALL}:
            reasons.append(
                f"{move.door} sends {said(weights)}; a move begins with all traffic at {move.source}"
            )
        before = self._health(self._door_end(story))
        reasons += faults_of(move.door, before, before.first_token_seconds, self._tools.limits)
        source = cloud.end(move.source)
        if source is None:
            reasons.append(f"{move.source} is not up; there is nothing to move")
        else:
            now = self._health(source)
            reasons += faults_of(move.source, now, now.first_token_seconds, self._tools.limits)
        _none(reasons)
        existed = cloud.exists(move.destination)
        return {"destination_existed": existed, "before": before.as_data()}

    def _raise_up(self, stack: str) -> Found:
        settled = self._settled(stack)
        self._tools.lease.check()
        self._tools.cloud.up(stack)
        self._end(stack)
        return {"settled": settled} if settled else {}

    def _probe(self, stack: str) -> Found:
        _none([f"{stack}: {text}" for text in self._tools.asker.probe(self._end(stack))])
        return {}

    def _replay(self, _: Step, story: Story) -> Found:
        move = story.move
        pairs = self._tools.asker.replay(self._end(move.source), self._end(move.destination))
        found = compare_answers(pairs, self._tools.limits, is_same_model=move.is_same_model)
        _none(found.faults)
        return found.as_data()

    def _shift(self, step: Step, story: Story) -> Found:
        move = story.move
        self._healthy(move.destination, story)
        self._route(move.weights(step.percent), story)
        door = self._good(self._door_end(story), story)
        there = self._healthy(move.destination, story)
        return {"door": door.as_data(), "destination": there.as_data()}

    def _return(self, _: Step, story: Story) -> Found:
        move = story.move
        if not self.answers(move.source):
            _none([
                f"{move.source} does not answer, so no traffic is sent there; bring it up (portway up "
                f"{move.source}), then --rollback again, or --resume --evacuate for {move.destination}"
            ])  # fmt: skip
        self._route(move.weights(0), story)
        door = self._health(self._door_end(story))
        _none([] if door.answers else [f"{move.door} does not answer: {'; '.join(door.errors)}"])
        return {"door": door.as_data()}

    def _restore(self, _: Step, story: Story) -> Found:
        found = self._raise_up(story.move.source)
        self._probe(story.move.source)
        return found

    def _drain(self, stack: str, story: Story) -> Found:
        """Wait for the last answer; where open requests cannot be seen, as long as one may last."""
        self._no_traffic(stack)
        clock, door = self._tools.clock, self._tools.door
        began = clock.now_seconds()
        longest = story.move.timeout_seconds + _GRACE_SECONDS
        while clock.now_seconds() - began < longest:
            if door.in_flight(stack) == 0:
                break
            clock.sleep(_POLL_SECONDS)
        left = door.in_flight(stack)
        if left:
            _none([f"{left} requests towards {stack} are still open after {longest:.0f} s"])
        return {"seconds": round(clock.now_seconds() - began, 1), "seen": left is not None}

    def _take_down(self, stack: str, other: str, story: Story) -> Found:
        """Destroy ``stack`` while ``other`` has the traffic, and answers."""
        if not self._tools.cloud.exists(stack) and not self._tools.cloud.unfinished(stack):
            return {"existed": False}
        self._no_traffic(stack)
        if not self.answers(other):
            _none([f"{other} does not answer, so {stack} is not taken down"])
        if self._tools.door.in_flight(stack):
            self._drain(stack, story)
        settled = self._settled(stack)
        self._tools.lease.check()
        self._tools.cloud.destroy(stack)
        return {"settled": settled} if settled else {}

    def _spare(self, stack: str) -> Found:
        settled = self._settled(stack)
        return {**self._no_traffic(stack), **({"settled": settled} if settled else {})}

    def _verify(self, stack: str, story: Story) -> Found:
        move, cloud = story.move, self._tools.cloud
        there = [each for each in (move.source, move.destination) if cloud.exists(each)]
        stacks = (*there, move.door)
        reasons = [text for each in stacks for text in cloud.unfinished(each)]
        weights = sent(self._tools.door.weights())
        if weights != {stack: _ALL}:
            reasons.append(f"{move.door} sends {said(weights)}, not everything to {stack}")
        reasons += cloud.gate(stacks)
        _none(reasons)
        return {"door": self._good(self._door_end(story), story).as_data()}

    def _no_traffic(self, stack: str) -> Found:
        percent = self._tools.door.weights().get(stack, 0)
        if percent:
            _none([f"the door still sends {percent} % of new requests to {stack}"])
        return {}

    def _route(self, weights: Mapping[str, int], story: Story) -> None:
        """Both ends must be up: the door never sends to what cannot answer."""
        for stack, percent in weights.items():
            if percent:
                self._end(stack)
        self._settled(story.move.door)
        self._tools.lease.check()
        self._tools.door.set_weights(weights)
        now = sent(self._tools.door.weights())
        if now != sent(weights):
            _none([f"the door sends {said(now)}, not {said(sent(weights))}"])

    def _settled(self, stack: str) -> list[str]:
        if not self._tools.cloud.unfinished(stack):
            return []
        self._tools.lease.check()
        return list(self._tools.cloud.bring_to_rest(stack))

    def _healthy(self, stack: str, story: Story) -> Health:
        return self._good(self._end(stack), story)

    def _good(self, end: End, story: Story) -> Health:
        """Its health, where that is good enough. What only was slow is asked once more.

        One instance that starts is no reason to go back; a request that failed is.
        """
        before, limits = self._before_seconds(story), self._tools.limits
        now = self._health(end)
        if now.failed == 0 and faults_of(end.stack, now, before, limits):
            now = self._health(end)
        _none(faults_of(end.stack, now, before, limits))
        return now

    def _health(self, end: End) -> Health:
        return health(self._tools.asker.sample(end))

    def _door_end(self, story: Story) -> End:
        door = self._tools.door
        return End(story.move.door, door.endpoint, door.api_key, self._tools.model)

    def _end(self, stack: str) -> End:
        end = self._tools.cloud.end(stack)
        if end is None:
            raise StepFailed([f"{stack} is not up: it has no endpoint"])
        return end

    @staticmethod
    def _before_seconds(story: Story) -> float:
        before = story.found.get(Act.PREFLIGHT.value, {}).get("before", {})
        return float(before.get("first_token_seconds", 0.0))


def _none(reasons: Sequence[str]) -> None:
    """Raises: StepFailed: there is a reason."""
    if reasons:
        raise StepFailed(reasons)
