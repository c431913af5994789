import os
from pathlib import Path

import pytest

from portway.sandbox.providers import wire
from portway.sandbox.providers.cloud import CloudError, Code, InitFailed
from portway.sandbox.providers.proto import provider_pb2 as pb
from support.plugin import Plugin

BUCKET = "storage/bucket:Bucket"
LOGS = "cloudwatch/logGroup:LogGroup"


@pytest.fixture
def google(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "gcp", {"project": "acme"})


def faulty(folder: Path, rules: str, package: str = "gcp") -> Plugin:
    (folder / "faults.yaml").write_text(rules)
    config = {"project": "acme"} if package == "gcp" else {"region": "eu-west-1"}
    return Plugin(folder, package, config)


def test_secrets_are_understood_and_richer_values_are_not(google: Plugin) -> None:
    answer = google.provider.handshake(pb.ProviderHandshakeRequest(engine_address="x"))
    accepted = (answer.accept_secrets, answer.accept_resources, answer.accept_outputs)
    assert accepted == (True, False, False)
    assert google.provider.plugin_info(pb.GetSchemaRequest()).version == "1.2.3"  # pyright: ignore[reportArgumentType] - any message will do


def test_an_unknown_type_is_a_failure_of_the_whole_resource(google: Plugin) -> None:
    failures = google.failures("storage/buket:Buket", {})
    assert failures[""] == (
        'unknown resource type gcp:storage/buket:Buket; did you mean "gcp:storage/bucket:Bucket"?'
    )


def test_a_secret_input_is_secret_in_every_answer_and_plain_in_the_store(google: Plugin) -> None:
    hidden = {"location": "EU", "name": "b", "labels": {"a": wire.secret("x")}}
    made = google.create(BUCKET, "b", hidden)
    again = google.read(BUCKET, "b", made.id, made)
    assert again
    for values in (made.inputs, made.outputs, again.inputs, again.outputs):
        assert values["labels"] == {"a": wire.secret("x")}
    (row,) = google.store.all()
    assert row.inputs["labels"] == {"a": "x"}


def test_a_preview_writes_nothing(google: Plugin) -> None:
    before = google.store.revision()
    assert google.preview(BUCKET, "b", {"location": "EU"})["selfLink"] == wire.UNKNOWN
    assert (google.store.revision(), google.store.all()) == (before, [])


def test_a_preview_of_an_update_keeps_what_does_not_change(google: Plugin) -> None:
    made = google.create(BUCKET, "b", {"location": "EU", "name": "b"})
    planned = google.update(
        made, {"location": "EU", "name": "b", "labels": {"a": "b"}}, preview=True
    )
    assert planned.outputs["selfLink"] == made.outputs["selfLink"]
    assert planned.outputs["labels"] == {"a": "b"}


def test_a_second_deployment_of_the_same_inputs_changes_nothing(google: Plugin) -> None:
    made = google.create(BUCKET, "b", {"location": "EU"})
    again = google.diff(made, {"location": "EU"})
    assert (again.changes, list(again.diffs)) == (pb.DiffResponse.DIFF_NONE, [])


def test_a_generated_name_does_not_stand_in_its_replacements_way(google: Plugin) -> None:
    made = google.create(BUCKET, "b", {"location": "EU"})
    found = google.diff(made, {"location": "US"})
    assert (list(found.replaces), found.deleteBeforeReplace) == (["location"], False)
    named = google.create(BUCKET, "n", {"location": "EU", "name": "mine"})
    assert google.diff(named, {"location": "US", "name": "mine"}).deleteBeforeReplace
    kind = pb.PropertyDiff.Kind.UPDATE_REPLACE
    assert (
        google.diff(named, {"location": "US", "name": "mine"}).detailedDiff["location"].kind == kind
    )


def test_ignored_changes_are_no_changes(google: Plugin) -> None:
    made = google.create(BUCKET, "b", {"location": "EU", "labels": {"a": "1"}})
    changed = {"location": "EU", "labels": {"a": "2"}}
    assert list(google.diff(made, changed).diffs) == ["labels"]
    assert list(google.diff(made, changed, "labels.a").diffs) == []


def test_what_is_gone_reads_as_gone_deletes_quietly_and_cannot_be_updated(google: Plugin) -> None:
    made = google.create(BUCKET, "b", {"location": "EU", "name": "b"})
    google.delete(made)
    google.delete(made)
    assert google.read(BUCKET, "b", made.id, made) is None
    with pytest.raises(CloudError) as caught:
        google.update(made, {"location": "EU", "name": "b", "labels": {"a": "b"}})
    assert caught.value.code is Code.NOT_FOUND


def test_what_somebody_else_changed_is_seen_by_a_refresh(google: Plugin) -> None:
    made = google.create(BUCKET, "b", {"location": "EU", "name": "b"})
    (row,) = google.store.all()
    google.store.update(row.key, {**row.inputs, "labels": {"by": "hand"}}, row.outputs)
    seen = google.read(BUCKET, "b", made.id, made)
    assert seen
    assert seen.inputs["labels"] == {"by": "hand"}


def test_provider_settings_arrive_as_json_text(google: Plugin) -> None:
    settings = {"region": "europe-west4", "batching": '{"enableBatching": true}', "project": "acme"}
    request = pb.CheckRequest(news=wire.to_struct(settings))
    assert list(google.provider.check_config(request).failures) == []
    wrong = pb.CheckRequest(news=wire.to_struct({**settings, "projekt": "x"}))
    (failure,) = google.provider.check_config(wrong).failures
    assert failure.reason == 'unknown property "projekt"; did you mean "project"?'


def test_a_denied_call_is_the_clouds_own_refusal_and_only_as_often_as_asked(tmp_path: Path) -> None:
    rule = "[{type: 'gcp:storage/*', operation: create, name: 'l*', fault: denied, times: 1}]"
    google = faulty(tmp_path, rule)
    google.create(BUCKET, "other", {"location": "EU"})
    with pytest.raises(
        CloudError, match=r"Error 403: Permission 'storage\.buckets\.create' denied"
    ) as caught:
        google.create(BUCKET, "logs", {"location": "EU"})
    assert caught.value.code is Code.PERMISSION_DENIED
    google.create(BUCKET, "logs", {"location": "EU"})
    faults = [event for event in google.store.events() if event["operation"] == "fault"]
    assert [event["detail"] for event in faults] == [{"kind": "denied", "during": "create"}]


def test_a_used_up_quota_and_a_denied_call_are_amazons_own(tmp_path: Path) -> None:
    rules = (
        "[{operation: create, name: q, fault: quota}, {operation: delete, name: d, fault: denied}]"
    )
    amazon = faulty(tmp_path, rules, "aws")
    with pytest.raises(CloudError, match=r"StatusCode: 402, .*ServiceQuotaExceededException"):
        amazon.create(LOGS, "q", {"name": "q"})
    made = amazon.create(LOGS, "d", {"name": "d"})
    with pytest.raises(CloudError, match="is not authorized to perform: cloudwatch:DeleteLogGroup"):
        amazon.delete(made)
    assert len(amazon.store.all()) == 1


def test_a_create_that_half_succeeds_leaves_the_resource_and_says_so(tmp_path: Path) -> None:
    google = faulty(tmp_path, "[{fault: half_create, times: 1}]")
    with pytest.raises(InitFailed) as caught:
        google.create(
            BUCKET, "b", {"location": "EU", "name": "b", "labels": {"a": wire.secret("x")}}
        )
    assert caught.value.state.id == "b"
    assert caught.value.state.outputs["labels"] == {"a": wire.secret("x")}
    assert len(google.store.all()) == 1


def test_a_crash_strikes_after_the_resource_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crashed(BaseException):
        pass

    def crash(code: int) -> None:
        raise Crashed(code)

    monkeypatch.setattr(os, "_exit", crash)
    google = faulty(tmp_path, "[{fault: crash}]")
    with pytest.raises(Crashed, match="70"):
        google.create(BUCKET, "b", {"location": "EU"})
    assert len(google.store.all()) == 1


def test_latency_ends_when_the_engine_cancels(tmp_path: Path) -> None:
    google = faulty(tmp_path, "[{fault: {latency_seconds: 3600}}]")
    google.cloud.cancelled.set()
    assert google.create(BUCKET, "b", {"location": "EU"}).id
