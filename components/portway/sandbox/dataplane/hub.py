"""A local hub of model weights: some repositories at one commit each, and OpenAI's vocabularies.

It answers what a download asks (Hugging Face Hub API): the list of a revision's files, and the files;
large ones are elsewhere, as on the real hub, here at another path of the same server. What is in them
is made up. Nobody needs an account.
"""

import asyncio
import hashlib
import json
import re
from urllib.parse import parse_qs

from portway.sandbox.dataplane.front import Exchange
from portway.sandbox.dataplane.hub_content import (
    VOCABULARIES,
    HubFile,
    Repository,
    large_files,
    repositories,
    vocabulary,
)
from portway.sandbox.dataplane.troubles import HUB, Troubles
from portway.sandbox.faults import FaultKind

OWNER = "hub"
VOCABULARIES_PATH = "/encodings/"
_TREE = re.compile(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)")
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_LARGE = re.compile(r"/large/([0-9a-f]{64})")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_ANSWERS = {FaultKind.UNAVAILABLE: (503, "Service Unavailable"), FaultKind.THROTTLED: (429, "Too Many Requests")}  # fmt: skip


class Refused(Exception):
    """An error as the hub gives it."""

    def __init__(self, code: str, message: str) -> None:
        """``code`` is what the header ``x-error-code`` says."""
        super().__init__(message)
        self.code = code


class Hub:
    """``huggingface.co``, without the web site. Faults that name ``HUB`` as their type strike each call."""

    def __init__(self, troubles: Troubles | None = None) -> None:
        self._troubles = troubles

    async def handle(self, exchange: Exchange) -> None:
        """Answer one call."""
        try:
            if not await self._struck(exchange):
                await self._answer(exchange)
        except Refused as error:
            headers = [("x-error-code", error.code), ("x-error-message", str(error))]
            body = json.dumps({"error": str(error)})
            await exchange.reply(404, body, headers=headers)

    async def _struck(self, exchange: Exchange) -> bool:
        due = self._troubles.due("invoke", HUB, exchange.path) if self._troubles else []
        for fault in due:
            if fault.kind is FaultKind.LATENCY:
                await asyncio.sleep(fault.latency_seconds)
            elif fault.kind in _ANSWERS:
                status, said = _ANSWERS[fault.kind]
                await exchange.reply(status, said, "text/plain; charset=utf-8")
                return True
        return False

    async def _answer(self, exchange: Exchange) -> None:
        path = exchange.path
        if exchange.method not in ("GET", "HEAD"):
            await exchange.reply(405, '{"error":"Method Not Allowed"}')
        elif found := _TREE.fullmatch(path):
            repository = _found(found[1], found[2])
            is_deep = parse_qs(exchange.query).get("recursive") == ["true"]
            await exchange.reply(200, json.dumps(_tree(repository, is_deep=is_deep)))
        elif found := _RESOLVE.fullmatch(path):
            await _resolve(exchange, _found(found[1], found[2]), found[3])
        elif (found := _LARGE.fullmatch(path)) and found[1] in large_files():
            await _send(exchange, large_files()[found[1]], [])
        elif path.removeprefix(VOCABULARIES_PATH) in VOCABULARIES:
            await _send(exchange, vocabulary(path.removeprefix(VOCABULARIES_PATH)), [])
        else:
            raise Refused("EntryNotFound", "Sorry, we can't find the page you are looking for.")


def _found(name: str, revision: str) -> Repository:
    repository = repositories().get(name)
    if repository is None:
        raise Refused("RepoNotFound", "Repository not found")
    if revision not in ("main", repository.revision):
        raise Refused("RevisionNotFound", f"Invalid rev id: {revision}")
    return repository


def _tree(repository: Repository, *, is_deep: bool) -> list[dict[str, object]]:
    """Files and folders as the hub lists them: of the root alone unless ``is_deep``."""
    listed: list[dict[str, object]] = []
    folders = sorted({path.rpartition("/")[0] for path in repository.files} - {""})
    for folder in folders:
        oid = hashlib.sha1(folder.encode(), usedforsecurity=False).hexdigest()
        listed.append({"type": "directory", "oid": oid, "size": 0, "path": folder})
    files = repository.files.values()
    return listed + [_entry(file) for file in files if is_deep or "/" not in file.path]


def _entry(file: HubFile) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file", "oid": file.oid, "size": len(file.data), "path": file.path,
    }  # fmt: skip
    if file.sha256:
        entry["lfs"] = {"oid": file.sha256, "size": len(file.data)}
    return entry


async def _resolve(exchange: Exchange, repository: Repository, path: str) -> None:
    file = repository.files.get(path)
    if file is None:
        raise Refused("EntryNotFound", "Entry not found")
    headers = [("x-repo-commit", repository.revision), ("accept-ranges", "bytes")]
    if not file.sha256:
        await _send(exchange, file.data, [*headers, ("etag", f'"{file.oid}"')])
        return
    place = f"http://{exchange.header('host')}/large/{file.sha256}"
    linked = [("x-linked-size", str(len(file.data))), ("x-linked-etag", f'"{file.sha256}"')]
    told = f"Found. Redirecting to {place}"
    await exchange.reply(302, told, "text/plain", [*headers, *linked, ("location", place)])


async def _send(exchange: Exchange, data: bytes, headers: list[tuple[str, str]]) -> None:
    """Answer with ``data``, or with the part of it that was asked for."""
    kind, asked = "application/octet-stream", _RANGE.fullmatch(exchange.header("range") or "")
    if asked is None:
        await exchange.reply(200, data, kind, headers)
        return
    first = int(asked[1])
    last = min(int(asked[2] or len(data)), len(data) - 1)
    if first > last:
        headers = [*headers, ("content-range", f"bytes */{len(data)}")]
        await exchange.reply(416, b"", kind, headers)
        return
    headers = [*headers, ("content-range", f"bytes {first}-{last}/{len(data)}")]
    await exchange.reply(206, data[first : last + 1], kind, headers)
