"""What every store of the meter does, and how it is opened."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from .meter_amounts import Amounts
from .meter_settings import MeterSettings

ATTEMPT_SECONDS = 2.0
"""How long one call to a store may wait for its connection, and again for its answer."""


class StoreAway(Exception):
    """The store did not answer, or not in time, or said that it cannot: what it did is not known.

    The text names the reason for the operator's log; it holds no secret.
    """


class Store(Protocol):
    """One service's counters, a set for each month. Thread-safe; calls block, for a bounded time.

    A `token` names a reservation. Calls with the same token may be repeated when an answer was
    lost: a reservation is added once and settled once, however often that is asked.
    """

    def reserve(
        self, month: str, token: str, amounts: Amounts, limits: Mapping[str, int]
    ) -> str | None:
        """Add `amounts` to the month's use if that stays within `limits`, atomically.

        Returns None when they are reserved, else the name of the limit that they would pass.

        Raises:
            StoreAway: nobody knows whether they are.
        """
        ...

    def settle(self, month: str, token: str, change: Amounts, others: Sequence[str]) -> None:
        """Close an open reservation and add `change`; do nothing where it is not open.

        `others` are tokens of reservations that are closed as they are.

        Raises:
            StoreAway: nobody knows whether that happened.
        """
        ...

    def close(self) -> None:
        """Give up its connections."""
        ...


def open_store(settings: MeterSettings) -> Store:
    """The store that the settings name; nothing is connected yet."""
    store = {name: str(value) for name, value in settings.store.items()}
    if store["kind"] == "dynamodb":
        from .meter_dynamodb import open_dynamodb  # noqa: PLC0415 - only one of them is needed

        return open_dynamodb(settings.service, store["table"], store["region"])
    if store["kind"] == "firestore":
        from .meter_firestore import open_firestore  # noqa: PLC0415 - only one of them is needed

        return open_firestore(
            settings.service, store["project"], store["database"], store["collection"]
        )
    from .meter_valkey import ValkeyStore  # noqa: PLC0415 - only one of them is needed

    address = (store["host"], int(store["port"]))
    return ValkeyStore(settings.service, address, store.get("password_file"))
