"""What is left between the states and the clouds, in words."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.layout import Layout
from portway.sandbox.store import Key, Row, Store
from portway.sandbox.unfinished import StackFile, stack_files, strays, unsettled

STACK = "chat.prod.cloud-run"
ROOT = f"urn:pulumi:{STACK}::portway::portway:index:InferenceService"
SECRET = "gcp:secretmanager/secret:Secret"
URN = f"{ROOT}${SECRET}::keys"
ID = "projects/acme/secrets/keys"
PROVIDER = f"urn:pulumi:{STACK}::portway::pulumi:providers:gcp::default"
TREE = [
    {"urn": f"{ROOT}::chat", "type": "portway:index:InferenceService"},
    {"urn": PROVIDER, "type": "pulumi:providers:gcp", "id": "provider-id"},
]


def row(urn: str = URN, id_: str = ID) -> Row:
    return Row(Key("gcp", "acme", SECRET, id_), urn, {}, {})


def known(urn: str = URN, id_: str = ID) -> dict[str, Any]:
    return {"urn": urn, "id": id_, "type": SECRET}


def state(*resources: dict[str, Any], pending: tuple[str, ...] = ()) -> StackFile:
    operations = [{"type": "creating", "resource": {"urn": urn, "type": SECRET}} for urn in pending]
    return StackFile(
        "portway", STACK, {"resources": list(resources), "pending_operations": operations}
    )


def save(layout: Layout, each: StackFile) -> None:
    folder = layout.state / ".pulumi" / "stacks" / each.project
    folder.mkdir(parents=True, exist_ok=True)
    document = {"version": 3, "checkpoint": {"stack": each.stack, "latest": each.deployment}}
    (folder / f"{each.stack}.json").write_text(json.dumps(document))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / ".portway")
    made.create()
    return made


def test_what_a_state_knows_is_no_stray() -> None:
    assert strays([row()], [state(known())]) == []


def test_what_no_state_knows_is_a_stray() -> None:
    assert strays([row()], [state()]) == [row()]
    assert strays([row()], []) == [row()]


def test_what_is_being_created_now_is_no_stray() -> None:
    assert strays([row()], [state(pending=(URN,))]) == []


def test_the_second_copy_of_a_known_resource_is_a_stray() -> None:
    second = row(id_=f"{ID}-2")
    assert strays([row(), second], [state(known())]) == [second]


def test_what_was_imported_under_another_urn_is_no_stray() -> None:
    elsewhere = f"urn:pulumi:other::portway::{SECRET}::adopted"
    assert strays([row()], [state(known(elsewhere))]) == []


def test_what_nobodys_operation_made_is_no_stray() -> None:
    assert strays([row(urn="")], [state()]) == []


def test_stacks_at_rest_say_nothing(layout: Layout) -> None:
    store = Store(layout.store)
    store.create(row())
    save(layout, state(*TREE, known()))
    assert unsettled(layout, store) == {}


def test_a_stray_comes_with_the_command_that_adopts_it(layout: Layout) -> None:
    store = Store(layout.store)
    store.create(row())
    save(layout, state(*TREE))
    command = (
        f"pulumi import --stack {STACK} --yes --protect=false --generate-code=false --parent "
        f"'parent={ROOT}::chat' --provider 'provider={PROVIDER}' {SECRET} 'keys' {ID}"
    )
    assert unsettled(layout, store) == {
        STACK: [
            f"{SECRET} {ID} is in the cloud, but in no state: what made it ended in the middle. A "
            f"plain `pulumi up` would try to make it again. Adopt it: `{command}`."
        ]
    }


@pytest.mark.parametrize("made", [True, False])
def test_an_interrupted_create_says_whether_the_cloud_has_it(*, made: bool, layout: Layout) -> None:
    store = Store(layout.store)
    if made:
        store.create(row())
    save(layout, state(*TREE, pending=(URN,)))
    ((text,),) = unsettled(layout, store).values()
    assert "It was interrupted while creating" in text
    assert text.endswith(
        f"(The cloud has it: its ID is {ID}.)" if made else "(The cloud does not have it.)"
    )


def test_the_lock_of_a_process_that_is_gone_comes_with_pulumi_cancel(layout: Layout) -> None:
    save(layout, state(*TREE))
    locks = layout.state / ".pulumi" / "locks" / "organization" / "portway" / STACK
    locks.mkdir(parents=True)
    owner = {"pid": os.getpid(), "hostname": socket.gethostname(), "timestamp": "T"}
    (locks / "one.json").write_text(json.dumps(owner))
    ((text,),) = unsettled(layout, Store(layout.store)).values()
    assert "that process is gone" in text
    assert f"`pulumi cancel --stack {STACK} --yes`" in text


def test_a_file_that_is_no_state_is_left_out(layout: Layout) -> None:
    save(layout, state(*TREE))
    folder = layout.state / ".pulumi" / "stacks" / "portway"
    for name, text in {"half": '{"version": 3, "chec', "list": "[]", "bare": "{}"}.items():
        (folder / f"{name}.json").write_text(text)
    assert [each.stack for each in stack_files(layout.state)] == [STACK]
