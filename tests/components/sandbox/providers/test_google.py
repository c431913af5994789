from pathlib import Path

import pytest

from portway.sandbox.providers import wire
from portway.sandbox.providers.cloud import CloudError, Code
from portway.sandbox.providers.google import project_number
from support.plugin import Json, Plugin

ACCOUNT = "serviceaccount/account:Account"
SECRET = "secretmanager/secret:Secret"
VERSION = "secretmanager/secretVersion:SecretVersion"
SECRET_MEMBER = "secretmanager/secretIamMember:SecretIamMember"
BUCKET = "storage/bucket:Bucket"
OBJECT = "storage/bucketObject:BucketObject"
BUCKET_MEMBER = "storage/bucketIAMMember:BucketIAMMember"
REPOSITORY = "artifactregistry/repository:Repository"
NUMBER = project_number("acme")
REPLICA = {"userManaged": {"replicas": [{"location": "europe-west4"}]}}
TEXT = {wire.SIGNATURE: wire.ASSET, "hash": "1", "text": "hello"}


@pytest.fixture
def google(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "gcp", {"project": "acme"})


def refusal(plugin: Plugin, kind: str, inputs: Json) -> tuple[Code, str]:
    with pytest.raises(CloudError) as caught:
        plugin.create(kind, "it", inputs)
    return caught.value.code, str(caught.value)


def test_a_service_account_has_its_email_and_membership(google: Plugin) -> None:
    made = google.create(ACCOUNT, "sa", {"accountId": "chat-prod"})
    email = "chat-prod@acme.iam.gserviceaccount.com"
    assert made.id == f"projects/acme/serviceAccounts/{email}"
    assert made.outputs["email"] == email
    assert made.outputs["member"] == f"serviceAccount:{email}"
    assert made.outputs["project"] == "acme"
    assert len(made.outputs["uniqueId"]) == 21


def test_an_account_id_google_would_not_take_is_refused_in_the_preview(google: Plugin) -> None:
    assert "doesn't match regexp" in google.failures(ACCOUNT, {"accountId": "x"})["accountId"]


@pytest.mark.parametrize(
    ("kind", "inputs", "text"),
    [
        (ACCOUNT, {"accountId": "chat-prod"}, "Service account chat-prod already exists within project projects/acme., alreadyExists"),
        (SECRET, {"secretId": "keys", "replication": {"auto": {}}}, f"Secret [projects/{NUMBER}/secrets/keys] already exists."),
        (BUCKET, {"name": "logs", "location": "EU"}, "Your previous request to create the named bucket succeeded and you already own it., conflict"),
        (REPOSITORY, {"repositoryId": "hub", "format": "DOCKER", "location": "europe-west4"}, "the repository already exists"),
    ],
)  # fmt: skip
def test_a_name_that_is_taken_in_the_project_is_googles_409(
    google: Plugin, kind: str, inputs: Json, text: str
) -> None:
    google.create(kind, "first", inputs)
    code, message = refusal(google, kind, inputs)
    assert code is Code.ALREADY_EXISTS
    assert message.endswith(f"googleapi: Error 409: {text}")


def test_the_same_name_in_another_project_is_another_resource(google: Plugin) -> None:
    google.create(ACCOUNT, "sa", {"accountId": "chat-prod"})
    other = google.create(ACCOUNT, "sa", {"accountId": "chat-prod", "project": "other"})
    assert other.id.startswith("projects/other/")


def test_without_a_project_nothing_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_PROJECT", raising=False)
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    nowhere = Plugin(tmp_path, "gcp")
    assert (
        refusal(nowhere, ACCOUNT, {"accountId": "chat-prod"})[1]
        == "project: required field is not set"
    )


def test_a_resource_that_takes_the_providers_project_moves_with_it(google: Plugin) -> None:
    made = google.create(ACCOUNT, "sa", {"accountId": "chat-prod"})
    moved = Plugin(google.root, "gcp", {"project": "other"})
    assert moved.diff(made, {"accountId": "chat-prod"}).replaces == ["project"]
    assert not google.diff(made, {"accountId": "chat-prod"}).replaces


def test_versions_of_a_secret_count_up_and_are_never_used_again(google: Plugin) -> None:
    secret = google.create(SECRET, "keys", {"secretId": "keys", "replication": REPLICA})
    data = {"secret": secret.id, "secretData": wire.secret("one")}
    first = google.create(VERSION, "v", data)
    google.delete(first)
    second = google.create(VERSION, "v", {**data, "secretData": wire.secret("two")})
    assert [first.outputs["version"], second.outputs["version"]] == ["1", "2"]
    assert second.id == "projects/acme/secrets/keys/versions/2"
    assert second.outputs["secretData"] == wire.secret("two")


def test_a_version_without_its_secret_is_not_found(google: Plugin) -> None:
    code, text = refusal(
        google, VERSION, {"secret": "projects/acme/secrets/keys", "secretData": "x"}
    )
    assert code is Code.NOT_FOUND
    assert "Error 404: Secret [projects/acme/secrets/keys] not found." in text


def test_a_policy_names_only_accounts_that_are_there(google: Plugin) -> None:
    google.create(SECRET, "keys", {"secretId": "keys", "replication": REPLICA})
    member = "serviceAccount:nobody@acme.iam.gserviceaccount.com"
    binding = {"secretId": "keys", "role": "roles/secretmanager.secretAccessor", "member": member}
    assert (
        "Service account nobody@acme.iam.gserviceaccount.com does not exist"
        in refusal(google, SECRET_MEMBER, binding)[1]
    )
    public = google.create(SECRET_MEMBER, "m", {**binding, "member": "allUsers"})
    assert public.id == "projects/acme/secrets/keys/roles/secretmanager.secretAccessor/allUsers"


def test_an_objects_content_is_kept_by_its_hash_and_not_shown_to_the_engine(google: Plugin) -> None:
    google.create(BUCKET, "code", {"name": "code", "location": "EU"})
    made = google.create(OBJECT, "o", {"bucket": "code", "name": "a.txt", "source": TEXT})
    assert not [name for name in made.outputs if name.startswith("__")]
    (row,) = google.store.all(type="gcp:storage/bucketObject:BucketObject")
    assert (google.root / "objects" / row.outputs["__object"]).read_text() == "hello"
    assert made.outputs["md5hash"] == "XUFAKrxLKna5cZ2REBfFkg=="


def test_an_object_needs_its_bucket_and_the_bucket_stays_while_it_has_objects(
    google: Plugin,
) -> None:
    inputs = {"bucket": "code", "name": "a.txt", "source": TEXT}
    assert "The specified bucket does not exist." in refusal(google, OBJECT, inputs)[1]
    bucket = google.create(BUCKET, "code", {"name": "code", "location": "EU"})
    made = google.create(OBJECT, "o", inputs)
    with pytest.raises(CloudError, match="containing objects without `force_destroy` set to true"):
        google.delete(bucket)
    google.delete(made)
    google.delete(bucket)
    assert google.store.all() == []


@pytest.mark.parametrize("id_", ["projects/acme/locations/europe-west4/repositories/hub", "acme/europe-west4/hub", "europe-west4/hub", "hub"])  # fmt: skip
def test_an_import_takes_every_spelling_of_an_id_and_brings_the_inputs(
    google: Plugin, id_: str
) -> None:
    inputs = {"repositoryId": "hub", "format": "DOCKER", "location": "europe-west4"}
    google.create(REPOSITORY, "hub", inputs)
    found = google.read(REPOSITORY, "hub", id_)
    assert found
    assert found.id == "projects/acme/locations/europe-west4/repositories/hub"
    assert found.inputs == inputs
    assert not google.diff(found, inputs).diffs


def test_a_lookup_by_full_id_needs_no_project_of_its_own(google: Plugin, tmp_path: Path) -> None:
    made = google.create(ACCOUNT, "sa", {"accountId": "chat-prod"})
    elsewhere = Plugin(tmp_path, "gcp", {"project": "elsewhere"})
    assert elsewhere.read(ACCOUNT, "sa", made.id)


def test_a_secret_in_other_regions_is_another_secret_and_the_old_one_goes_first(
    google: Plugin,
) -> None:
    made = google.create(SECRET, "keys", {"secretId": "keys", "replication": REPLICA})
    elsewhere = {"userManaged": {"replicas": [{"location": "europe-west1"}]}}
    found = google.diff(made, {"secretId": "keys", "replication": elsewhere})
    assert (list(found.replaces), found.deleteBeforeReplace) == (["replication"], True)
    renamed = google.diff(made, {"secretId": "other", "replication": REPLICA})
    assert (list(renamed.replaces), renamed.deleteBeforeReplace) == (["secretId"], False)


def test_the_project_can_be_looked_up_and_what_is_unknown_is_said_so(google: Plugin) -> None:
    found, failures = google.invoke("gcp:organizations/getProject:getProject")
    assert (found["projectId"], found["number"], failures) == ("acme", NUMBER, [])
    _, failures = google.invoke("gcp:compute/getImage:getImage")
    assert failures == ["the sandbox has no data for gcp:compute/getImage:getImage; pass the value as configuration instead of looking it up"]  # fmt: skip


def test_a_type_without_rules_of_its_own_still_has_an_id_and_a_place(google: Plugin) -> None:
    topic = google.create("pubsub/topic:Topic", "events", {"name": "events"})
    assert topic.id == "projects/acme/global/topics/events"
    queue = google.create("cloudtasks/queue:Queue", "q", {"name": "q", "location": "europe-west4"})
    assert queue.id == "projects/acme/locations/europe-west4/queues/q"
    with pytest.raises(CloudError, match="already exists"):
        google.create("pubsub/topic:Topic", "again", {"name": "events"})


def test_labels_come_back_as_google_reports_them(google: Plugin) -> None:
    made = google.create(BUCKET, "b", {"location": "EU", "labels": {"team": "a"}})
    labels = {"team": "a", "goog-pulumi-provisioned": "true"}
    assert made.outputs["effectiveLabels"] == wire.secret(labels)
