import copy
from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.buckets import Buckets
from portway.sandbox.providers.cloud import CloudError, InitFailed
from support.plugin import Json, Plugin

JOB = "cloudrunv2/job:Job"
BUCKET = "storage/bucket:Bucket"
TASK = "template__template"


@pytest.fixture
def google(tmp_path: Path) -> Plugin:
    plugin = Plugin(tmp_path, "gcp", {"project": "acme"})
    plugin.create("serviceaccount/account:Account", "copy", {"accountId": "copying"})
    plugin.create(BUCKET, "code", {"name": "acme-code", "location": "europe-west4"})
    return plugin


def job(**changes: Any) -> Json:
    """A job that runs once; ``changes`` are dotted paths with ``__`` for the dot."""
    container: Json = {
        "name": "copy",
        "image": "python",
        "commands": ["python"],
        "args": ["/opt/portway/runtime.pyz"],
        "envs": [{"name": "PYTHONUNBUFFERED", "value": "1"}],
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}},
        "volumeMounts": [{"name": "code", "mountPath": "/opt/portway"}],
    }
    task: Json = {
        "serviceAccount": "copying@acme.iam.gserviceaccount.com",
        "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
        "timeout": "1200s",
        "maxRetries": 1,
        "volumes": [{"name": "code", "gcs": {"bucket": "acme-code", "readOnly": True}}],
        "containers": [container],
    }
    made: Json = {
        "name": "chat-weights",
        "location": "europe-west4",
        "deletionProtection": False,
        "runExecutionToken": "aaaa1111",
        "template": {"taskCount": 1, "template": task},
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
        plugin.create(JOB, "copy", inputs)
    assert plugin.store.all(type="gcp:cloudrunv2/job:Job") == []
    return str(caught.value)


def test_a_job_says_which_execution_its_token_made(google: Plugin) -> None:
    made = google.create(JOB, "copy", job())
    assert made.id == "projects/acme/locations/europe-west4/jobs/chat-weights"
    (latest,) = made.outputs["latestCreatedExecutions"]
    assert (made.outputs["executionCount"], latest["name"]) == (1, "chat-weights-aaaa1111")
    assert (made.outputs["generation"], made.outputs["reconciling"]) == ("1", False)
    assert [one["state"] for one in made.outputs["terminalConditions"]] == ["CONDITION_SUCCEEDED"]
    same = google.update(made, job(template__template__timeout="600s"))
    assert (same.outputs["executionCount"], same.outputs["generation"]) == (1, "2")
    assert same.outputs["latestCreatedExecutions"] == [latest]
    assert (same.outputs["uid"], same.outputs["etag"] != made.outputs["etag"]) == (
        made.outputs["uid"], True,
    )  # fmt: skip
    other = google.update(same, job(runExecutionToken="bbbb2222"))
    assert other.outputs["executionCount"] == 2
    assert other.outputs["latestCreatedExecutions"][0]["name"] == "chat-weights-bbbb2222"


def test_a_job_without_a_token_executes_nothing(google: Plugin) -> None:
    made = google.create(JOB, "copy", job(runExecutionToken=None))
    assert (made.outputs["executionCount"], made.outputs["latestCreatedExecutions"]) == (0, [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"location": "europe-west99"}, "Error creating Job: googleapi: Error 403: Permission denied on 'locations/europe-west99' (or it may not exist)., forbidden"),
        ({"name": "Chat"}, "Violation in CREATE Job.name: must begin with a letter, and cannot end with hyphen; must contain at most 63 characters (got 'Chat')."),
        ({"launchStage": "NEWEST"}, "launch_stage: only ALPHA, BETA, GA, or unspecified are supported, got NEWEST."),
        ({"name": "c" * 55}, "run_execution_token: the sum of job name and token length must be fewer than 63 characters."),
        ({"template__taskCount": 0}, "template.task_count: must be a number between 1 and 10000."),
        ({"template__parallelism": 2}, "template.parallelism: must be less than or equal to task_count."),
        ({f"{TASK}__maxRetries": 11}, "template.template.max_retries: must be a number between 0 and 10."),
        ({f"{TASK}__timeout": "604801s"}, "template.template.timeout: must be between 1 and 604800 seconds."),
        ({f"{TASK}__timeout": "20m"}, "template.template.timeout: Illegal duration format; duration must end with 's': 20m"),
        ({f"{TASK}__containers": []}, "template.template.containers: must contain at least one container."),
        ({f"{TASK}__containers__0__ports": [{"containerPort": 80}]}, "template.template.containers[0].ports: ports are not supported for jobs."),
        ({f"{TASK}__containers__0__envs__0__name": "CLOUD_RUN_JOB"}, "template.template.containers[0].env: The following reserved env names were provided: CLOUD_RUN_JOB."),
        ({f"{TASK}__containers__0__volumeMounts__0__name": "other"}, "template.template.containers[0].volume_mounts: The following volume mounts were not found: other,"),
        ({f"{TASK}__containers__0__startupProbe": {"periodSeconds": 3}}, "template.template.containers[0].startup_probe: Exactly one probe action must be set."),
        ({f"{TASK}__vpcAccess": {"egress": "ALL_TRAFFIC"}}, "template.template.vpc_access: one and only one of connector and network_interfaces must be set."),
        ({f"{TASK}__serviceAccount": "none@acme.iam.gserviceaccount.com"}, "Permission 'iam.serviceaccounts.actAs' denied on service account none@acme.iam.gserviceaccount.com (or it may not exist)."),
    ],
)  # fmt: skip
def test_what_the_api_does_not_take_is_refused_in_its_words(
    google: Plugin, changes: Json, said: str
) -> None:
    text = refusal(google, job(**changes))
    assert said in text
    assert text.startswith("Error creating Job: googleapi: Error 40")


def test_a_task_with_a_gpu_may_take_an_hour(google: Plugin) -> None:
    gpu: Json = {
        f"{TASK}__containers__0__resources__limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"},
        f"{TASK}__nodeSelector": {"accelerator": "nvidia-l4"},
        f"{TASK}__timeout": "3601s",
    }  # fmt: skip
    text = refusal(google, job(**gpu))
    assert "template.template.timeout: must be between 1 and 3600 seconds with a GPU." in text
    assert "template.template.gpu_zonal_redundancy_disabled: GPU zonal redundancy is not" in text
    gpu |= {f"{TASK}__timeout": "3600s", f"{TASK}__gpuZonalRedundancyDisabled": True}
    assert google.create(JOB, "copy", job(**gpu)).id


def test_the_provider_takes_one_token_only(google: Plugin) -> None:
    both = google.failures(JOB, job(startExecutionToken="b"))
    assert both == {
        "runExecutionToken": '"run_execution_token": conflicts with start_execution_token',
        "startExecutionToken": '"start_execution_token": conflicts with run_execution_token',
    }
    assert "ports" not in google.failures(JOB, job())


def test_an_execution_that_cannot_mount_leaves_a_job_that_can_be_mended(google: Plugin) -> None:
    broken = job(template__template__volumes__0__gcs__bucket="acme-none")
    with pytest.raises(InitFailed) as caught:
        google.create(JOB, "copy", broken)
    assert str(caught.value).startswith(
        "Error waiting to create Job: Error code 9, message: Container failed to start: mounting volume "
        "failed: the specified bucket acme-none does not exist"
    )
    assert len(google.store.all(type="gcp:cloudrunv2/job:Job")) == 1


def test_a_protected_job_and_its_place_are_kept(google: Plugin) -> None:
    made = google.create(JOB, "copy", job(deletionProtection=True))
    with pytest.raises(CloudError, match="cannot destroy job without setting deletion_protection"):
        google.delete(made)
    open_ = google.update(made, job())
    assert list(google.diff(open_, job(location="us-east4")).replaces) == ["location"]
    google.delete(open_)
    assert google.store.all(type="gcp:cloudrunv2/job:Job") == []


@pytest.mark.parametrize("forced", [False, True])
def test_a_bucket_that_a_program_wrote_into_goes_only_when_forced(
    google: Plugin, tmp_path: Path, *, forced: bool
) -> None:
    inputs = {"name": "acme-models", "location": "europe-west4", "forceDestroy": forced}
    made = google.create(BUCKET, "models", inputs)
    buckets = Buckets(tmp_path)
    buckets.begin("acme-models", "a", {}).finish()
    if forced:
        google.delete(made)
        assert buckets.objects("acme-models") == []
        return
    with pytest.raises(CloudError) as caught:
        google.delete(made)
    assert str(caught.value) == (
        "Error trying to delete bucket acme-models containing objects without `force_destroy` set to true"
    )
    assert [one.name for one in buckets.objects("acme-models")] == ["a"]
