from dataclasses import replace

from portway.sandbox.providers.autonames import fill, generated
from portway.sandbox.providers.cloud import Request

REQUEST = Request(urn="urn:pulumi:dev::p::aws:s3/bucket:Bucket::Logs", type="aws:s3/bucket:Bucket", inputs={}, seed=b"1")  # fmt: skip


def test_a_name_the_program_chose_is_kept() -> None:
    assert fill(replace(REQUEST, inputs={"bucket": "mine"}), "bucket", lower=False) == {
        "bucket": "mine"
    }


def test_an_unnamed_resource_is_named_after_itself_the_same_for_the_same_seed() -> None:
    name = fill(REQUEST, "bucket", lower=False)["bucket"]
    assert generated("Logs", name)
    assert fill(REQUEST, "bucket", lower=False)["bucket"] == name
    assert fill(replace(REQUEST, seed=b"2"), "bucket", lower=False)["bucket"] != name
    assert fill(REQUEST, "bucket", lower=True)["bucket"] == name.lower()


def test_a_generated_name_stays_over_deployments() -> None:
    before = replace(REQUEST, old_inputs={"bucket": "Logs-0123abc"})
    assert fill(before, "bucket", lower=False) == {"bucket": "Logs-0123abc"}


def test_a_name_the_program_no_longer_chooses_is_not_kept() -> None:
    before = replace(REQUEST, old_inputs={"bucket": "mine"})
    assert generated("Logs", fill(before, "bucket", lower=False)["bucket"])


def test_the_stacks_own_naming_goes_before_ours() -> None:
    proposed = replace(REQUEST, proposed_name="dev-logs")
    assert fill(proposed, "bucket", lower=False) == {"bucket": "dev-logs"}
