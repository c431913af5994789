import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pulumi
import pytest

from portway.engine.mirror import mirror
from portway.program import StackRefused, read_stack
from portway.spec.load import load_stack
from support.desk import SPEC, SPEC_FILE, STACK, STACK_FILE, STACK_NAME, Desk

CONFIG = {
    "portway:spec": "specs/chat.yaml",
    "portway:placement": json.dumps({"target": "paper", "region": "europe-paper1"}),
}


class NoResources(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, object]]:
        raise AssertionError(args.name)

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, object], None]:
        raise AssertionError(args.token)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    yield Desk(tmp_path, monkeypatch)
    pulumi.runtime.set_all_config({}, [])


def select(
    config: Mapping[str, str], *, stack: str = STACK_NAME, secrets: tuple[str, ...] = ()
) -> None:
    pulumi.runtime.set_mocks(NoResources(), project="desk", stack=stack)
    pulumi.runtime.set_all_config(dict(config), list(secrets))


def test_the_engines_values_give_what_the_file_gives(desk: Desk) -> None:
    desk.stack(stack=STACK + "  paper:tray: {size: 4}\n")
    select({**CONFIG, "paper:tray": '{"size":4}'})
    stack = load_stack(desk.folder, STACK_NAME)
    assert read_stack() == (stack.spec, stack.placement)


def test_the_engines_values_count_where_they_differ_from_the_file(desk: Desk) -> None:
    desk.stack()
    select({**CONFIG, "portway:placement": CONFIG["portway:placement"].replace("europe", "us")})
    assert read_stack()[1].region == "us-paper1"


def test_a_stack_file_newer_than_the_sandboxs_copy_is_never_passed_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.stack()
    copy = mirror(desk.folder, desk.folder / ".portway" / "mirror")
    os.utime(copy.with_name("mirror.seen"), (0, 0))
    monkeypatch.setenv("PORTWAY_SANDBOX", str(copy.parent))
    monkeypatch.chdir(copy)
    select(CONFIG)
    with pytest.raises(StackRefused, match="changed after `portway sandbox env` took it over"):
        read_stack()
    assert read_stack()[1].region == "europe-paper1"


def test_no_stack_file_is_needed(desk: Desk) -> None:
    desk.write({SPEC_FILE: SPEC})
    select(CONFIG)
    assert read_stack()[1].environment == "prod"


def test_secrets_are_not_read(desk: Desk) -> None:
    desk.stack()
    select({**CONFIG, "paper:token": "topsecret"}, secrets=("paper:token",))
    assert read_stack()[1].settings == {}


def test_every_problem_ends_the_program_in_sentences_that_any_language_host_prints(
    desk: Desk,
) -> None:
    desk.stack(spec=SPEC.replace("max: 2", "max: 20"))
    select({**CONFIG, "portway:placement": '{"target": "paper", "region": "mars"}'})
    with pytest.raises(pulumi.RunError) as caught:
        read_stack()
    assert isinstance(caught.value, StackRefused)
    assert str(caught.value).splitlines() == [
        f"{STACK_FILE}:3: placement.region: has no paper",
        f"{SPEC_FILE}:3: scaling.max: is more than a desk holds",
    ]


def test_configuration_that_is_missing_is_said_for_the_stack(desk: Desk) -> None:
    select({})
    with pytest.raises(StackRefused) as caught:
        read_stack()
    assert str(caught.value).splitlines() == [
        f"stack {STACK_NAME}: placement: is missing; write {{target: …, region: …}}",
        f"stack {STACK_NAME}: portway:spec: is missing; name the spec's file, such as specs/chat.yaml",
    ]


def test_a_placement_that_is_no_mapping_or_secret_is_refused(desk: Desk) -> None:
    desk.stack()
    select({**CONFIG, "portway:placement": "paper"})
    with pytest.raises(StackRefused, match=r":3: placement: is text; write \{target"):
        read_stack()
    select(CONFIG, secrets=("portway:placement",))
    with pytest.raises(StackRefused, match="placement: is encrypted; a placement is no secret"):
        read_stack()
