"""The embedded Cloud Storage over its JSON API: who may do what, and uploads that go on."""

import re
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from portway.sandbox.buckets import Buckets
from portway.sandbox.dataplane.google_cloud import bucket_files
from portway.sandbox.dataplane.metadata import access_token
from portway.sandbox.dataplane.storage import PIECE_BYTES, Storage
from portway.sandbox.dataplane.world import World
from portway.sandbox.store import Key, Row
from support.loop_thread import listening

BUCKET = "acme-models"
READER, WRITER, ADDER = (
    f"{name}@acme.iam.gserviceaccount.com" for name in ("reader", "writer", "adder")
)
NOBODY = "nobody@acme.iam.gserviceaccount.com"
ROLES = {READER: "objectViewer", WRITER: "objectUser", ADDER: "objectCreator"}
TOKENS = {access_token(one): one for one in (READER, WRITER, ADDER, NOBODY)}


def rows() -> list[Row]:
    found = [
        Row(Key("gcp", "global", "gcp:storage/bucket:Bucket", BUCKET), "", {}, {"project": "acme"})
    ]
    for account, role in ROLES.items():
        told = {
            "bucket": BUCKET,
            "role": f"roles/storage.{role}",
            "member": f"serviceAccount:{account}",
        }
        key = Key("gcp", "acme", "gcp:storage/bucketIAMMember:BucketIAMMember", f"{account}")
        found.append(Row(key, "", told, told))
    put = {"bucket": BUCKET, "name": "deployed.txt", "content": "by a deployment"}
    key = Key("gcp", "acme", "gcp:storage/bucketObject:BucketObject", f"{BUCKET}-deployed.txt")
    return [*found, Row(key, "", put, put)]


class Served:
    """A storage with one bucket, and what it was told to tell."""

    def __init__(self, client: httpx.Client, address: str, root: Path, told: list[str]) -> None:
        self.client, self.address, self.root, self.told = client, address, root, told

    def call(self, method: str, path: str, account: str | None = WRITER, **more: Any) -> Any:
        headers = {} if account is None else {"authorization": f"Bearer {access_token(account)}"}
        headers |= more.pop("headers", {})
        return self.client.request(method, f"{self.address}{path}", headers=headers, **more)

    def begin(self, name: str, account: str = WRITER, **told: Any) -> Any:
        path = f"/upload/storage/v1/b/{BUCKET}/o"
        asked = {"uploadType": "resumable", "name": name}
        return self.call("POST", path, account, params=asked, json=told)

    def put(self, place: str, span: str, data: bytes = b"") -> Any:
        return self.client.put(place, headers={"content-range": f"bytes {span}"}, content=data)

    def listed(self, **query: Any) -> Any:
        return self.call("GET", f"/storage/v1/b/{BUCKET}/o", READER, params=query).json()


@pytest.fixture
def storage(tmp_path: Path) -> Generator[Served]:
    told: list[str] = []
    world, buckets = World(rows(), tmp_path), Buckets(tmp_path)
    served = Storage(
        lambda: world, buckets, TOKENS.get, lambda row, name: told.append(f"{row.key.id}/{name}")
    )
    with listening(served.handle) as address, httpx.Client() as client:
        yield Served(client, address, tmp_path, told)


def error(answer: Any) -> tuple[int, str, str]:
    body = answer.json()["error"]
    assert body["code"] == answer.status_code
    return answer.status_code, body["errors"][0]["reason"], body["message"]


def test_an_object_is_there_with_its_last_piece_and_not_before(storage: Served) -> None:
    data = bytes(range(256)) * 2100  # two pieces and a rest
    begun = storage.begin("a/b c.safetensors", metadata={"digest": "d"})
    place = begun.headers["location"]
    assert (begun.status_code, begun.content) == (200, b"")
    first = storage.put(place, f"0-{PIECE_BYTES - 1}/*", data[:PIECE_BYTES])
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{PIECE_BYTES - 1}")
    assert [one["name"] for one in storage.listed()["items"]] == ["deployed.txt"]
    last = storage.put(place, f"{PIECE_BYTES}-{len(data) - 1}/{len(data)}", data[PIECE_BYTES:])
    made = last.json()
    assert (last.status_code, made["size"], made["metadata"]) == (
        200,
        str(len(data)),
        {"digest": "d"},
    )
    (listed,) = storage.listed(prefix="a/")["items"]
    assert listed == made
    name = "/storage/v1/b/acme-models/o/a%2Fb%20c.safetensors"
    assert storage.call("GET", name).json() == made
    assert storage.call("GET", name, params={"alt": "media"}).content == data
    assert storage.told == ["acme-models/a/b c.safetensors"]
    # asked again after its end, the session tells of the object
    assert storage.put(place, f"*/{len(data)}").json() == made


def test_who_mounts_the_bucket_sees_what_was_deployed_and_what_was_written(storage: Served) -> None:
    storage.put(storage.begin("w").headers["location"], "0-2/3", b"new")
    found = bucket_files(World(rows(), storage.root), "acme", BUCKET, READER)
    assert {name: c if isinstance(c, bytes) else c.read_bytes() for name, c in found.items()} == {
        "deployed.txt": b"by a deployment", "w": b"new",
    }  # fmt: skip


def test_of_a_piece_that_is_not_the_last_whole_blocks_are_kept(storage: Served) -> None:
    place = storage.begin("x").headers["location"]
    uneven = storage.put(place, f"0-{PIECE_BYTES + 9}/*", bytes(PIECE_BYTES + 10))
    assert uneven.headers["range"] == f"bytes=0-{PIECE_BYTES - 1}"
    less = storage.begin("y").headers["location"]
    assert "range" not in storage.put(less, "0-9/*", bytes(10)).headers
    asked = storage.put(less, "*/10")
    assert (asked.status_code, asked.headers.get("range")) == (308, None)


def test_a_connection_that_breaks_leaves_what_arrived(storage: Served) -> None:
    place = storage.begin("x").headers["location"]
    url = httpx.URL(place)
    total = 3 * PIECE_BYTES
    with socket.create_connection((url.host, url.port or 80)) as line:
        head = (
            f"PUT {url.raw_path.decode()} HTTP/1.1\r\nhost: {url.host}\r\n"
            f"content-length: {total}\r\ncontent-range: bytes 0-{total - 1}/{total}\r\n\r\n"
        )
        line.sendall(head.encode() + bytes(PIECE_BYTES + 5))
        line.shutdown(socket.SHUT_WR)
        assert line.recv(65536) is not None  # until the server has closed
    asked = storage.put(place, f"*/{total}")
    assert (asked.status_code, asked.headers["range"]) == (308, f"bytes=0-{PIECE_BYTES - 1}")
    # bytes that are sent twice count once
    rest = storage.put(place, f"0-{total - 1}/{total}", bytes(total))
    assert (rest.status_code, rest.json()["size"]) == (200, str(total))


def test_a_piece_beyond_what_is_there_or_of_another_length_is_refused(storage: Served) -> None:
    place = storage.begin("x").headers["location"]
    ahead = storage.put(place, "4-5/6", b"ab")
    assert (ahead.status_code, ahead.text) == (
        503,
        "Invalid request.  According to the Content-Range header, the upload offset is 4 byte(s), which "
        "exceeds already uploaded size of 0 byte(s).",
    )
    assert error(storage.put(place, "0-5/6", b"ab"))[:2] == (400, "badRequest")
    assert storage.put(place, "*/6").status_code == 308
    assert error(storage.put(place, "0-1of2", b"ab"))[0] == 400


def test_an_empty_object_and_one_sent_whole_need_no_range(storage: Served) -> None:
    empty = storage.put(storage.begin("empty").headers["location"], "*/0")
    assert (empty.status_code, empty.json()["size"]) == (200, "0")
    whole = storage.client.put(storage.begin("whole").headers["location"], content=b"all of it")
    assert whole.json()["size"] == "9"
    # another upload takes the place of the first
    second = storage.client.put(storage.begin("whole").headers["location"], content=b"other")
    assert storage.call("GET", f"/storage/v1/b/{BUCKET}/o/whole?alt=media").content == b"other"
    assert int(second.json()["generation"]) > int(whole.json()["generation"])


def test_lists_come_in_pages(storage: Served) -> None:
    for name in "abc":
        storage.client.put(storage.begin(f"p/{name}").headers["location"], content=b"1")
    first = storage.listed(prefix="p/", maxResults=2)
    assert [one["name"] for one in first["items"]] == ["p/a", "p/b"]
    second = storage.listed(prefix="p/", maxResults=2, pageToken=first["nextPageToken"])
    assert [one["name"] for one in second["items"]] == ["p/c"]
    assert "nextPageToken" not in second
    assert "items" not in storage.listed(prefix="q/")


@pytest.mark.parametrize(
    ("method", "path", "account", "refused"),
    [
        ("GET", "/o", NOBODY, (403, "forbidden", "nobody@… does not have storage.objects.list access to the Google Cloud Storage bucket. Permission 'storage.objects.list' denied on resource (or it may not exist).")),
        ("GET", "/o", ADDER, (403, "forbidden", "adder@… does not have storage.objects.list access …")),
        ("GET", "/o", None, (401, "required", "Anonymous caller does not have storage.objects.list access …")),
        ("POST", "/o?uploadType=resumable&name=x", READER, (403, "forbidden", "reader@… does not have storage.objects.create access …")),
        ("POST", "/o?uploadType=media&name=x", WRITER, (501, "notImplemented", "the sandbox's Cloud Storage lists …")),
        ("POST", "/o?uploadType=resumable", WRITER, (400, "required", "Required object name")),
        ("PUT", "/o?upload_id=../../x", WRITER, (404, "notFound", "Not Found")),
        ("GET", "/o?delimiter=/", READER, (501, "notImplemented", "the sandbox's Cloud Storage lists without delimiter")),
        ("GET", "/o?maxResults=-1", READER, (400, "invalid", "Invalid unsigned integer value: '-1'.")),
        ("GET", "/o/none", READER, (404, "notFound", "No such object: acme-models/none")),
        ("DELETE", "/o/none", WRITER, (501, "notImplemented", "the sandbox's Cloud Storage lists …")),
    ],
)  # fmt: skip
def test_what_may_not_be_done_is_refused_in_the_services_words(
    storage: Served, method: str, path: str, account: str | None, refused: tuple[int, str, str]
) -> None:
    upload = "/upload" if method in ("POST", "PUT") else ""
    code, reason, message = error(
        storage.call(method, f"{upload}/storage/v1/b/{BUCKET}{path}", account)
    )
    assert (code, reason) == refused[:2]
    pattern = re.escape(refused[2]).replace("@…", r"@[\w.]+").replace("…", ".*")
    assert re.fullmatch(pattern, message)


def test_who_may_only_add_replaces_nothing(storage: Served) -> None:
    assert (
        storage.client.put(storage.begin("x", ADDER).headers["location"], content=b"1").status_code
        == 200
    )
    code, _, message = error(storage.begin("x", ADDER))
    assert (code, "storage.objects.delete" in message) == (403, True)


def test_a_token_of_nobody_and_a_bucket_that_is_not_there_are_refused(storage: Served) -> None:
    place = f"{storage.address}/storage/v1/b/{BUCKET}/o"
    invalid = storage.client.get(place, headers={"authorization": "Bearer ya29.other"})
    assert error(invalid) == (401, "authError", "Invalid Credentials")
    gone = storage.call("GET", "/storage/v1/b/others/o")
    assert error(gone) == (404, "notFound", "The specified bucket does not exist.")


def test_written_objects_go_with_their_bucket_alone(storage: Served) -> None:
    storage.client.put(storage.begin("x").headers["location"], content=b"1")
    buckets = Buckets(storage.root)
    storage.client.put(
        f"{storage.begin('y').headers['location']}",
        headers={"content-range": "bytes 0-0/2"},
        content=b"1",
    )
    buckets.keep([BUCKET, "another"])
    assert [one.name for one in buckets.objects(BUCKET)] == ["x"]
    assert buckets.objects("another") == []
    buckets.keep(["another"])
    assert (buckets.objects(BUCKET), list((storage.root / "buckets").iterdir())) == ([], [])
