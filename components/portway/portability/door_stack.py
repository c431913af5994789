"""A front door that is a deployed stack: its weights are configuration, and `up` makes them so."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import httpx

from portway.engine.stack import Outcome, Pack, Stack
from portway.errors import BadInput, Findings, Missing, Problem
from portway.portability.told import what_failed
from portway.runtime.door import STATUS_PATH
from portway.runtime.door_routes import REFRESH_SECONDS
from portway.spec.stack_file import DOOR_KEY

_WHOLE: Final = 100
_PATIENCE_SECONDS: Final = 120.0
"""How long a deployed door may take to obey: a secret's new version is read at the next request."""

_POLL_SECONDS: Final = 0.1
_ASK_SECONDS: Final = 20.0
_OK: Final = 200


class DeployedDoor:
    """As ``Door``, by the engine and the door's own status."""

    def __init__(
        self,
        stack: Stack,
        packs: Sequence[Pack],
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Drive ``stack``, with ``packs`` on at every change.

        Args:
            stack: of the door, in the folder whose configuration the engine reads.
            packs: both of them.
            transport: how the door is asked; by default over the network, and by no proxy.
            sleep: waits so many seconds.
            clock: counts seconds.
        """
        self._stack = stack
        self._packs = tuple(packs)
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        self._outputs: Mapping[str, Any] = {}

    @property
    def stack(self) -> str:
        """``<service>.<environment>.door``."""
        return self._stack.name

    @property
    def endpoint(self) -> str:
        """The URL that clients call.

        Raises:
            Missing: the door is not deployed.
        """
        return self._output("endpoint")

    @property
    def api_key(self) -> str:
        """What clients present; secret.

        Raises:
            Missing: the door is not deployed.
        """
        return self._output("apiKey")

    def weights(self) -> Mapping[str, int]:
        """The weights that new requests obey now, as the door itself says.

        Raises:
            Missing: the door does not answer.
        """
        return cast("dict[str, int]", self._status()["weights"])

    def in_flight(self, stack: str) -> int | None:
        """Requests that are open towards ``stack``.

        None where the door does not answer, or may have several instances: each counts its own.
        """
        try:
            said = self._status()
        except Missing:
            return None
        if said["max_instances"] != 1:
            return None
        end = cast("dict[str, dict[str, int]]", said["ends"]).get(stack)
        return 0 if end is None else end["in_flight"]

    def set_weights(self, weights: Mapping[str, int]) -> None:
        """Write the weights into the configuration, bring the stack up, wait until requests obey.

        Ends that are in the configuration and not in ``weights`` get 0. Whatever is wrong before the
        engine starts, and whatever a policy refuses, leaves the configuration as it was.

        Raises:
            BadInput: the weights are none.
            Findings: a policy refused the change.
            Missing: the engine failed, or the door does not obey.
            Unresolved: an earlier operation on the door's stack did not end.
        """
        self._judge(weights)
        self._stack.refuse_unfinished()
        before = self.configured()
        after = {**dict.fromkeys(before, 0), **weights}
        if after != before:
            self.write(after)
        outcome = self._stack.up(self._packs)
        if not outcome.succeeded:
            self._failed(outcome, before, after)
        self._until_obeyed(after)

    def _judge(self, weights: Mapping[str, int]) -> None:
        own = self.stack.rpartition(".")[0]
        problems = [
            Problem(name, f"is {share!r}; a weight is a whole number of percent from 0 to 100")
            for name, share in weights.items()
            if type(share) is not int or not 0 <= share <= _WHOLE
        ]
        problems += [
            Problem(name, f"is no stack behind {self.stack}; its ends are called {own}.<target>")
            for name in weights
            if name.rpartition(".")[0] != own or name == self.stack
        ]
        if not problems and sum(weights.values()) != _WHOLE:
            problems = [Problem("weights", f"sum to {sum(weights.values())}; make them sum to 100")]
        if problems:
            raise BadInput(problems)

    def configured(self) -> dict[str, int]:
        """The weights in the configuration that the engine reads.

        Raises:
            Missing: there are none.
        """
        setting = self._stack.setting(DOOR_KEY)
        found = (
            cast("dict[str, Any]", setting).get("weights") if isinstance(setting, dict) else None
        )
        if not isinstance(found, dict):
            raise Missing(
                f"{self.stack} has no weights in its configuration ({DOOR_KEY}); it is no front door, "
                "or its file is not the one that the engine reads"
            )
        return cast("dict[str, int]", found)

    def write(self, weights: Mapping[str, int]) -> None:
        """Write ``weights`` into the configuration that the engine reads; requests go on as before."""
        self._stack.configure(
            {f'{DOOR_KEY}.weights["{name}"]': str(share) for name, share in weights.items()}
        )

    def _failed(
        self, outcome: Outcome, before: Mapping[str, int], after: Mapping[str, int]
    ) -> None:
        refused = [
            str(each.get("message", "")).strip()
            for each in outcome.violations
            if each.get("enforcementLevel") == "mandatory"
        ]
        if refused:
            self.write({**dict.fromkeys(after, 0), **before})
            raise Findings(
                f"{self.stack}: a policy refused these weights, nothing was changed: "
                + "; ".join(refused)
            )
        why = what_failed(self.stack, outcome)
        raise Missing(
            f"{self.stack} could not be updated, and by which weights requests go is not known: {why}"
        )

    def _until_obeyed(self, weights: Mapping[str, int]) -> None:
        """Until every new request goes by ``weights``.

        Every instance reads its routes before a request once they are ``REFRESH_SECONDS`` old: where
        there may be several, those that did not answer here obey after that time.
        """
        wanted = {name: share for name, share in weights.items() if share}
        deployed = self._clock()
        while True:
            said = self._status()
            now = {
                name: share
                for name, share in cast("dict[str, int]", said["weights"]).items()
                if share
            }
            if now == wanted:
                break
            if self._clock() - deployed > _PATIENCE_SECONDS:
                fault = said.get("fault") or "it still has other weights"
                raise Missing(f"{self.stack} was updated and does not obey: {fault}")
            self._sleep(_POLL_SECONDS)
        left = deployed + REFRESH_SECONDS - self._clock()
        if said["max_instances"] != 1 and left > 0:
            self._sleep(left)

    def _status(self) -> dict[str, Any]:
        """What the door says of itself.

        Raises:
            Missing: it does not answer, or with something else.
        """
        headers = {"authorization": f"Bearer {self.api_key}"}
        try:
            with httpx.Client(
                transport=self._transport, trust_env=False, timeout=_ASK_SECONDS
            ) as client:
                answer = client.get(f"{self.endpoint}{STATUS_PATH}", headers=headers)
            said: object = answer.json() if answer.status_code == _OK else None
        except (httpx.HTTPError, ValueError) as error:
            raise Missing(f"{self.stack} does not answer: {type(error).__name__}") from error
        if not isinstance(said, dict):
            raise Missing(f"{self.stack} does not say its status: HTTP {answer.status_code}")
        return cast("dict[str, Any]", said)

    def _output(self, name: str) -> str:
        if not self._outputs.get(name):
            self._outputs = self._stack.outputs()
        if not self._outputs.get(name):
            raise Missing(f"{self.stack} has no output {name}; deploy it: portway up {self.stack}")
        return str(self._outputs[name])
