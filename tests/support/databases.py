"""The sandbox's databases on loopback, deployed with everything that the meter needs of them."""

import json
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portway.runtime.meter_amounts import Amounts
from portway.runtime.resp import Pool
from portway.sandbox.dataplane.amazon_cloud import ROLE, ROLE_POLICY, credentials
from portway.sandbox.dataplane.context import free_port
from portway.sandbox.dataplane.dynamodb import TABLE, DynamoDb
from portway.sandbox.dataplane.firestore import DATABASE, Firestore
from portway.sandbox.dataplane.front import Exchange
from portway.sandbox.dataplane.metadata import access_token
from portway.sandbox.dataplane.records import Records
from portway.sandbox.dataplane.world import World
from portway.sandbox.store import Key, Row
from support.loop_thread import listening

REGION = "eu-west-1"
SCOPE = f"123456789012:{REGION}"
ROLE_ARN = "arn:aws:iam::123456789012:role/app"
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:123456789012:table/chat-meter"
PROJECT, DATABASE_NAME = "my-project", "chat-meter"
ACCOUNT = "chat@my-project.iam.gserviceaccount.com"
RESOURCE = f"projects/{PROJECT}/databases/{DATABASE_NAME}"
PASSWORD = "the-password-of-a-test"


@dataclass
class Deployed:
    """A database, how a runtime is told of it, and what is in it; a test may change ``rows``.

    Attributes:
        store: the ``store`` of ``PORTWAY_METER``.
        environment: what the platform adds to the runtime's environment.
    """

    store: dict[str, Any]
    environment: dict[str, str]
    used: Callable[[str], Amounts]
    rows: list[Row] = field(default_factory=list[Row])
    item: Callable[[str], dict[str, Any]] | None = None


def aws_row(kind: str, id_: str, inputs: Any, outputs: Any = None) -> Row:
    return Row(Key("aws", SCOPE, kind, id_), "", inputs, outputs or inputs)


def google_row(kind: str, id_: str, inputs: Any) -> Row:
    return Row(Key("gcp", PROJECT, kind, id_), "", inputs, inputs)


def allowed(action: str, resource: str) -> Row:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    policy = json.dumps({"Statement": [statement]})
    return aws_row(ROLE_POLICY, "app:meter", {"role": "app", "policy": policy})


@contextmanager
def dynamodb(folder: Path) -> Generator[Deployed]:
    """A table and a role that may change its items."""
    records = Records(folder / "records.db")
    attributes = [{"name": "id", "type": "S"}]
    table = {"name": "chat-meter", "hashKey": "id", "attributes": attributes}
    rows = [
        aws_row(ROLE, "app", {"name": "app"}, {"arn": ROLE_ARN}),
        aws_row(TABLE, "chat-meter", table, {"arn": TABLE_ARN}),
        allowed("dynamodb:UpdateItem", TABLE_ARN),
    ]
    keys = credentials(ROLE_ARN)
    container = str(rows[1].key)

    def item(month: str) -> dict[str, Any]:
        name = json.dumps({"id": {"S": f"chat#{month}"}}, sort_keys=True)
        return records.get(container, name) or {}

    with listening(DynamoDb(lambda: World(rows, folder), records).handle) as address:
        environment = {
            "AWS_ENDPOINT_URL_DYNAMODB": address,
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_SESSION_TOKEN": keys.session_token,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        store = {"kind": "dynamodb", "table": "chat-meter", "region": REGION}
        yield Deployed(store, environment, lambda m: _amounts(item(m), "N"), rows, item)
    records.close()


@contextmanager
def firestore(folder: Path) -> Generator[Deployed]:
    """A database, a service account that may use it, and that account's metadata server."""
    records = Records(folder / "records.db")
    member = {
        "role": "roles/datastore.user",
        "member": f"serviceAccount:{ACCOUNT}",
        "condition": {"expression": f'resource.name == "{RESOURCE}"', "title": "meter"},
    }
    rows = [
        google_row(DATABASE, DATABASE_NAME, {"name": DATABASE_NAME}),
        google_row("gcp:projects/iAMMember:IAMMember", "member", member),
    ]
    container = str(rows[0].key)

    def used(month: str) -> Amounts:
        name = f"{RESOURCE}/documents/meters/chat.{month}"
        return _amounts(records.get(container, name) or {}, "integerValue")

    async def metadata(exchange: Exchange) -> None:
        token = {"access_token": access_token(ACCOUNT), "expires_in": 3599, "token_type": "Bearer"}
        await exchange.reply(200, json.dumps(token))

    accounts = {access_token(ACCOUNT): ACCOUNT}
    handler = Firestore(lambda: World(rows, folder), records, accounts.get).handle
    with listening(handler) as address, listening(metadata) as instance:
        environment = {
            "FIRESTORE_EMULATOR_HOST": address.removeprefix("http://"),
            "GCE_METADATA_HOST": instance.removeprefix("http://"),
        }
        store = {
            "kind": "firestore",
            "project": PROJECT,
            "database": DATABASE_NAME,
            "collection": "meters",
        }
        yield Deployed(store, environment, used, rows)
    records.close()


@contextmanager
def valkey_process(folder: Path, port: int) -> Generator[subprocess.Popen[bytes]]:
    """The stand-in server as a pod would start it; what it keeps is in ``folder``."""
    config = folder / "valkey.conf"
    config.write_text(f"requirepass {PASSWORD}\n")
    arguments = [
        str(config), "--port", str(port), "--dir", str(folder), "--appendonly", "yes",
        "--appendfsync", "always", "--save", "", "--maxmemory", "96mb",
        "--maxmemory-policy", "noeviction",
    ]  # fmt: skip
    server = "portway.sandbox.dataplane.valkey_server"
    process = subprocess.Popen([sys.executable, "-m", server, *arguments], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert b"Ready to accept connections" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def valkey(folder: Path) -> Generator[Deployed]:
    """A server with a password, and the file that has it."""
    port, file = free_port(), folder / "password"
    file.write_text(PASSWORD)

    def used(month: str) -> Amounts:
        pool = Pool(("127.0.0.1", port), file, seconds=10)
        fields = [pool.call(["HGET", f"portway:{{chat}}:{month}", n]) for n in _FIELDS]
        pool.close()
        return Amounts(*(int(value or 0) for value in fields))

    with valkey_process(folder, port):
        store = {"kind": "valkey", "host": "localhost", "port": port, "password_file": str(file)}
        yield Deployed(store, {}, used)


_FIELDS = ("requests", "tokens", "micro_usd")


def _amounts(item: Mapping[str, Mapping[str, str]], kind: str) -> Amounts:
    return Amounts(*(int(item.get(name, {}).get(kind, "0")) for name in _FIELDS))


KINDS: Mapping[str, Callable[[Path], Any]] = {
    "dynamodb": dynamodb,
    "firestore": firestore,
    "valkey": valkey,
}
