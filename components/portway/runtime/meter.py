"""The token meter: every request is reserved before the model is asked and settled after.

**Rule.** A request reserves the most it can use; one whose reservation does not fit into what is
left of the month gets 429 `insufficient_quota`, and the model is not asked. Afterwards it is
settled to

- what the answer's usage says, whether it was sent whole, streamed, or broke off after its usage;
- nothing, where the model refused before it worked (its own 4xx, no connection, not ready);
- its reservation, where nobody knows: the client hung up, the deadline passed, the stream broke off,
  the model failed, or this process ended.

**Bound.** Use in a month's counters is always what was settled plus what is reserved, and a
reservation is added only where the sum stays within the limits, in one atomic step of the store. So
the counters never pass a limit, with any number of instances, crashes, lost answers and outages: the
overshoot is zero. It is more only where

- a model uses more than the request could (its count is believed, settled and logged as
  `meter_reserved_too_little`): by that excess, of the requests in flight;
- a clock is wrong by s seconds: requests of the s seconds around the turn of a month may be counted
  in the neighbouring month, whose own limits they then respect;
- `away` is `allow` and the store is away: each instance then counts for itself, and refuses what
  would pass a limit by all that it answered alone in that month, so the excess is at most one limit
  for each instance that ran; what it counted is added when the store is back, and lost if the
  instance ends before.

A reservation whose settlement is lost for good (a process was killed, or the store never came back)
stays counted as it was reserved until the month ends: too much, never too little.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from .errors import WireError, meter_unavailable, quota_spent, unsupported_value
from .jsons import JsonObject
from .log import Record, write_event
from .meter_amounts import (
    Amounts,
    amounts,
    limit_passed,
    month_begins,
    month_of,
    most_input_tokens,
    used_tokens,
)
from .meter_settings import MeterSettings
from .meter_store import Store, StoreAway
from .upstream import ChatRequest

RETRY_WITHIN_SECONDS = 1.0
"""A store that failed sooner than this is asked once more, with the same token."""

REST_SECONDS = 5.0
"""With `away` `allow`: how long a store that is away is not asked again."""

_LOG_EVERY_SECONDS = 60.0
_MOST_UNSETTLED = 10_000
_SETTLED_AT_ONCE = 5
_CLOSED_AT_ONCE = 20
_NOTHING = Amounts()


@dataclass(frozen=True)
class _Entry:
    """A reservation as its store knows it; `change` is what its settlement adds.

    `owed` is set for a request that was served while the store was away: it may still have to be
    reserved, whatever the limits say.
    """

    month: str
    token: str
    change: Amounts
    owed: Amounts | None = None


class Reservation:
    """One request's reservation. `end` settles it, once."""

    def __init__(
        self, meter: "Meter", month: str, token: str, most: Amounts, *, owed: bool
    ) -> None:
        self._meter: Meter | None = meter
        self.month = month
        self.token = token
        self.most = most
        self.owed = owed
        self._used: Amounts | None = None

    def count(self, usage: object) -> None:
        """Note what the answer says that it used; one that does not say changes nothing."""
        found = used_tokens(usage)
        if found is not None and self._meter is not None:
            self._used = amounts(*found, self._meter.settings.prices)

    def end(self, record: Record, error: BaseException | None = None) -> None:
        """Settle by the rule above; `error` is why there is no answer."""
        meter, self._meter = self._meter, None
        if meter is None:
            return
        if isinstance(error, WireError) and error.unasked and self._used is None:
            self._used = _NOTHING
        final = self.most if self._used is None else self._used
        record.metered_tokens = final.tokens
        if meter.settings.prices is not None:
            record.metered_micro_usd = final.micro_usd
        meter.settle(self, final, known=self._used is not None)


class Meter:
    """One service's meter. Thread-safe.

    `context_tokens` is what the model server holds prompts to, None where it does not.
    """

    def __init__(
        self,
        settings: MeterSettings,
        store: Store,
        context_tokens: int | None,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._store = store
        self._context_tokens = context_tokens
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._unsettled: deque[_Entry] = deque()
        self._closing: deque[tuple[str, str]] = deque(maxlen=_MOST_UNSETTLED)
        self._alone: dict[str, Amounts] = {}
        self._away_until = float("-inf")
        self._logged_at = float("-inf")
        self._reached: set[tuple[str, str]] = set()

    def reserve(self, chat: ChatRequest, body_bytes: int) -> Reservation:
        """Reserve the most that a request can use.

        Raises:
            WireError: 429 when it does not fit, 503 when the store is away and that refuses,
                400 for a service tier whose price is not known.
        """
        if "micro_usd" in self.settings.limits and chat.body.get("service_tier") == "priority":
            raise unsupported_value(
                "service_tier",
                "'priority' costs more than this service's budget reckons with; leave it out.",
            )
        most = self._most(chat.body, chat.max_tokens, body_bytes)
        month = month_of(self._now())
        if passed := limit_passed(most.named(), self.settings.limits):
            raise self._spent(passed, month, most)
        token = new_token(self._now())
        if self.settings.away == "allow" and self._clock() < self._away_until:
            return self._reserve_alone(month, token, most)
        try:
            passed = self._twice(
                lambda: self._store.reserve(month, token, most, self.settings.limits)
            )
        except StoreAway as error:
            return self._without_store(month, token, most, error)
        if passed is not None:
            raise self._spent(passed, month, most)
        return Reservation(self, month, token, most, owed=False)

    def settle(self, held: Reservation, final: Amounts, *, known: bool) -> None:
        """Count a reservation at `final` instead of at its most. Never raises."""
        if final.tokens > held.most.tokens or final.micro_usd > held.most.micro_usd:
            write_event(
                "meter_reserved_too_little",
                "WARNING",
                reserved_tokens=held.most.tokens,
                used_tokens=final.tokens,
            )
        change = final - held.most
        if held.owed:
            with self._lock:
                self._alone[held.month] = self._alone.get(held.month, _NOTHING) + change
            self._later(_Entry(held.month, held.token, change, owed=held.most))
        elif not known or change == _NOTHING:
            # Nothing to correct, so nobody waits for the store; the next settlement closes it.
            with self._lock:
                self._closing.append((held.month, held.token))
        else:
            self._settle_now(_Entry(held.month, held.token, change))
        if self._clock() >= self._away_until:
            self._catch_up(_SETTLED_AT_ONCE)

    def close(self) -> None:
        """Settle what is left, as far as the store answers at once, and give it up."""
        self._catch_up(_MOST_UNSETTLED)
        self._store.close()

    def _most(self, body: JsonObject, max_tokens: int | None, body_bytes: int) -> Amounts:
        prompt = most_input_tokens(body, body_bytes, self._context_tokens)
        answer = max_tokens or self.settings.max_output_tokens
        return amounts(prompt, answer, self.settings.prices)

    def _twice(self, call: Callable[[], str | None]) -> str | None:
        started = self._clock()
        try:
            return call()
        except StoreAway:
            if self._clock() - started > RETRY_WITHIN_SECONDS:
                raise
        return call()

    def _without_store(
        self, month: str, token: str, most: Amounts, error: StoreAway
    ) -> Reservation:
        self._log_away(error)
        refusal = meter_unavailable(detail=str(error))
        if self.settings.away == "allow":
            self._away_until = self._clock() + REST_SECONDS
            try:
                return self._reserve_alone(month, token, most)
            except WireError as spent:
                refusal = spent
        # It may have been reserved although its answer was lost; nothing will be used of it.
        self._later(_Entry(month, token, _NOTHING - most))
        raise refusal

    def _reserve_alone(self, month: str, token: str, most: Amounts) -> Reservation:
        with self._lock:
            counted = self._alone.get(month, _NOTHING) + most
            passed = limit_passed(counted.named(), self.settings.limits)
            if passed is None:
                self._alone[month] = counted
        if passed is not None:
            raise self._spent(passed, month, most)
        return Reservation(self, month, token, most, owed=True)

    def _settle_now(self, entry: _Entry) -> None:
        with self._lock:
            others = [token for month, token in self._closing if month == entry.month]
            others = others[:_CLOSED_AT_ONCE]
            for token in others:
                self._closing.remove((entry.month, token))
        try:
            self._twice(lambda: self._store.settle(entry.month, entry.token, entry.change, others))
        except StoreAway as error:
            self._log_away(error)
            if self.settings.away == "allow":
                self._away_until = self._clock() + REST_SECONDS
            self._later(entry)
            with self._lock:
                self._closing.extendleft((entry.month, token) for token in others)

    def _later(self, entry: _Entry) -> None:
        with self._lock:
            if len(self._unsettled) < _MOST_UNSETTLED:
                self._unsettled.append(entry)
                return
        write_event("meter_settlement_dropped", "ERROR", tokens=entry.change.tokens)

    def _catch_up(self, most: int) -> None:
        """Settle what could not be settled before, until the store is away again."""
        for _ in range(most):
            with self._lock:
                entry = self._unsettled.popleft() if self._unsettled else None
            if entry is None:
                return
            try:
                if entry.owed is not None:
                    self._store.reserve(entry.month, entry.token, entry.owed, {})
                    # From here on its settlement alone may be repeated.
                    entry = replace(entry, owed=None)
                self._store.settle(entry.month, entry.token, entry.change, ())
            except StoreAway as error:
                self._log_away(error)
                with self._lock:
                    self._unsettled.appendleft(entry)
                return

    def _log_away(self, error: StoreAway) -> None:
        now = self._clock()
        with self._lock:
            if now - self._logged_at < _LOG_EVERY_SECONDS:
                return
            self._logged_at = now
        write_event("meter_away", "ERROR", reason=str(error), requests=self.settings.away)

    def _spent(self, limit: str, month: str, most: Amounts) -> WireError:
        begins = month_begins(month)
        with self._lock:
            is_first = (month, limit) not in self._reached
            self._reached.add((month, limit))
        if is_first:
            most_allowed = _told(limit, self.settings.limits[limit])
            write_event("meter_limit_reached", "ERROR", limit=most_allowed, month=month)
        return quota_spent(
            "You exceeded the budget of this service: "
            f"{_told(limit, self.settings.limits[limit])} in {begins:%B %Y} (UTC), of which less is "
            f"left than this request may need ({_told(limit, most.named()[limit])}). "
            f"The budget starts anew at {month_begins(month, 1):%Y-%m-%dT%H:%M:%SZ}."
        )


def new_token(unix_seconds: float) -> str:
    """A reservation's name: the minute it was made in, so that old ones can be told, and chance."""
    return f"{int(unix_seconds // 60):x}-{secrets.token_urlsafe(9)}"


def _told(limit: str, amount: int) -> str:
    if limit == "micro_usd":
        return f"{amount // 1_000_000}.{amount % 1_000_000:06} USD"
    noun = limit if amount != 1 else limit.removesuffix("s")
    return f"{amount} {noun}"
