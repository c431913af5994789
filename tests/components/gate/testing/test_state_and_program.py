"""Exported states and programs are read as the engine would show them to a pack."""

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from portway.errors import BadInput, Missing
from portway.gate.testing import UNKNOWN, Given, from_program, from_state, judge, secret
from support.packs import POLICIES

RESIDENCY = POLICIES / "residency"
EU = {"boundary": "eu"}
PLACE = "residency-region-inside-boundary"
SIGNATURE = "4dabf18193072939515e22adb298388d"
HIDDEN = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270"}


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:prod::shop::{type_}::{name}"


def exported(**changes: Any) -> dict[str, Any]:
    aws = urn("pulumi:providers:aws", "main")
    bucket: dict[str, Any] = {
        "urn": urn("aws:s3/bucket:Bucket", "logs"),
        "type": "aws:s3/bucket:Bucket",
        "custom": True,
        "id": "logs-1",
        "inputs": {"forceDestroy": True},
        "outputs": {"region": "us-east-1", "bucket": "logs-1"},
        "provider": f"{aws}::7b1",
        "parent": urn("pulumi:pulumi:Stack", "shop-prod"),
        "propertyDependencies": {"forceDestroy": []},
    }
    rows: list[dict[str, Any]] = [
        {"urn": urn("pulumi:pulumi:Stack", "shop-prod"), "type": "pulumi:pulumi:Stack"},
        {
            "urn": aws,
            "type": "pulumi:providers:aws",
            "custom": True,
            "id": "7b1",
            "inputs": {"region": "eu-west-1"},
        },
        bucket | changes,
        bucket | {"delete": True, "id": "logs-0"},
    ]
    return {"version": 3, "deployment": {"resources": rows}}


def test_a_state_keeps_providers_parents_and_outputs_and_leaves_out_what_goes() -> None:
    root, aws, bucket = from_state(exported())
    assert (aws.name, bucket.provider, bucket.parent) == ("main", aws, root.known_urn)
    assert bucket.outputs == {"region": "us-east-1", "bucket": "logs-1"}
    assert not root.is_custom


def test_a_state_is_judged_by_its_urns() -> None:
    state = exported(inputs={"region": "us-east-1"})
    said = judge(from_state(state), RESIDENCY, EU)
    assert [one.urn for one in said.of(PLACE)] == [urn("aws:s3/bucket:Bucket", "logs")]


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (HIDDEN | {"plaintext": '"open"'}, secret("open")),
        (HIDDEN | {"plaintext": '{"a":1}'}, secret({"a": 1})),
        (HIDDEN | {"value": "open"}, secret("open")),
        (HIDDEN | {"ciphertext": "v1:abc"}, "[secret]"),
        (HIDDEN | {"plaintext": "{"}, "[secret]"),
        ("04da6b54-80e4-46f7-96ec-b56ff0331ba9", UNKNOWN),
        ([1, {"a": None}], [1, {"a": None}]),
    ],
)
def test_secrets_of_a_state_are_read_in_clear_or_not_at_all(stored: Any, read: Any) -> None:
    *_, bucket = from_state(exported(inputs={"it": stored}))
    assert bucket.props == {"it": read}


def test_an_encrypted_region_is_no_region() -> None:
    state = exported(inputs={"region": HIDDEN | {"ciphertext": "v1:abc"}})
    assert judge(from_state(state), RESIDENCY, EU).rules >= {PLACE}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"version": 3, "deplo', "is not JSON"),
        ("[]", "is no exported state"),
        ('{"version": 1, "deployment": {}}', "versions 3 to 4"),
        ('{"version": 3, "deployment": "v1:xyz"}', "is encrypted"),
        ('{"version": 3, "deployment": {"resources": [{"id": 1}]}}', "list of resources"),
        ('{"version": 3, "deployment": {"resources": {"a": 1}}}', "list of resources"),
    ],
)
def test_a_state_that_nobody_can_read_is_bad_input(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(content)
    with pytest.raises(BadInput, match=why):
        from_state(file)


def test_a_state_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="cannot be read"):
        from_state(tmp_path / "none.json")


def test_a_state_file_is_the_state_in_it(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps(exported()))
    assert from_state(str(file)) == from_state(exported())


PROGRAM = """\
    import pulumi
    import pulumi_aws as aws
    import helper

    class Store(pulumi.ComponentResource):
        def __init__(self, name):
            super().__init__("acme:index:Store", name)
            key = pulumi.Output.secret("hunter2")
            here = pulumi.ResourceOptions(parent=self)
            self.bucket = aws.s3.Bucket("data", bucket=helper.NAME, opts=here)
            aws.s3.BucketObject("it", bucket=self.bucket.id, key="k", content=key, opts=here)
            self.register_outputs({"name": self.bucket.arn})

    abroad = aws.Provider("abroad", region=pulumi.Config("app").require("abroad"))
    region = aws.get_region()
    Store("store")
    aws.sqs.Queue("jobs", name=region.name, opts=pulumi.ResourceOptions(provider=abroad))
    aws.s3.Bucket.get("old", "old-1")
    """


def program(folder: Path, text: str = PROGRAM) -> Path:
    (folder / "__main__.py").write_text(dedent(text))
    (folder / "helper.py").write_text('NAME = "data-1"\n')
    return folder


ANSWERS: dict[str, Any] = {
    "config": {"aws:region": "eu-west-1", "app:abroad": "us-east-1"},
    "calls": {"aws:index/getRegion:getRegion": {"name": "jobs-eu"}},
}


def by_name(given: tuple[Given, ...]) -> dict[str, Given]:
    return {one.name: one for one in given}


def test_a_program_is_what_it_registers_at_its_first_preview(tmp_path: Path) -> None:
    made = by_name(from_program(program(tmp_path), **ANSWERS))
    store, data, zip_ = made["store"], made["data"], made["it"]
    assert set(made) == {"store", "data", "it", "abroad", "jobs", "old", "default"}
    assert (store.is_custom, data.parent, data.props) == (
        False,
        store.known_urn,
        {"bucket": "data-1"},
    )
    assert zip_.props == {"bucket": UNKNOWN, "key": "k", "content": secret("hunter2")}
    assert dict(zip_.depends_on) == {"bucket": (data.known_urn,)}
    assert made["jobs"].props == {"name": "jobs-eu"}
    assert made["old"].is_read
    said = judge(tuple(made.values()), RESIDENCY, EU)
    assert {one.name for one in said.of(PLACE)} == {"abroad", "jobs"}
    assert all("hunter2" not in one.message for one in said.violations)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import pulumi\nraise ValueError('on purpose')\n", "on purpose"),
        ("import pulumi_aws as aws\naws.get_region()\n", "no answer for aws:index/getRegion"),
        ("import time\ntime.sleep(30)\n", "did not end within 0.2 seconds"),
    ],
)
def test_a_program_that_fails_is_bad_input_with_its_last_words(
    tmp_path: Path, text: str, why: str
) -> None:
    limit = 0.2 if "sleep" in text else 60
    with pytest.raises(BadInput, match=why):
        from_program(program(tmp_path, text), timeout_seconds=limit)


def test_a_folder_without_a_program_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no __main__"):
        from_program(tmp_path)
