"""Writing files into a bucket of Cloud Storage: resumable uploads that end only if the bytes are right.

Cloud Storage JSON API, "Resumable uploads": a session takes pieces in multiples of 256 KiB and
answers 308 with the range that it keeps; the object is there, whole, with the last piece.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode, urlsplit

from .google_token import AccessTokens
from .hub_files import MOST_TRIES, PATIENCE_SECONDS, CopyFailed, SourceFile, pause_seconds
from .jsons import JsonObject, as_list, as_object, as_text, decode, encode
from .origin import Origin

PIECE_BYTES = 8 << 20
DIGEST = "portway-digest"
"""The metadata of an object that says which bytes it holds."""

_GOOGLE = "https://storage.googleapis.com"
_OK = frozenset({200, 201})
_KEPT, _AWAY = 308, 503
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_UNAUTHENTICATED, _FORBIDDEN = 401, 403
_RANGE = re.compile(r"bytes=0-([0-9]+)")


def storage_origin() -> Origin:
    """Cloud Storage, or where `STORAGE_EMULATOR_HOST` says that one is, as in Google's libraries."""
    given = os.environ.get("STORAGE_EMULATOR_HOST", "")
    address = given if "://" in given or not given else f"http://{given}"
    return Origin(address or _GOOGLE, PATIENCE_SECONDS)


class Bucket:
    """One bucket. Thread-safe."""

    def __init__(self, name: str, origin: Origin, tokens: AccessTokens) -> None:
        self._name = name
        self._origin = origin
        self._tokens = tokens

    def digests(self, prefix: str) -> dict[str, str]:
        """The digest of each object whose name begins with `prefix`; "" where it has none.

        Raises:
            CopyFailed: the bucket cannot be listed.
        """
        found: dict[str, str] = {}
        token = ""
        while True:
            asked = {"prefix": prefix, "fields": "items(name,metadata),nextPageToken"}
            query = urlencode({**asked, **({"pageToken": token} if token else {})})
            path = f"/storage/v1/b/{quote(self._name)}/o?{query}"
            status, _, answer = self._call("GET", path, None, {})
            if status not in _OK:
                raise self._refused("list its objects", status, answer)
            for item in as_list(answer.get("items")) or []:
                one = as_object(item) or {}
                metadata = as_object(one.get("metadata")) or {}
                found[str(one.get("name"))] = as_text(metadata.get(DIGEST)) or ""
            token = as_text(answer.get("nextPageToken")) or ""
            if not token:
                return found

    def write(self, name: str, file: SourceFile, pieces: Iterator[bytes]) -> int:
        """Write `file` as the object `name`; it is not there before its digest is known to be right.

        Returns:
            How many bytes it has.

        Raises:
            CopyFailed: the bucket refuses it, or the bytes are others than promised.
        """
        digest, session, at, held = file.digesting(), self._begin(name, file), 0, bytearray()
        for piece in pieces:
            digest.update(piece)
            held += piece
            # the last piece is held back: with it the object would be there
            while len(held) > PIECE_BYTES:
                self._send(session, bytes(held[:PIECE_BYTES]), at, None)
                del held[:PIECE_BYTES]
                at += PIECE_BYTES
        size = at + len(held)
        if file.digest not in {"", digest.hexdigest()} or file.size not in {None, size}:
            raise CopyFailed(f"{file.name}: what arrived is not what the hub has listed")
        self._send(session, bytes(held), at, size)
        return size

    def _begin(self, name: str, file: SourceFile) -> str:
        query = urlencode({"uploadType": "resumable", "name": name})
        path = f"/upload/storage/v1/b/{quote(self._name)}/o?{query}"
        body = encode({"name": name, "metadata": {DIGEST: file.digest}})
        status, headers, answer = self._call(
            "POST", path, body, {"content-type": "application/json; charset=UTF-8"}
        )
        session = urlsplit(headers.get("location", ""))
        if status not in _OK or not session.path:
            raise self._refused("write", status, answer)
        return f"{session.path}?{session.query}"

    def _send(self, session: str, data: bytes, at: int, size: int | None) -> None:
        """Send `data`, which begins at byte `at`; `size` is of the whole, with its last piece only.

        What a broken connection left is asked for, and the rest is sent again.
        """
        done, end, whole, tries = at, at + len(data), "*" if size is None else str(size), 0
        while True:
            span = f"{done}-{end - 1}" if done < end else "*"
            told = {"content-range": f"bytes {span}/{whole}"}
            status, headers, answer = self._one("PUT", session, data[done - at :], told)
            if status in _AGAIN and tries < MOST_TRIES:
                tries += 1
                time.sleep(pause_seconds(tries))
                told = {"content-range": f"bytes */{whole}"}
                status, headers, answer = self._call("PUT", session, b"", told)
            if status in _OK:
                return
            if status != _KEPT or tries > MOST_TRIES:
                raise self._refused("write", status, answer)
            kept = _RANGE.fullmatch(headers.get("range", ""))
            before, done = done, max(done, int(kept[1]) + 1 if kept else 0)
            tries += done == before
            if done >= end and size is None:
                return

    def _call(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], JsonObject]:
        """The answer, asked for again while it may pass; 503 where there was none."""
        tries = 0
        while True:
            status, told, answer = self._one(method, path, body, headers)
            if status == _UNAUTHENTICATED and not tries:
                self._tokens.forget()
            elif status not in _AGAIN or tries >= MOST_TRIES:
                return status, told, answer
            tries += 1
            time.sleep(pause_seconds(tries))

    def _one(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], JsonObject]:
        try:
            allowed = {"authorization": f"Bearer {self._tokens.get()}", **headers}
            status, told, data = self._origin.answer(method, path, body, allowed)
        except OSError as error:
            return _AWAY, {}, {"error": {"message": f"no answer ({type(error).__name__})"}}
        try:
            return status, told, as_object(decode(data)) or {}
        except ValueError:
            return status, told, {}

    def _refused(self, doing: str, status: int, answer: JsonObject) -> CopyFailed:
        said = (as_object(answer.get("error")) or {}).get("message")
        text = f"bucket {self._name}: may not {doing}: {status} {said or ''}".rstrip()
        return CopyFailed(text, again=status == _FORBIDDEN)
