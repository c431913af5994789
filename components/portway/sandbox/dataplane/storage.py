"""The embedded Cloud Storage: listing, reading and writing objects of deployed buckets, over its JSON API.

Who asks is known by the access token of its service account, and what it may do by the policies of
bucket and project. Uploads are resumable ones (Cloud Storage JSON API, "Resumable uploads"): pieces in
multiples of 256 KiB, of which a broken one leaves what arrived. Every other method is refused as one
that is not implemented.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, quote, unquote, urlencode

from portway.sandbox.buckets import Buckets, Session, described
from portway.sandbox.dataplane.front import BodyTooLarge, Exchange
from portway.sandbox.dataplane.google_cloud import (
    BUCKET,
    OBJECT_OVERWRITERS,
    OBJECT_READERS,
    OBJECT_WRITERS,
    bucket_members,
    uploaded_files,
)
from portway.sandbox.dataplane.world import World
from portway.sandbox.store import Json, Row

OWNER = "storage"
PIECE_BYTES = 256 << 10
MOST_LISTED = 1000
_MAX_METADATA_BYTES = 1 << 20
_OBJECTS = re.compile(r"/storage/v1/b/([^/]+)/o")
_OBJECT = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)")
_UPLOAD = re.compile(r"/upload/storage/v1/b/([^/]+)/o")
_SPAN = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_LISTING = frozenset({"prefix", "pageToken", "maxResults", "fields", "alt", "prettyPrint"})
_NO_METHOD = (
    "the sandbox's Cloud Storage lists and reads objects, and writes them by resumable uploads"
)


class Refused(Exception):
    """An error as Cloud Storage gives it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        """``code`` is the HTTP status, ``reason`` the first error's, such as ``forbidden``."""
        super().__init__(message)
        self.code = code
        self.reason = reason


class Storage:
    """``storage.googleapis.com``.

    ``account_of`` says whose access token it is, None for nobody's; ``written`` is told of each bucket
    and the name of an object that was made in it.
    """

    def __init__(
        self,
        world: Callable[[], World],
        buckets: Buckets,
        account_of: Callable[[str], str | None],
        written: Callable[[Row, str], None],
    ) -> None:
        self._world = world
        self._buckets = buckets
        self._account_of = account_of
        self._written = written

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call."""
        try:
            await self._answer(exchange)
        except Refused as error:
            one = {"message": str(error), "domain": "global", "reason": error.reason}
            body = {"error": {"code": error.code, "message": str(error), "errors": [one]}}
            await exchange.reply(error.code, json.dumps(body))

    async def _answer(self, exchange: Exchange) -> None:
        path, method = exchange.raw_path, exchange.method
        query = dict(parse_qsl(exchange.query, keep_blank_values=True))
        if method == "GET" and (found := _OBJECTS.fullmatch(path)):
            await exchange.reply(200, json.dumps(self._list(exchange, found[1], query)))
        elif method == "GET" and (found := _OBJECT.fullmatch(path)):
            await self._read(exchange, found[1], unquote(found[2]), query)
        elif method == "POST" and (found := _UPLOAD.fullmatch(path)):
            await self._begin(exchange, found[1], query)
        elif method == "PUT" and (found := _UPLOAD.fullmatch(path)):
            await self._take(exchange, found[1], query)
        else:
            raise Refused(501, "notImplemented", _NO_METHOD)

    def _list(self, exchange: Exchange, bucket: str, query: Mapping[str, str]) -> Json:
        row = self._bucket(bucket)
        self._allow(exchange, row, "list", "bucket", OBJECT_READERS)
        if unknown := sorted(query.keys() - _LISTING):
            raise Refused(
                501, "notImplemented", f"the sandbox's Cloud Storage lists without {unknown[0]}"
            )
        most = _count(query.get("maxResults", str(MOST_LISTED)))
        after, prefix = query.get("pageToken", ""), query.get("prefix", "")
        found = [o for o in self._objects(row) if str(o["name"]).startswith(prefix)]
        left = [each for each in found if str(each["name"]) > after]
        more = {"nextPageToken": left[most - 1]["name"]} if len(left) > most else {}
        items = {"items": left[:most]} if left else {}
        return {"kind": "storage#objects", **more, **items}

    def _objects(self, row: Row) -> list[Json]:
        """What is in a bucket by name: what was deployed into it, and what was written."""
        bucket = row.key.id
        found: dict[str, Json] = {
            name: {
                "kind": "storage#object", "id": f"{bucket}/{name}/1", "name": name, "bucket": bucket,
                "generation": "1", "size": str(_size(content)),
            }
            for name, content in uploaded_files(self._world(), bucket).items()
        }  # fmt: skip
        found |= {one.name: described(bucket, one) for one in self._buckets.objects(bucket)}
        return [found[name] for name in sorted(found)]

    async def _read(
        self, exchange: Exchange, bucket: str, name: str, query: Mapping[str, str]
    ) -> None:
        row = self._bucket(bucket)
        self._allow(exchange, row, "get", "object", OBJECT_READERS)
        found = next((each for each in self._objects(row) if each["name"] == name), None)
        if found is None:
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
        if query.get("alt") != "media":
            await exchange.reply(200, json.dumps(found))
            return
        written = self._buckets.find(bucket, name)
        content = written.content if written else uploaded_files(self._world(), bucket)[name]
        data = content if isinstance(content, bytes) else content.read_bytes()
        await exchange.reply(200, data, "application/octet-stream")

    async def _begin(self, exchange: Exchange, bucket: str, query: Mapping[str, str]) -> None:
        """Begin a resumable upload; its address is the right to go on."""
        row = self._bucket(bucket)
        self._allow(exchange, row, "create", "object", OBJECT_WRITERS)
        if query.get("uploadType") != "resumable":
            raise Refused(501, "notImplemented", _NO_METHOD)
        told = await _told(exchange)
        name = query.get("name") or told.get("name")
        if not isinstance(name, str) or not name:
            raise Refused(400, "required", "Required object name")
        if self._buckets.find(bucket, name) is not None:
            self._allow(exchange, row, "delete", "object", OBJECT_OVERWRITERS)
        metadata = cast("dict[str, Any]", told.get("metadata") or {})
        session = self._buckets.begin(bucket, name, {k: str(v) for k, v in metadata.items()})
        given = {"uploadType": "resumable", "name": name, "upload_id": session.identifier}
        host = exchange.header("host") or ""
        place = f"http://{host}/upload/storage/v1/b/{quote(bucket)}/o?{urlencode(given)}"
        headers = [("location", place), ("x-guploader-uploadid", session.identifier)]
        await exchange.reply(200, b"", headers=headers)

    async def _take(self, exchange: Exchange, bucket: str, query: Mapping[str, str]) -> None:
        """Take a piece, or say how far the upload is; the last piece makes the object."""
        row = self._bucket(bucket)
        session = self._buckets.session(bucket, query.get("upload_id", ""))
        if session is None:
            raise Refused(404, "notFound", "Not Found")
        first, last, total = _span(exchange)
        if not session.done:
            if first is not None and first > session.received:
                # with two blanks, as the service has it
                said = (
                    f"Invalid request.  According to the Content-Range header, the upload offset is {first} "
                    f"byte(s), which exceeds already uploaded size of {session.received} byte(s)."
                )
                await exchange.reply(503, said, "text/plain; charset=utf-8")
                return
            if first is not None:
                is_last = last is None or last + 1 == total
                await _receive(exchange, session, first, last, is_last=is_last)
                total = session.received if last is None else total
            if session.received != total:
                await _so_far(exchange, session)
                return
            session.finish()
            self._written(row, session.name)
        made = self._buckets.find(bucket, session.name)
        await exchange.reply(200, json.dumps(described(bucket, made) if made else {}))

    def _bucket(self, name: str) -> Row:
        found = [row for row in self._world().of(BUCKET) if row.key.id == unquote(name)]
        if not found:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        return found[0]

    def _allow(
        self, exchange: Exchange, bucket: Row, doing: str, what: str, roles: frozenset[str]
    ) -> None:
        permission = f"storage.objects.{doing}"
        text = (
            f"does not have {permission} access to the Google Cloud Storage {what}. Permission "
            f"'{permission}' denied on resource (or it may not exist)."
        )
        scheme, _, token = (exchange.header("authorization") or "").partition(" ")
        allowed = bucket_members(self._world(), bucket, roles)
        if not token:
            if "allUsers" not in allowed:
                raise Refused(401, "required", f"Anonymous caller {text}")
            return
        account = self._account_of(token)
        if scheme.lower() != "bearer" or account is None:
            raise Refused(401, "authError", "Invalid Credentials")
        if not {f"serviceAccount:{account}", "allUsers"} & allowed:
            raise Refused(403, "forbidden", f"{account} {text}")


async def _told(exchange: Exchange) -> Json:
    """The object's description in the body of a new upload; empty without one."""
    try:
        told: Any = json.loads(await exchange.body(_MAX_METADATA_BYTES) or b"{}")
    except (ValueError, BodyTooLarge) as error:
        raise Refused(400, "parseError", "Parse Error") from error
    return cast("Json", told) if isinstance(told, dict) else {}


def _span(exchange: Exchange) -> tuple[int | None, int | None, int | None]:
    """First and last byte of a piece, and how many there are in all; the first is None for a question."""
    given = exchange.header("content-range")
    if given is None:
        return 0, None, None
    found = _SPAN.fullmatch(given)
    if found is None:
        raise Refused(400, "badRequest", "Failed to parse Content-Range header.")
    first, last, total = (None if part in (None, "*") else int(part) for part in found.groups())
    return first, last, total


async def _receive(
    exchange: Exchange, session: Session, first: int, last: int | None, *, is_last: bool
) -> None:
    """Append a piece. Of one that is not the last, or that breaks off, whole 256 KiB are kept."""
    begun = session.received
    skipped, came, whole = begun - first, 0, False
    try:
        with session.part.open("ab") as file:
            async for data in exchange.chunks():
                file.write(data[max(0, skipped - came) :])
                came += len(data)
        whole = True
    finally:
        if not (whole and is_last):
            kept = max(begun, session.received // PIECE_BYTES * PIECE_BYTES)
            with session.part.open("r+b") as file:
                file.truncate(kept)
    if last is not None and came != last - first + 1:
        with session.part.open("r+b") as file:
            file.truncate(begun)
        raise Refused(
            400, "badRequest",
            f"Invalid request.  There were {came} byte(s) in the request body.  There should have been "
            f"{last - first + 1} byte(s) (starting at offset {first} and ending at offset {last}) according to "
            "the Content-Range header.",
        )  # fmt: skip


async def _so_far(exchange: Exchange, session: Session) -> None:
    received = session.received
    kept = [("range", f"bytes=0-{received - 1}")] if received else []
    await exchange.reply(308, b"", "text/plain; charset=utf-8", kept)


def _count(given: str) -> int:
    if not given.isdigit() or not int(given):
        raise Refused(400, "invalid", f"Invalid unsigned integer value: '{given}'.")
    return min(int(given), MOST_LISTED)


def _size(content: Any) -> int:  # noqa: ANN401 - bytes or the file they are in
    return len(content) if isinstance(content, bytes) else content.stat().st_size
