"""The meter's counters in DynamoDB: one item for each month, changed by conditional updates only.

The item: `id` (`<service>#<month>`), `requests`, `tokens`, `micro_usd`, `expires` (TTL, unix
seconds) and `open`, the set of reservations that are not settled. One `UpdateItem` both adds a
reservation and puts its token into the set, on condition that the token is not there and that the
sums stay within the limits; one takes the token out and adds the correction, on condition that it
is there. DynamoDB runs the updates of one item one after another.
"""

import threading
import time
from collections.abc import Mapping, Sequence

from .aws import DYNAMODB, AwsError, Service
from .errors import WireError
from .jsons import JsonObject, as_object
from .meter_amounts import Amounts, expires_at
from .meter_store import ATTEMPT_SECONDS, StoreAway

STALE_MINUTES = 180
"""A token that has been open for longer than any request may take is only taking up room."""

_MOST_STALE = 50
_NAMES = {"#requests": "requests", "#tokens": "tokens", "#micro_usd": "micro_usd", "#open": "open"}
_SUMS = "#requests :requests, #tokens :tokens, #micro_usd :micro_usd"


def open_dynamodb(service: str, table: str, region: str) -> "DynamoStore":
    """The counters of `service` in a table; nothing is connected yet."""
    client = Service(DYNAMODB, region, ATTEMPT_SECONDS, connect_seconds=ATTEMPT_SECONDS)
    return DynamoStore(service, table, client)


class DynamoStore:
    """See `Store`."""

    def __init__(self, service: str, table: str, client: Service) -> None:
        self._service = service
        self._table = table
        self._client = client
        self._lock = threading.Lock()
        self._stale: set[str] = set()

    def reserve(
        self, month: str, token: str, amounts: Amounts, limits: Mapping[str, int]
    ) -> str | None:
        """See `Store.reserve`."""
        room = {name: most - amounts.named()[name] for name, most in limits.items()}
        within = [f"(attribute_not_exists(#{n}) OR #{n} <= :{n}_room)" for n in room]
        values: JsonObject = {
            **_numbers(amounts),
            **{f":{name}_room": _number(left) for name, left in room.items()},
            ":token": {"S": token},
            ":tokens_open": {"SS": [token]},
            ":expires": _number(expires_at(month)),
        }
        found = self._update(
            month,
            f"ADD {_SUMS}, #open :tokens_open SET #expires = :expires",
            " AND ".join(["NOT contains(#open, :token)", *within]),
            values,
            {**_NAMES, "#expires": "expires"},
            returned="UPDATED_NEW",
        )
        self._note_stale(found)
        if not found.refused or token in found.open or not room:
            return None
        passed = (name for name, left in room.items() if found.counted[name] > left)
        return next(passed, next(iter(room)))

    def settle(self, month: str, token: str, change: Amounts, others: Sequence[str]) -> None:
        """See `Store.settle`."""
        with self._lock:
            stale = [self._stale.pop() for _ in range(min(len(self._stale), _MOST_STALE))]
        gone = {token, *others, *stale}
        self._update(
            month,
            f"ADD {_SUMS} DELETE #open :tokens_gone",
            "contains(#open, :token)",
            {
                **_numbers(change),
                ":token": {"S": token},
                ":tokens_gone": {"SS": sorted(gone)},
            },
            _NAMES,
            returned="NONE",
        )

    def close(self) -> None:
        """See `Store.close`."""
        self._client.close()

    def _update(
        self,
        month: str,
        update: str,
        condition: str,
        values: JsonObject,
        names: Mapping[str, str],
        *,
        returned: str,
    ) -> "_Found":
        asked: JsonObject = {
            "TableName": self._table,
            "Key": {"id": {"S": f"{self._service}#{month}"}},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": dict(names),
            "ExpressionAttributeValues": values,
            "ReturnValues": returned,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            answer = self._client.call("DynamoDB_20120810.UpdateItem", "1.0", asked)
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                return _Found(as_object(error.body.get("Item")) or {}, refused=True)
            raise StoreAway(f"DynamoDB: {error.code}") from None
        except (OSError, WireError) as error:
            raise StoreAway(f"DynamoDB: {type(error).__name__}") from None
        return _Found(as_object(answer.get("Attributes")) or {}, refused=False)

    def _note_stale(self, found: "_Found") -> None:
        before = int(time.time() // 60) - STALE_MINUTES
        old = {token for token in found.open if _minute(token) < before}
        if old:
            with self._lock:
                self._stale = old


class _Found:
    """What DynamoDB said of the item."""

    def __init__(self, item: JsonObject, *, refused: bool) -> None:
        self.refused = refused
        self.open: frozenset[str] = frozenset((as_object(item.get("open")) or {}).get("SS") or [])
        self.counted = {
            name: int((as_object(item.get(name)) or {}).get("N") or 0)
            for name in ("requests", "tokens", "micro_usd")
        }


def _minute(token: str) -> int:
    try:
        return int(token.partition("-")[0], 16)
    except ValueError:
        return 0


def _number(value: int) -> JsonObject:
    return {"N": str(value)}


def _numbers(amounts: Amounts) -> JsonObject:
    return {f":{name}": _number(value) for name, value in amounts.named().items()}
