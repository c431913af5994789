"""The meter's counters in Firestore: one document for each month, changed by increments only.

`<collection>/<service>.<month>` has `requests`, `tokens`, `micro_usd` and `expires`;
`<collection>-open/<service>.<token>` is there while a reservation is not settled. Firestore has no
write on condition of a field, so a reservation is added first, in one commit with its token's
document, and that commit answers with the sums: where they are above a limit it is taken back. An
admitted reservation has thus seen a sum, its own included, within the limits, and so has every one
before it. Near a limit one that is being taken back can make a smaller one be refused for a moment.
"""

import os
import random
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from .google_token import AccessTokens, metadata_origin
from .jsons import JsonObject, as_list, as_object, as_text, decode, encode
from .meter_amounts import Amounts, expires_at, limit_passed
from .meter_store import ATTEMPT_SECONDS, StoreAway
from .origin import Origin

CONTENTION_SECONDS = 2.0
"""How long a commit that met others is repeated; Firestore applied none of those it aborted."""

_OPEN_SECONDS = 86400
_FIELDS = ("requests", "tokens", "micro_usd")
_OK = 200
_LONGEST_REASON = 200


class _Refused(Exception):
    """A commit that was certainly not applied."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


def open_firestore(service: str, project: str, database: str, collection: str) -> "FirestoreStore":
    """The counters of `service` in a database.

    `FIRESTORE_EMULATOR_HOST` and `GCE_METADATA_HOST` lead elsewhere, as in Google's own libraries.
    """
    emulator = os.environ.get("FIRESTORE_EMULATOR_HOST")
    address = f"http://{emulator}" if emulator else "https://firestore.googleapis.com"
    documents = f"projects/{project}/databases/{database}/documents"
    tokens = AccessTokens(metadata_origin())
    return FirestoreStore(service, documents, collection, Origin(address, ATTEMPT_SECONDS), tokens)


class FirestoreStore:
    """See `Store`."""

    def __init__(
        self, service: str, documents: str, collection: str, origin: Origin, tokens: AccessTokens
    ) -> None:
        self._service = service
        self._documents = documents
        self._collection = collection
        self._origin = origin
        self._tokens = tokens

    def reserve(
        self, month: str, token: str, amounts: Amounts, limits: Mapping[str, int]
    ) -> str | None:
        """See `Store.reserve`."""
        expires = _timestamp(time.time() + _OPEN_SECONDS)
        opened: JsonObject = {
            "update": {"name": self._open(token), "fields": {"expires": expires}},
            "currentDocument": {"exists": False},
        }
        try:
            sums = self._commit([opened, self._add(month, amounts)])
        except _Refused as error:
            if error.status != "ALREADY_EXISTS":
                raise StoreAway(f"Firestore: {error.status}") from None
            sums = self._commit([self._add(month, Amounts())])
        passed = limit_passed(sums, limits)
        if passed is not None:
            self.settle(month, token, Amounts() - amounts, ())
        return passed

    def settle(self, month: str, token: str, change: Amounts, others: Sequence[str]) -> None:
        """See `Store.settle`."""
        closed: JsonObject = {"delete": self._open(token), "currentDocument": {"exists": True}}
        also: list[JsonObject] = [{"delete": self._open(other)} for other in others]
        try:
            self._commit([closed, *also, self._add(month, change)])
        except _Refused as error:
            if error.status != "NOT_FOUND":
                raise StoreAway(f"Firestore: {error.status}") from None

    def close(self) -> None:
        """See `Store.close`."""
        self._origin.close()
        self._tokens.close()

    def _open(self, token: str) -> str:
        return f"{self._documents}/{self._collection}-open/{self._service}.{token}"

    def _add(self, month: str, amounts: Amounts) -> JsonObject:
        transforms = [
            {"fieldPath": name, "increment": {"integerValue": str(value)}}
            for name, value in amounts.named().items()
        ]
        return {
            "update": {
                "name": f"{self._documents}/{self._collection}/{self._service}.{month}",
                "fields": {"expires": _timestamp(expires_at(month))},
            },
            "updateMask": {"fieldPaths": ["expires"]},
            "updateTransforms": transforms,
        }

    def _commit(self, writes: list[JsonObject]) -> dict[str, int]:
        """Apply all writes or none; returns the sums that the last one, an addition, led to.

        Raises:
            _Refused: none was applied: a document is there, or is not, against a precondition.
            StoreAway: Firestore does not answer or does not let us.
        """
        deadline = time.monotonic() + CONTENTION_SECONDS
        while True:
            status, answer = self._post(encode({"writes": writes}))
            if status == _OK:
                return _sums(answer)
            error = as_object(answer.get("error")) or {}
            reason, said = as_text(error.get("status")) or str(status), str(error.get("message"))
            if reason == "ABORTED" and time.monotonic() < deadline:
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - no secret
            elif reason in {"ALREADY_EXISTS", "NOT_FOUND"} and not said.startswith("The database"):
                raise _Refused(reason)
            else:
                if reason == "UNAUTHENTICATED":
                    self._tokens.forget()
                raise StoreAway(f"Firestore: {reason}: {said[:_LONGEST_REASON]}")

    def _post(self, body: bytes) -> tuple[int, JsonObject]:
        try:
            headers = {
                "authorization": f"Bearer {self._tokens.get()}",
                "content-type": "application/json",
            }
            path = f"/v1/{self._documents}:commit"
            status, data = self._origin.call("POST", path, body, headers)
            return status, as_object(decode(data)) or {}
        except (OSError, ValueError) as error:
            raise StoreAway(f"Firestore: {type(error).__name__}: {error}") from None


def _sums(answer: JsonObject) -> dict[str, int]:
    results = as_list(answer.get("writeResults")) or [{}]
    values = as_list((as_object(results[-1]) or {}).get("transformResults")) or []
    sums = [str((as_object(value) or {}).get("integerValue")) for value in values]
    if len(sums) != len(_FIELDS) or not all(re.fullmatch(r"-?[0-9]+", each) for each in sums):
        raise StoreAway("Firestore: a commit was answered without its sums")
    return dict(zip(_FIELDS, map(int, sums), strict=True))


def _timestamp(unix_seconds: float) -> JsonObject:
    return {
        "timestampValue": datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    }
