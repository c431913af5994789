"""The stand-in plugins under the real engine, recording only: nothing of the data plane runs."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from portway.sandbox.plugins import install_plugins
from portway.sandbox.store import Store
from support.engine_projects import Project

pytestmark = pytest.mark.sandbox

CHAT = """
import json
import pulumi
import pulumi_aws as aws
import pulumi_gcp as gcp
import pulumi_random as random

here = pulumi.ResourceOptions(provider=gcp.Provider("google", project="acme"))
there = pulumi.ResourceOptions(provider=aws.Provider("amazon", region="eu-west-1"))
password = random.RandomPassword("key", length=40, special=False)
document = password.result.apply(lambda value: json.dumps({"keys": [value]}))
account = gcp.serviceaccount.Account("identity", account_id="chat-prod", opts=here)
secret = gcp.secretmanager.Secret(
    "keys", secret_id="keys",
    replication={"user_managed": {"replicas": [{"location": "europe-west4"}]}}, opts=here)
version = gcp.secretmanager.SecretVersion("keys", secret=secret.id, secret_data=document, opts=here)
role = aws.iam.Role("role", assume_role_policy={"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
    opts=there)
logs = aws.cloudwatch.LogGroup("logs", retention_in_days=30, opts=there)
pulumi.export("member", account.member)
pulumi.export("version", version.version)
pulumi.export("role", role.arn)
pulumi.export("key", password.result)
pulumi.export("caller", aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=there.provider)).account_id)
"""

BUCKET = """
import pulumi
import pulumi_gcp as gcp
google = pulumi.ResourceOptions(provider=gcp.Provider("google", project="acme"))
"""


def project(folder: Path, program: str, faults: str = "") -> tuple[Project, Store]:
    made = Project.create(folder / "p", program)
    install_plugins(made.home, Path(sys.executable))
    store = Store(made.root / "cloud.db")
    store.set_meta("dataplane", "off")
    if faults:
        (made.root / "faults.yaml").write_text(faults)
    return made, store


def done(store: Store, operation: str) -> Counter[str]:
    found = (event for event in store.events() if event["operation"] == operation)
    return Counter(event["type"].rsplit(":", 1)[-1] for event in found)


def test_a_program_over_three_packages_comes_stays_and_goes(tmp_path: Path) -> None:
    made, store = project(tmp_path, CHAT)
    stack = made.stack()
    assert stack.preview().changes == {"create": 9}
    assert store.all() == []
    first = stack.up()
    assert (first.errors, first.changes) == ((), {"create": 9})
    outputs = stack.outputs()
    key = outputs.pop("key")
    assert len(key) == 40
    assert outputs.pop("role").startswith("arn:aws:iam::111122223333:role/role-")
    assert outputs == {
        "member": "serviceAccount:chat-prod@acme.iam.gserviceaccount.com",
        "version": "1",
        "caller": "111122223333",
    }
    assert stack.up().changes == {"same": 9}
    refreshed = stack.refresh()
    assert (refreshed.errors, refreshed.changes) == ((), {"same": 9})
    assert set(done(store, "create").values()) == {1}
    assert done(store, "update") == Counter()
    state = "".join(path.read_text() for path in made.state.rglob("*.json"))
    assert key not in state
    assert stack.destroy().changes == {"delete": 9}
    assert store.all() == []


def test_what_the_sdk_does_not_declare_is_refused_in_the_preview_with_its_path(
    tmp_path: Path,
) -> None:
    program = f"""{BUCKET}
gcp.storage.Bucket("b", location="EU", lifecycle_rules=[{{"acton": {{"type": "Delete"}}, "condition": {{}}}}], opts=google)
"""
    made, _ = project(tmp_path, program)
    outcome = made.stack().preview()
    assert not outcome.succeeded
    said = "\n".join(outcome.errors)
    assert 'unknown property "acton"; did you mean "action"?' in said
    assert 'missing required property "action"' in said
    assert "lifecycleRules[0].acton" in said


def test_a_replacement_of_a_named_resource_deletes_it_first(tmp_path: Path) -> None:
    program = BUCKET + 'gcp.storage.Bucket("b", name="logs", location="{}", opts=google)\n'
    made, store = project(tmp_path, program.format("EU"))
    stack = made.stack()
    assert stack.up().succeeded
    made.write(program.format("US"))
    assert stack.up().changes == {"same": 2, "replace": 1}
    assert [e["operation"] for e in store.events()] == ["create", "delete", "create"]
    (row,) = store.all()
    assert row.inputs["location"] == "US"


def test_a_resource_that_is_there_can_be_looked_up_and_imported(tmp_path: Path) -> None:
    program = BUCKET + 'gcp.storage.Bucket("b", name="logs", location="EU", opts=google)\n'
    made, store = project(tmp_path, program)
    assert made.stack().up().succeeded
    other = Project.create(tmp_path / "other", f"""{BUCKET}
found = gcp.storage.Bucket.get("found", "logs", opts=google)
pulumi.export("url", found.url)
taken = pulumi.ResourceOptions.merge(google, pulumi.ResourceOptions(import_="logs"))
gcp.storage.Bucket("taken", name="logs", location="EU", opts=taken)
""")  # fmt: skip
    install_plugins(other.home, Path(sys.executable))
    (other.root / "cloud.db").symlink_to(made.root / "cloud.db")
    outcome = other.stack().up()
    assert outcome.errors == ()
    assert other.stack().outputs() == {"url": "gs://logs"}
    assert done(store, "create") == {"Bucket": 1}


def test_a_resource_deleted_behind_the_engines_back_is_noticed_and_made_again(
    tmp_path: Path,
) -> None:
    program = BUCKET + 'gcp.storage.Bucket("b", name="logs", location="EU", opts=google)\n'
    made, store = project(tmp_path, program)
    stack = made.stack()
    assert stack.up().succeeded
    store.delete(store.all()[0].key)
    assert stack.refresh().changes == {"same": 2, "delete": 1}
    assert stack.up().changes == {"same": 2, "create": 1}


def test_a_half_made_resource_is_kept_and_finished_not_made_twice(tmp_path: Path) -> None:
    program = BUCKET + 'gcp.storage.Bucket("b", name="logs", location="EU", opts=google)\n'
    made, store = project(tmp_path, program, "[{fault: half_create, times: 1}]")
    stack = made.stack()
    first = stack.up()
    assert not first.succeeded
    assert "never became ready (injected)" in "\n".join(first.errors)
    second = stack.up()
    assert (second.errors, second.changes["update"]) == ((), 1)
    assert done(store, "create") == {"Bucket": 1}


def test_a_plugin_that_crashes_in_a_create_leaves_something_that_is_said(tmp_path: Path) -> None:
    program = BUCKET + 'gcp.storage.Bucket("b", name="logs", location="EU", opts=google)\n'
    made, store = project(tmp_path, program, "[{fault: crash, times: 1}]")
    stack = made.stack()
    assert not stack.up().succeeded
    assert len(store.all()) == 1
    again = stack.up()
    assert not again.succeeded
    assert "Your previous request to create the named bucket succeeded" in "\n".join(again.errors)
    assert done(store, "create") == {"Bucket": 1}


def test_a_denied_call_is_shown_in_the_clouds_words(tmp_path: Path) -> None:
    program = BUCKET + 'gcp.storage.Bucket("b", name="logs", location="EU", opts=google)\n'
    made, store = project(tmp_path, program, "[{fault: denied, times: 1}]")
    outcome = made.stack().up()
    assert "Error 403: Permission 'storage.buckets.create' denied" in "\n".join(outcome.errors)
    assert store.all() == []
    assert store.events()[0]["operation"] == "fault"


def test_three_hundred_resources_are_previewed(tmp_path: Path) -> None:
    program = f"""{BUCKET}
for number in range(300):
    gcp.storage.Bucket(f"b-{{number}}", location="EU", opts=google)
"""
    made, store = project(tmp_path, program)
    assert made.stack().preview().changes == {"create": 302}
    assert store.all() == []
