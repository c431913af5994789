"""The local hub, asked as a download asks the real one."""

import hashlib
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from portway.models import catalogue
from portway.sandbox.dataplane.hub import Hub
from portway.sandbox.dataplane.hub_content import VOCABULARIES, repositories
from portway.sandbox.dataplane.troubles import Troubles
from portway.sandbox.layout import Layout
from portway.sandbox.rehearsals import set_rehearsal
from portway.sandbox.store import Store
from support.loop_thread import listening

MISTRAL = "mistralai/Ministral-3-8B-Instruct-2512"
COMMIT = repositories()[MISTRAL].revision


@pytest.fixture(scope="module")
def hub() -> Generator[httpx.Client]:
    with listening(Hub().handle) as address, httpx.Client(base_url=address) as client:
        yield client


def tree(hub: httpx.Client, repository: str, revision: str, query: str = "?recursive=true") -> Any:
    return hub.get(f"/api/models/{repository}/tree/{revision}{query}")


def test_every_model_of_the_catalogue_is_there_at_its_commit() -> None:
    wanted = {model.weights: model.revision for model in catalogue().values()}
    assert {name: one.revision for name, one in repositories().items()} == wanted


@pytest.mark.parametrize("model", catalogue().values(), ids=lambda model: model.id)
def test_what_a_model_is_loaded_from_is_in_its_repository(model: Any) -> None:
    names = set(repositories()[model.weights].files)
    assert {"config.json", "tokenizer.json"} < names
    assert ({"params.json", "consolidated.safetensors", "tekken.json"} < names) == (
        "mistral" in model.vllm
    )


def test_every_file_that_is_listed_comes_with_its_size_and_digest(hub: httpx.Client) -> None:
    listed = tree(hub, MISTRAL, COMMIT).json()
    assert {one["type"] for one in listed} == {"file"}
    for one in listed:
        place = f"/{MISTRAL}/resolve/{COMMIT}/{one['path']}"
        answer = hub.get(place, follow_redirects=True)
        assert (answer.status_code, len(answer.content)) == (200, one["size"])
        if one["path"].endswith(".safetensors"):
            assert [step.status_code for step in answer.history] == [302]
            assert one["lfs"]["oid"] == hashlib.sha256(answer.content).hexdigest()
        else:
            assert (answer.history, "lfs" in one) == ([], False)
            blob = b"blob %d\0" % one["size"] + answer.content
            assert one["oid"] == hashlib.sha1(blob, usedforsecurity=False).hexdigest()


def test_weights_are_whole_safetensors(hub: httpx.Client) -> None:
    place = f"/{MISTRAL}/resolve/main/consolidated.safetensors"
    data = hub.get(place, follow_redirects=True).content
    size = int.from_bytes(data[:8], "little")
    (tensor,) = json.loads(data[8 : 8 + size]).values()
    assert tensor["data_offsets"] == [0, len(data) - 8 - size]


def test_folders_are_listed_and_looked_into_only_when_asked(hub: httpx.Client) -> None:
    name = "openai/gpt-oss-20b"
    deep = {one["path"]: one["type"] for one in tree(hub, name, "main").json()}
    assert (deep["original"], deep["original/model.safetensors"]) == ("directory", "file")
    flat = {one["path"] for one in tree(hub, name, "main", "").json()}
    assert {path for path in deep if "/" not in path} == flat


def test_a_download_goes_on_where_it_broke(hub: httpx.Client) -> None:
    place = f"/{MISTRAL}/resolve/{COMMIT}/consolidated.safetensors"
    whole = hub.get(place, follow_redirects=True).content
    rest = hub.get(place, follow_redirects=True, headers={"range": "bytes=700000-"})
    assert (rest.status_code, rest.content) == (206, whole[700000:])
    assert rest.headers["content-range"] == f"bytes 700000-{len(whole) - 1}/{len(whole)}"
    beyond = {"range": f"bytes={len(whole)}-"}
    assert hub.get(place, follow_redirects=True, headers=beyond).status_code == 416


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/api/models/acme/none/tree/main", "RepoNotFound", "Repository not found"),
        (f"/api/models/{MISTRAL}/tree/abc", "RevisionNotFound", "Invalid rev id: abc"),
        (f"/{MISTRAL}/resolve/{'0' * 40}/config.json", "RevisionNotFound", f"Invalid rev id: {'0' * 40}"),
        (f"/{MISTRAL}/resolve/main/none.json", "EntryNotFound", "Entry not found"),
        (f"/large/{'0' * 64}", "EntryNotFound", "Sorry, we can't find the page you are looking for."),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_in_the_hubs_words(
    hub: httpx.Client, path: str, code: str, said: str
) -> None:
    answer = hub.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": said})
    assert answer.headers["x-error-code"] == code


def test_vocabularies_are_beside_it(hub: httpx.Client) -> None:
    found = [hub.get(f"/encodings/{name}") for name in VOCABULARIES]
    assert [one.status_code for one in found] == [200, 200]
    assert hub.get("/encodings/other").status_code == 404
    assert hub.post("/").status_code == 405


def test_a_hub_that_is_away_answers_503(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    set_rehearsal(layout.rehearsed, "hub-away")
    troubles = Troubles(layout, Store(layout.store))
    with listening(Hub(troubles).handle) as address, httpx.Client(base_url=address) as client:
        assert tree(client, MISTRAL, COMMIT).status_code == 503
