"""The embedded Firestore: atomic commits to the databases that are deployed, over its REST protocol.

A commit may create, update (whole or by a mask), increment and delete documents, on condition that
they are there or not; a document can be read. Who asks is known by the access token of its service account. Simulated: the
contention of many writers, and the deletion of documents whose time is over. Every other method is
refused as one that is not implemented.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from portway.sandbox.dataplane.amazon_cloud import DEPLOYER
from portway.sandbox.dataplane.front import BodyTooLarge, Exchange
from portway.sandbox.dataplane.google_cloud import PROJECT_MEMBERS
from portway.sandbox.dataplane.records import Records
from portway.sandbox.dataplane.world import World, child, items, text
from portway.sandbox.store import Json, Row

OWNER = "firestore"
DATABASE = "gcp:firestore/database:Database"
MAX_BODY_BYTES = 10 << 20
WRITERS = frozenset(
    {"roles/datastore.user", "roles/datastore.owner", "roles/editor", "roles/owner"}
)
_COMMIT = re.compile(r"/v1/projects/([^/]+)/databases/([^/]+)/documents:commit")
_DOCUMENT = re.compile(r"/v1/projects/([^/]+)/databases/([^/]+)/documents/(.+)")
_CONDITION = re.compile(r'resource\.(name|type|service)\s*==\s*"([^"]*)"')
_PREFIX = re.compile(r'resource\.name\.startsWith\("([^"]*)"\)')
_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "UNIMPLEMENTED": 501,
}


class Refused(Exception):
    """An error as Google's APIs give it."""

    def __init__(self, status: str, message: str) -> None:
        """Keep the canonical ``status``, such as ``NOT_FOUND``."""
        super().__init__(message)
        self.status = status


class Firestore:
    """``firestore.googleapis.com``. ``account_of`` says whose access token it is, None for nobody's."""

    def __init__(
        self,
        world: Callable[[], World],
        records: Records,
        account_of: Callable[[str], str | None],
    ) -> None:
        self._world = world
        self._records = records
        self._account_of = account_of

    async def handle(self, exchange: Exchange) -> None:
        """Answer one API call."""
        try:
            reads = exchange.method == "GET"
            status, body = 200, self._read(exchange) if reads else await self._commit(exchange)
        except Refused as error:
            status = _STATUSES[error.status]
            described = {"code": status, "message": str(error), "status": error.status}
            body = {"error": described}
        await exchange.reply(status, json.dumps(body))

    async def _commit(self, exchange: Exchange) -> Json:
        match = _COMMIT.fullmatch(exchange.path)
        if match is None or exchange.method != "POST":
            raise Refused(
                "UNIMPLEMENTED", "the sandbox's Firestore has documents:commit and get only"
            )
        project, name = match.groups()
        database = self._database(exchange, project, name)
        try:
            asked: Any = json.loads(await exchange.body(MAX_BODY_BYTES))
        except (ValueError, BodyTooLarge) as error:
            raise Refused("INVALID_ARGUMENT", "Invalid JSON payload received.") from error
        fields = cast("Json", asked) if isinstance(asked, dict) else {}
        commit = _Commit(self._records, str(database.key), f"projects/{project}/databases/{name}/")
        writes: list[Json] = fields.get("writes") or []
        results = [commit.write(write) for write in writes]
        self._records.put(str(database.key), commit.changes.items())
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "writeResults": [{"updateTime": now, **result} for result in results],
            "commitTime": now,
        }

    def _read(self, exchange: Exchange) -> Json:
        match = _DOCUMENT.fullmatch(exchange.path)
        if match is None:
            raise Refused("UNIMPLEMENTED", "the sandbox's Firestore reads one document at a time")
        database = self._database(exchange, match[1], match[2])
        name = exchange.path.removeprefix("/v1/")
        found = self._records.get(str(database.key), name)
        if found is None:
            raise Refused("NOT_FOUND", f'Document "{name}" not found.')
        return {"name": name, "fields": found}

    def _database(self, exchange: Exchange, project: str, name: str) -> Row:
        scheme, _, token = (exchange.header("authorization") or "").partition(" ")
        is_bearer = scheme.lower() == "bearer"
        account = self._account_of(token) if is_bearer else None
        is_owner = is_bearer and token == DEPLOYER
        if account is None and not is_owner:
            raise Refused(
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, "
                "login cookie or other valid authentication credential.",
            )
        resource = f"projects/{project}/databases/{name}"
        if account and not may_write(self._world(), project, resource, account):
            raise Refused("PERMISSION_DENIED", "Missing or insufficient permissions.")
        for row in self._world().of(DATABASE):
            if row.key.scope == project and text(row.inputs, "name") == name:
                return row
        raise Refused("NOT_FOUND", f"The database {name} does not exist for project {project}")


def may_write(world: World, project: str, resource: str, account: str) -> bool:
    """Whether a role of the project lets a service account write to the database ``resource``."""
    member = f"serviceAccount:{account}"
    facts = {
        "name": resource,
        "type": "firestore.googleapis.com/Database",
        "service": "firestore.googleapis.com",
    }
    return any(
        text(row.inputs, "role") in WRITERS
        and row.key.scope == project
        and member in (text(row.inputs, "member"), *(row.inputs.get("members") or []))
        and condition_holds(text(child(row.inputs, "condition"), "expression"), facts)
        for row in world.of(*PROJECT_MEMBERS)
    )


def condition_holds(expression: str, facts: Mapping[str, str]) -> bool:
    """Whether an IAM condition holds; one that the sandbox cannot read does not."""
    for part in filter(None, (part.strip() for part in expression.split("&&"))):
        equal, prefix = _CONDITION.fullmatch(part), _PREFIX.fullmatch(part)
        if equal is not None and facts[equal[1]] == equal[2]:
            continue
        if prefix is not None and facts["name"].startswith(prefix[1]):
            continue
        return False
    return True


class _Commit:
    """The writes of one commit, each seeing those before it; nothing is kept until all are done."""

    def __init__(self, records: Records, container: str, prefix: str) -> None:
        self._records = records
        self._container = container
        self._prefix = f"{prefix}documents/"
        self.changes: dict[str, Json | None] = {}

    def write(self, write: Json) -> Json:
        """Apply one write and return its result.

        Raises:
            Refused: its precondition does not hold, or it is none that is known.
        """
        known = {"update", "updateMask", "updateTransforms", "delete", "currentDocument"}
        if unknown := sorted(write.keys() - known):
            raise Refused(
                "INVALID_ARGUMENT",
                f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at 'writes': Cannot find field.",
            )
        name = text(write, "delete") or text(child(write, "update"), "name")
        if not name.startswith(self._prefix):
            raise Refused("INVALID_ARGUMENT", f"Document name {name!r} is not in this database.")
        before = self._current(name)
        self._check(name, before, child(write, "currentDocument"))
        if "delete" in write:
            self.changes[name] = None
            return {}
        after = _merged(before, child(child(write, "update"), "fields"), write.get("updateMask"))
        results = [_transformed(after, each) for each in items(write, "updateTransforms")]
        self.changes[name] = after
        return {"transformResults": results} if results else {}

    def _current(self, name: str) -> Json | None:
        if name in self.changes:
            return self.changes[name]
        return self._records.get(self._container, name)

    def _check(self, name: str, before: Json | None, condition: Json) -> None:
        exists = condition.get("exists")
        if exists is True and before is None:
            raise Refused("NOT_FOUND", f"No document to update: {name}")
        if exists is False and before is not None:
            raise Refused("ALREADY_EXISTS", f"Document already exists: {name}")
        if condition.keys() - {"exists"}:
            raise Refused(
                "UNIMPLEMENTED", "the sandbox's Firestore knows the condition exists only"
            )


def _merged(before: Json | None, fields: Json, mask: Json | None) -> Json:
    if mask is None:
        return dict(fields)
    paths: list[str] = mask.get("fieldPaths") or []
    after = {key: value for key, value in (before or {}).items() if key not in paths}
    return after | {path: fields[path] for path in paths if path in fields}


def _transformed(document: Json, transform: Json) -> Json:
    """Apply one transform to ``document`` in place; returns the field's new value."""
    path, more = text(transform, "fieldPath"), text(child(transform, "increment"), "integerValue")
    if not path or not re.fullmatch(r"-?[0-9]{1,18}", more):
        raise Refused("UNIMPLEMENTED", "the sandbox's Firestore increments by integers only")
    held = int(text(child(document, path), "integerValue") or 0)
    document[path] = {"integerValue": str(held + int(more))}
    return document[path]
