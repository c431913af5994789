"""The embedded Firestore and metadata server, over their REST protocols."""

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from portway.sandbox.dataplane.firestore import condition_holds
from portway.sandbox.dataplane.metadata import Metadata, access_token
from portway.sandbox.dataplane.records import Records
from support.databases import ACCOUNT, RESOURCE, Deployed, firestore

PLACE = f"{RESOURCE}/documents/things"


@pytest.fixture
def deployed(tmp_path: Path) -> Generator[Deployed]:
    with firestore(tmp_path) as found:
        yield found


def commit(deployed: Deployed, *writes: dict[str, Any], account: str = ACCOUNT) -> Any:
    return httpx.post(
        f"http://{deployed.environment['FIRESTORE_EMULATOR_HOST']}/v1/{RESOURCE}/documents:commit",
        json={"writes": list(writes)},
        headers={"authorization": f"Bearer {access_token(account)}"},
    )


def status(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return error["code"], error["status"], error["message"]


def add(name: str, value: int, **more: Any) -> dict[str, Any]:
    return {
        "update": {"name": f"{PLACE}/{name}", "fields": {"kind": {"stringValue": "counter"}}},
        "updateMask": {"fieldPaths": ["kind"]},
        "updateTransforms": [{"fieldPath": "n", "increment": {"integerValue": str(value)}}],
        **more,
    }


def sums(answer: Any) -> list[int]:
    results = answer.json()["writeResults"]
    return [
        int(r["transformResults"][0]["integerValue"]) for r in results if "transformResults" in r
    ]


def test_increments_answer_with_their_sums_and_see_those_before_them(deployed: Deployed) -> None:
    assert sums(commit(deployed, add("a", 5), add("a", -2), add("b", 1))) == [5, 3, 1]
    assert sums(commit(deployed, add("a", 0))) == [3]


def test_a_commit_is_made_whole_or_not_at_all(deployed: Deployed) -> None:
    only_new = {"currentDocument": {"exists": False}}
    commit(deployed, add("a", 5))
    answer = commit(deployed, add("b", 1), add("a", 1, **only_new))
    assert status(answer) == (409, "ALREADY_EXISTS", f"Document already exists: {PLACE}/a")
    assert sums(commit(deployed, add("a", 0), add("b", 0))) == [5, 0]


def test_a_document_that_must_be_there_and_is_not_is_not_found(deployed: Deployed) -> None:
    gone = {"delete": f"{PLACE}/a", "currentDocument": {"exists": True}}
    assert status(commit(deployed, gone))[:2] == (404, "NOT_FOUND")
    commit(deployed, add("a", 5))
    assert commit(deployed, gone).status_code == 200
    assert sums(commit(deployed, add("a", 1))) == [1]


def test_without_a_mask_a_document_is_replaced(deployed: Deployed) -> None:
    commit(deployed, add("a", 5))
    commit(deployed, {"update": {"name": f"{PLACE}/a", "fields": {}}})
    assert sums(commit(deployed, add("a", 1))) == [1]


def test_a_document_is_read_by_whom_a_role_allows(deployed: Deployed) -> None:
    commit(deployed, add("a", 5))
    base = f"http://{deployed.environment['FIRESTORE_EMULATOR_HOST']}/v1/{PLACE}"
    as_account = {"authorization": f"Bearer {access_token(ACCOUNT)}"}
    found = httpx.get(f"{base}/a", headers=as_account).json()["fields"]
    assert found == {"kind": {"stringValue": "counter"}, "n": {"integerValue": "5"}}
    assert status(httpx.get(f"{base}/b", headers=as_account))[:2] == (404, "NOT_FOUND")
    assert status(httpx.get(f"{base}/a"))[:2] == (401, "UNAUTHENTICATED")


def test_what_it_cannot_do_is_said(deployed: Deployed) -> None:
    name = {"name": f"{PLACE}/a"}
    maximum = {
        "update": name,
        "updateTransforms": [{"fieldPath": "n", "maximum": {"integerValue": "1"}}],
    }
    assert status(commit(deployed, maximum))[1] == "UNIMPLEMENTED"
    at = {"update": name, "currentDocument": {"updateTime": "2026-01-01T00:00:00Z"}}
    assert status(commit(deployed, at))[1] == "UNIMPLEMENTED"
    assert status(commit(deployed, {"verify": "x"}))[1] == "INVALID_ARGUMENT"
    elsewhere = {"delete": "projects/other/databases/chat-meter/documents/things/a"}
    assert status(commit(deployed, elsewhere))[1] == "INVALID_ARGUMENT"
    base = f"http://{deployed.environment['FIRESTORE_EMULATOR_HOST']}/v1/{PLACE}"
    assert status(httpx.delete(f"{base}/a"))[:2] == (501, "UNIMPLEMENTED")


def test_who_asks_decides(deployed: Deployed) -> None:
    expected = (403, "PERMISSION_DENIED", "Missing or insufficient permissions.")
    nobody = commit(deployed, add("a", 1), account="nobody@x")
    assert status(nobody)[:2] == (401, "UNAUTHENTICATED")
    deployed.rows[1].inputs["role"] = "roles/datastore.viewer"
    assert status(commit(deployed, add("a", 1))) == expected
    deployed.rows[1].inputs["role"] = "roles/datastore.owner"
    assert commit(deployed, add("a", 1)).status_code == 200


def test_a_database_that_is_not_deployed_is_not_found(deployed: Deployed) -> None:
    del deployed.rows[0]
    message = "The database chat-meter does not exist for project my-project"
    assert status(commit(deployed, add("a", 1))) == (404, "NOT_FOUND", message)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("", True),
        ('resource.name == "projects/p/databases/d"', True),
        ('resource.name == "projects/p/databases/e"', False),
        ('resource.name.startsWith("projects/p/")', True),
        ('resource.name.startsWith("projects/q/")', False),
        ('resource.type == "t" && resource.name == "projects/p/databases/d"', True),
        ('resource.type == "u" && resource.name == "projects/p/databases/d"', False),
        ('request.time < timestamp("2030-01-01T00:00:00Z")', False),
    ],
)
def test_conditions_of_a_role(expression: str, holds: bool) -> None:  # noqa: FBT001 - a table
    facts = {"name": "projects/p/databases/d", "type": "t", "service": "s"}
    assert condition_holds(expression, facts) is holds


def test_records_of_a_database_that_is_gone_are_forgotten(tmp_path: Path) -> None:
    records = Records(tmp_path / "records.db")
    records.put("a", [("1", {"x": 1}), ("2", {"x": 2})])
    records.put("b", [("1", {"x": 3})])
    records.put("a", [("1", None)])
    records.close()
    again = Records(tmp_path / "records.db")
    assert again.all("a") == {"2": {"x": 2}}
    again.keep(["b"])
    assert (again.all("a"), again.get("b", "1")) == ({}, {"x": 3})
    again.close()
    assert (tmp_path / "records.db").stat().st_mode & 0o777 == 0o600


class _Ports:
    """As much of a context as a metadata server needs."""

    def port(self, owner: str) -> int:
        assert owner == "metadata|p|a@p"
        return 0


def test_the_metadata_server_says_who_an_instance_is() -> None:
    asyncio.run(_ask_the_metadata_server())


async def _ask_the_metadata_server() -> None:
    ports: Any = _Ports()
    metadata = Metadata(ports, {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:1"})
    try:
        given = await metadata.environment("p", "a@p")
        assert given["FIRESTORE_EMULATOR_HOST"] == "127.0.0.1:1"
        assert await metadata.environment("p", "a@p") == given
        base = f"http://{given['GCE_METADATA_HOST']}/computeMetadata/v1"
        flavor = {"metadata-flavor": "Google"}
        async with httpx.AsyncClient() as caller:
            place = f"{base}/instance/service-accounts/default"
            assert (await caller.get(f"{place}/token")).status_code == 403
            token = await caller.get(f"{place}/token", headers=flavor)
            assert metadata.account_of(token.json()["access_token"]) == "a@p"
            assert (await caller.get(f"{place}/email", headers=flavor)).text == "a@p"
            project = await caller.get(f"{base}/project/project-id", headers=flavor)
            assert (project.text, project.headers["metadata-flavor"]) == ("p", "Google")
            assert (await caller.get(f"{base}/instance/id", headers=flavor)).status_code == 404
    finally:
        await metadata.close()
    assert metadata.account_of("another") is None
