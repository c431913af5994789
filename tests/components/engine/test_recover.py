"""What an interrupted operation left, in words."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portway.engine.recover import (
    Lock,
    Unfinished,
    adopted,
    explain,
    read_locks,
    settled,
    unfinished,
)

PROVIDER = "urn:pulumi:chat.prod.cloud-run::portway::pulumi:providers:gcp::default_10_2_0"
STACK = "chat.prod.cloud-run"
URN = "urn:pulumi:chat.prod.cloud-run::portway::gcp:cloudrunv2/service:Service::chat-service"


def pending(kind: str, urn: str = URN) -> dict[str, Any]:
    resource = {
        "urn": urn,
        "type": "gcp:cloudrunv2/service:Service",
        "inputs": {"location": "europe-west4"},
        "parent": "urn:pulumi:chat.prod.cloud-run::portway::portway:index:InferenceService::chat",
        "provider": f"{PROVIDER}::an-id",
    }
    return {"resource": resource, "type": kind}


def test_a_stack_whose_operations_ended_has_nothing_left() -> None:
    assert unfinished(STACK, {"resources": [{"urn": URN}]}, []) == []
    assert unfinished(STACK, {"pending_operations": None}, []) == []


def test_an_interrupted_create_says_what_a_plain_up_would_do_and_both_ways_out() -> None:
    left = unfinished(STACK, {"pending_operations": [pending("creating")]}, [])
    assert left == [
        Unfinished(
            operation="creating",
            urn=URN,
            what=f"It was interrupted while creating gcp:cloudrunv2/service:Service ({URN}).",
            risk="It may exist in the cloud or not: a plain `pulumi up` would create it a second "
            "time and report success, and the first would go on costing money unseen.",
            remedy="Look for it in the cloud. In any case forget the attempt: `pulumi refresh "
            f"--stack {STACK} --clear-pending-creates --yes`. If it exists, then adopt it under its "
            f"ID before the next `pulumi up`: `pulumi import --stack {STACK} --yes --protect=false "
            "--generate-code=false --parent 'parent=urn:pulumi:chat.prod.cloud-run::portway::"
            f"portway:index:InferenceService::chat' --provider 'provider={PROVIDER}' "
            "gcp:cloudrunv2/service:Service 'chat-service' ID`.",
        )
    ]


@pytest.mark.parametrize("kind", ["updating", "deleting", "reading"])
def test_other_interrupted_operations_are_corrected_by_a_refresh(kind: str) -> None:
    (item,) = unfinished(STACK, {"pending_operations": [pending(kind)]}, [])
    assert (item.operation, item.urn) == (kind, URN)
    assert f"interrupted while {kind}" in item.what
    assert f"`pulumi refresh --stack {STACK} --yes`" in item.remedy


@pytest.mark.parametrize(
    ("alive", "what", "remedy"),
    [
        (False, "that process is gone.", f"`pulumi cancel --stack {STACK} --yes`"),
        (None, "whether it still runs is unknown.", f"`pulumi cancel --stack {STACK} --yes`"),
        (True, "Process 7 is working on the stack since 10:00.", "Wait until it ends"),
    ],
)
def test_a_lock_is_told_by_whether_its_process_lives(
    *, alive: bool | None, what: str, remedy: str
) -> None:
    (item,) = unfinished(STACK, {}, [Lock(7, "laptop", "10:00", alive)])
    assert item.operation == "lock"
    assert what in item.what
    assert remedy in item.remedy


def test_everything_left_is_told_at_once() -> None:
    left = unfinished(
        STACK, {"pending_operations": [pending("creating")]}, [Lock(7, "a", "b", alive=False)]
    )
    assert explain(STACK, left) == (
        f"stack {STACK}: an earlier operation did not end; nothing was started now.\n"
        f"- {left[0]}\n- {left[1]}"
    )


MADE = pending("creating", "a")["resource"] | {
    "id": "id-1",
    "outputs": {"location": "europe-west4"},
}


def test_what_exists_is_adopted_and_the_rest_is_dropped_once_that_is_settled() -> None:
    kept = {"urn": "kept", "id": "1"}
    operations = [
        pending("creating", "a"),
        pending("updating", "b"),
        pending("creating", "c"),
    ]
    deployment: dict[str, Any] = {
        "manifest": {},
        "resources": [kept],
        "pending_operations": operations,
    }
    after = adopted(deployment, {"a": "id-1"}.get)
    assert after == deployment | {"resources": [kept, MADE]}
    assert settled(after) == after | {"pending_operations": [operations[1]]}


def test_adopting_a_second_time_changes_nothing() -> None:
    deployment = {"resources": [], "pending_operations": [pending("creating", "a")]}
    once = adopted(deployment, {"a": "id-1"}.get)
    assert adopted(once, {"a": "id-1"}.get) == once


def test_what_an_adopted_replacement_replaces_is_still_to_be_deleted() -> None:
    old = MADE | {"id": "id-0"}
    deployment = {"resources": [old], "pending_operations": [pending("creating", "a")]}
    assert adopted(deployment, {"a": "id-1"}.get)["resources"] == [MADE, old | {"delete": True}]


def test_locks_are_read_with_the_life_of_their_process(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "portway" / STACK
    folder.mkdir(parents=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = {"hostname": socket.gethostname(), "username": "me", "timestamp": "T"}
    contents = {
        "1-gone": here | {"pid": gone.pid},
        "2-reused": here | {"pid": os.getpid()},
        "3-elsewhere": here | {"pid": 1, "hostname": "another-machine"},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "4-half-written.json").write_text("{")
    me = socket.gethostname()
    assert read_locks(tmp_path, "portway", STACK) == [
        Lock(gone.pid, me, "T", alive=False),
        Lock(os.getpid(), me, "T", alive=False),
        Lock(1, "another-machine", "T", alive=None),
        Lock(0, "an unknown machine", "an unknown time", alive=False),
    ]
    assert read_locks(tmp_path, "portway", "another") == []
