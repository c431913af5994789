import copy
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.providers import wire
from portway.sandbox.providers.cloud import CloudError, InitFailed
from support.plugin import Json, Plugin

SERVICE = "cloudrunv2/service:Service"
MEMBER = "cloudrunv2/serviceIamMember:ServiceIamMember"
QUOTA = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"


@pytest.fixture
def google(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, "gcp", {"project": "acme"})


def service(**changes: Any) -> Json:
    """A service with one L4; ``changes`` are dotted paths with ``__`` for the dot."""
    vllm = {
        "name": "vllm",
        "image": "vllm",
        "resources": {
            "limits": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
            "cpuIdle": False,
        },
    }
    runtime = {"name": "runtime", "image": "python", "ports": {"containerPort": 8080}}
    made: Json = {
        "name": "chat",
        "location": "europe-west4",
        "scaling": {"minInstanceCount": 0, "maxInstanceCount": 3},
        "template": {
            "gpuZonalRedundancyDisabled": True,
            "nodeSelector": {"accelerator": "nvidia-l4"},
            "containers": [runtime, vllm],
        },
        "deletionProtection": False,
    }
    made = copy.deepcopy(made)
    for path, value in changes.items():
        *parents, last = path.split("__")
        holder: Any = made
        for step in parents:
            holder = holder[int(step)] if step.isdigit() else holder.setdefault(step, {})
        holder[last] = value
    return made


def refusal(plugin: Plugin, inputs: Json) -> str:
    with pytest.raises(CloudError) as caught:
        plugin.create(SERVICE, "svc", inputs)
    assert plugin.store.all() == []
    return str(caught.value)


def test_a_service_is_served_on_loopback_under_one_address_for_life(google: Plugin) -> None:
    made = google.create(SERVICE, "svc", service())
    assert made.id == "projects/acme/locations/europe-west4/services/chat"
    (row,) = google.store.all()
    assert made.outputs["uri"] == f"http://127.0.0.1:{google.store.port(str(row.key))}"
    assert made.outputs["latestReadyRevision"].startswith(f"{made.id}/revisions/chat-00001-")
    changed = google.update(made, service(template__timeout="60s"))
    assert changed.outputs["uri"] == made.outputs["uri"]
    assert "chat-00002-" in changed.outputs["latestReadyRevision"]
    assert changed.outputs["uid"] == made.outputs["uid"]
    assert changed.outputs["createTime"] == made.outputs["createTime"]


def test_a_preview_knows_what_was_given_and_nothing_that_google_computes(google: Plugin) -> None:
    outputs = google.preview(SERVICE, "svc", service())
    assert outputs["name"] == "chat"
    assert outputs["project"] == "acme"
    assert outputs["uri"] == outputs["latestReadyRevision"] == wire.UNKNOWN
    assert google.store.all() == []


CPU_LIST = "Must be equal to one of [.08-1], 1.0, 2.0, 4.0, 6.0, 8.0."
LIMITS = "template__containers__1__resources__limits"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({f"{LIMITS}": {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1"}}, "CPU must be at least 4; memory must be at least 16Gi"),
        ({f"{LIMITS}": {"cpu": "4", "memory": "24Gi", "nvidia.com/gpu": "1"}}, "Invalid value specified for container memory"),
        ({f"{LIMITS}": {"cpu": "5", "memory": "16Gi", "nvidia.com/gpu": "1"}}, CPU_LIST),
        ({f"{LIMITS}": {"cpu": "8", "memory": "lots", "nvidia.com/gpu": "1"}}, "Could not parse Quantity 'lots'"),
        ({f"{LIMITS}": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "2"}}, "GPU can only be set to 1"),
        ({"template__containers__1__resources__cpuIdle": True}, "must be disabled in order to set GPU requirements"),
        ({"template__executionEnvironment": "EXECUTION_ENVIRONMENT_GEN1"}, "Execution environment must be set to gen2 in order to set GPU"),
        ({"template__nodeSelector__accelerator": "nvidia-t4"}, "only 'nvidia-l4' and 'nvidia-rtx-pro-6000' are supported"),
        ({"template__containers__0__resources": {"limits": {"nvidia.com/gpu": "1", "cpu": "8", "memory": "32Gi"}}}, "only be set on one container"),
        ({"template__timeout": "3601s"}, "the maximum allowed time is one hour"),
        ({"template__timeout": "60m"}, "Illegal duration format"),
        ({"template__maxInstanceRequestConcurrency": 1001}, "Must be a number between 0 and 1000"),
        ({"scaling__minInstanceCount": 4}, "must be greater than or equal to min_instance_count"),
        ({"scaling__manualInstanceCount": 1}, "scaling mode must be set to MANUAL"),
        ({"traffics": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 90}]}, "should be 100, but is 90"),
        ({"traffics": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "percent": 100}]}, "must be specified if and only if traffic type is"),
        ({"template__containers__1__ports": {"containerPort": 8000}}, "exactly one container with an exposed port"),
        ({"template__containers__0__envs": [{"name": "PORT", "value": "1"}]}, "reserved env names were provided: PORT"),
        ({"template__containers__0__volumeMounts": [{"name": "keys", "mountPath": "/k"}]}, "which were not found in volumes list"),
        ({"template__volumes": [{"name": "keys"}], "template__containers__0__volumeMounts": [{"name": "keys", "mountPath": "/dev/shm"}]}, "are in one of disallowed mount points"),
        ({"template__containers__1__startupProbe": {"httpGet": {}, "periodSeconds": 241}}, "startup_probe: period_seconds must be a number between 0 and 240."),
        ({"template__containers__1__startupProbe": {"periodSeconds": 10}}, "Exactly one probe action must be set"),
        ({"template__containers__1__livenessProbe": {"tcpSocket": {"port": 1}}}, "does not support TCP socket in liveness probe"),
        ({"name": "Chat"}, "must begin with a letter"),
        ({"template__containers__0__envs": [{"name": f"V{n}", "value": ""} for n in range(1001)]}, "at most 1000 environment variables are supported"),
        ({"template__containers__0__envs": [{"name": "V", "value": "v" * 32769}]}, "longer than 32768 bytes"),
        ({"template__containers__0__envs": [{"name": "V", "valueSource": {"secretKeyRef": {"secret": "a/b"}}}]}, "secret_key_ref.secret: may only be"),
        ({"template__volumes": [{"name": "v", "emptyDir": {"sizeLimit": "big"}}]}, "size_limit: Could not parse Quantity"),
        ({"template__volumes": [{"name": "v", "secret": {"secret": "keys", "items": [{"path": "k"}]}}]}, "version must be set for every item"),
        ({"template__encryptionKey": "key"}, "encryption_key: must conform to"),
        ({"template__serviceAccount": "me"}, "Unsupported service account"),
        ({"template__scaling": {"cpuUtilization": 0.5}}, "requires launch_stage BETA"),
        ({"launchStage": "PREVIEW"}, "only ALPHA, BETA, GA, or unspecified are supported"),
        ({"scaling__minInstanceCount": -1}, "must not be negative"),
        ({"template__annotations": {"run.googleapis.com/cpu-throttling": "false"}}, "system annotations are not supported"),
    ],
)  # fmt: skip
def test_what_cloud_run_refuses_is_refused_in_its_words(
    google: Plugin, changes: Json, text: str
) -> None:
    message = refusal(google, service(**changes))
    assert message.startswith("Error creating Service: googleapi: Error 400: ")
    assert text in message


def test_every_violation_is_named_at_once(google: Plugin) -> None:
    message = refusal(google, service(name="Chat", template__timeout="60m"))
    assert "must begin with a letter" in message
    assert "Illegal duration format" in message


@pytest.mark.parametrize("region", ["europe-west3", "us-central1"])
def test_a_region_without_l4_has_no_quota_for_it(google: Plugin, region: str) -> None:
    message = refusal(google, service(location=region))
    assert "You do not have quota for using GPUs without zonal redundancy." in message


def test_zonal_redundancy_has_a_quota_of_its_own(google: Plugin) -> None:
    message = refusal(google, service(template__gpuZonalRedundancyDisabled=False))
    assert "You do not have quota for using GPUs with zonal redundancy." in message


def test_a_region_that_is_none_is_denied(google: Plugin) -> None:
    text = "Permission denied on 'locations/europe-west99' (or it may not exist)."
    assert text in refusal(google, service(location="europe-west99"))


def test_more_instances_than_gpus_is_googles_quota_text(google: Plugin) -> None:
    message = refusal(google, service(scaling__maxInstanceCount=4))
    assert "Max instances must be set to 3 or fewer in order to set GPU requirements." in message
    assert f"Quota violated: {QUOTA} requested: 4 allowed: 3" in message


def test_no_maximum_counts_as_a_hundred(google: Plugin) -> None:
    assert "requested: 100 allowed: 3" in refusal(google, service(scaling={}))


def test_quotas_can_be_set_in_the_faults_file(tmp_path: Path) -> None:
    limits = "quotas: {CpuAllocPerProjectRegion: {default: 20000}, MemAllocPerProjectRegion: {europe-west4: 42949672960}}"
    (tmp_path / "faults.yaml").write_text(limits)
    message = refusal(Plugin(tmp_path, "gcp", {"project": "acme"}), service())
    assert "CpuAllocPerProjectRegion requested: 27000 allowed: 20000" in message
    assert "MemAllocPerProjectRegion requested: 104689827840 allowed: 42949672960" in message


def test_a_service_account_that_is_not_there_cannot_be_acted_as(google: Plugin) -> None:
    email = "nobody@acme.iam.gserviceaccount.com"
    message = refusal(google, service(template__serviceAccount=email))
    assert f"Permission 'iam.serviceaccounts.actAs' denied on service account {email}" in message


def with_secret(**changes: Any) -> Json:
    volume = {
        "name": "keys",
        "secret": {"secret": "keys", "items": [{"path": "k", "version": "latest"}]},
    }
    email = "chat-prod@acme.iam.gserviceaccount.com"
    return service(template__serviceAccount=email, template__volumes=[volume], **changes)


def prepare(plugin: Plugin, *, version: bool = True) -> str:
    account = plugin.create("serviceaccount/account:Account", "sa", {"accountId": "chat-prod"})
    plugin.create(
        "secretmanager/secret:Secret", "keys", {"secretId": "keys", "replication": {"auto": {}}}
    )
    if version:
        data = {"secret": "projects/acme/secrets/keys", "secretData": wire.secret("{}")}
        plugin.create("secretmanager/secretVersion:SecretVersion", "v", data)
    return str(account.outputs["member"])


def test_a_secret_the_service_account_may_not_read_leaves_a_service_that_is_not_ready(
    google: Plugin,
) -> None:
    member = prepare(google)
    with pytest.raises(InitFailed) as caught:
        google.create(SERVICE, "svc", with_secret())
    (reason,) = caught.value.reasons
    assert "is not ready and cannot serve traffic. Permission denied on secret: projects/" in reason
    assert "roles/secretmanager.secretAccessor" in reason
    assert caught.value.state.id == "projects/acme/locations/europe-west4/services/chat"
    role = {"secretId": "keys", "role": "roles/secretmanager.secretAccessor", "member": member}
    google.create("secretmanager/secretIamMember:SecretIamMember", "m", role)
    made = google.read(SERVICE, "svc", caught.value.state.id)
    assert made
    assert google.update(made, with_secret()).outputs["uri"]


def test_a_secret_without_a_version_was_not_found(google: Plugin) -> None:
    prepare(google, version=False)
    with pytest.raises(InitFailed, match="/secrets/keys/versions/latest was not found"):
        google.create(SERVICE, "svc", with_secret())


def test_a_bucket_that_is_not_there_cannot_be_mounted(google: Plugin) -> None:
    volume = {"name": "code", "gcs": {"bucket": "nowhere", "readOnly": True}}
    with pytest.raises(InitFailed, match="bucket nowhere does not exist"):
        google.create(SERVICE, "svc", service(template__volumes=[volume]))


@pytest.mark.parametrize(("failures", "limit"), [(181, 1800)])
def test_a_probe_budget_that_is_too_long_fails_the_revision(
    google: Plugin, failures: int, limit: int
) -> None:
    probe = {"httpGet": {"path": "/health"}, "periodSeconds": 10, "failureThreshold": failures}
    with pytest.raises(InitFailed, match=f"{failures * 10} s, the limit is {limit} s with a GPU"):
        google.create(SERVICE, "svc", service(template__containers__1__startupProbe=probe))


def test_a_protected_service_is_not_destroyed(google: Plugin) -> None:
    made = google.create(SERVICE, "svc", service(deletionProtection=True))
    with pytest.raises(
        CloudError, match="cannot destroy service without setting deletion_protection"
    ):
        google.delete(made)
    google.delete(google.update(made, service()))
    assert google.store.all() == []


def test_the_name_and_the_place_force_a_replacement_and_the_template_does_not(
    google: Plugin,
) -> None:
    made = google.create(SERVICE, "svc", service())
    assert list(google.diff(made, service(template__timeout="60s")).replaces) == []
    moved = google.diff(made, service(location="europe-west1"))
    assert (list(moved.replaces), moved.deleteBeforeReplace) == (["location"], False)


def test_an_invoker_needs_the_service(google: Plugin) -> None:
    binding = {"name": "chat", "location": "europe-west4", "role": "roles/run.invoker", "member": "allUsers"}  # fmt: skip
    with pytest.raises(CloudError, match="in project 'acme' does not exist"):
        google.create(MEMBER, "public", binding)
    google.create(SERVICE, "svc", service())
    made = google.create(MEMBER, "public", binding)
    assert (
        made.id == "projects/acme/locations/europe-west4/services/chat/roles/run.invoker/allUsers"
    )
