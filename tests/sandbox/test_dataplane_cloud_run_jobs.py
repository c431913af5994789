"""Cloud Run jobs: an execution for each new token. Rows are written as a plugin writes them."""

import json
import signal
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from portway.bundle import runtime_archive
from portway.sandbox.buckets import Buckets
from portway.sandbox.rehearsals import set_rehearsal
from portway.sandbox.store import Key, Status
from support.sandbox_daemon import Sandbox, sandbox
from support.sandbox_rows import PYTHON_IMAGE
from support.waiting import until

pytestmark = pytest.mark.sandbox

ACCOUNT = "copy@acme.iam.gserviceaccount.com"
REPOSITORY = "mistralai/Ministral-3-8B-Instruct-2512"
REVISION = "5b26027e7b19eeb4b7352e1fed3926375dd2cb4d"
FOLDER = f"{REPOSITORY}/{REVISION}"
COPY = json.dumps({
    "repository": REPOSITORY, "revision": REVISION, "bucket": "acme-models", "folder": FOLDER,
    "format": "mistral", "vocabularies": ["o200k_base.tiktoken"],
})  # fmt: skip
SAYS = (
    "import json, os, sys; told = {k: v for k, v in os.environ.items() if k.startswith('CLOUD_RUN_')}; "
    "print(json.dumps(told), flush=True)"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("jobs")) as made:
        made.cloud.put(
            "gcp", "global", "gcp:storage/bucket:Bucket", "acme-models",
            {"name": "acme-models", "location": "europe-west4", "project": "acme"},
        )  # fmt: skip
        for bucket, role in (("acme-code", "objectViewer"), ("acme-models", "objectUser")):
            member = f"serviceAccount:{ACCOUNT}"
            made.cloud.put(
                "gcp", "acme", "gcp:storage/bucketIAMMember:BucketIAMMember", f"b/{bucket}",
                {"bucket": bucket, "role": f"roles/storage.{role}", "member": member},
            )  # fmt: skip
        digest = made.cloud.keep(runtime_archive().path.read_bytes())
        made.cloud.put(
            "gcp", "acme", "gcp:storage/bucketObject:BucketObject", "acme-code-runtime.pyz",
            {"bucket": "acme-code", "name": "runtime.pyz"}, {"__object": digest},
        )  # fmt: skip
        yield made


def deploy(
    running: Sandbox, name: str, arguments: list[str], token: str = "aaaa1111", **task: Any
) -> tuple[Key, Status]:
    """Create or update the job ``name``; returns its key and how it went."""
    key = put(running, name, arguments, token, **task)
    return key, running.cloud.wait(key)


def put(running: Sandbox, name: str, arguments: list[str], token: str, **task: Any) -> Key:
    """Create or update the job ``name``."""
    outer = {"taskCount": task.pop("tasks", 1)}
    container: dict[str, Any] = {
        "name": "copy", "image": PYTHON_IMAGE, "commands": ["python"], "args": arguments,
        "envs": [{"name": "PORTWAY_COPY_WEIGHTS", "value": COPY}],
        "volumeMounts": [{"name": "code", "mountPath": "/opt/portway"}],
    }  # fmt: skip
    inner = {
        "serviceAccount": ACCOUNT, "timeout": "60s", "maxRetries": 1, "containers": [container],
        "volumes": [{"name": "code", "gcs": {"bucket": "acme-code", "readOnly": True}}], **task,
    }  # fmt: skip
    inputs = {
        "name": name, "location": "europe-west4", "project": "acme", "launchStage": "BETA",
        "runExecutionToken": token, "template": {**outer, "template": inner},
    }  # fmt: skip
    id_ = f"projects/acme/locations/europe-west4/jobs/{name}"
    return running.cloud.put("gcp", "acme", "gcp:cloudrunv2/job:Job", id_, inputs)


def said(running: Sandbox, name: str) -> list[dict[str, str]]:
    """What the tasks of the job printed, line by line."""
    log = running.layout.logs / f"cloud-run-job-{name}.log"
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_model_is_copied_from_the_hub_into_the_bucket_once(running: Sandbox) -> None:
    key, first = deploy(running, "weights", ["/opt/portway/runtime.pyz"])
    log = (running.layout.logs / "cloud-run-job-weights.log").read_text()
    assert (first.ready, first.message) == (True, ""), log
    written = Buckets(running.layout.root).objects("acme-models")
    names = {one.name.removeprefix(f"{FOLDER}/") for one in written}
    assert {"consolidated.safetensors", "params.json", "tekken.json", "o200k_base.tiktoken"} < names
    assert not [name for name in names if name.startswith("model-0")]
    hub = f"http://127.0.0.1:{running.cloud.store.port('hub')}/{REPOSITORY}/resolve/{REVISION}"
    weights = httpx.get(f"{hub}/consolidated.safetensors", follow_redirects=True).content
    (kept,) = [one for one in written if one.name.endswith("consolidated.safetensors")]
    assert kept.content.read_bytes() == weights
    # another revision of the same job finds everything there
    _, again = deploy(running, "weights", ["/opt/portway/runtime.pyz"], token="bbbb2222")
    assert again.detail == {"executions": {"aaaa1111": "succeeded", "bbbb2222": "succeeded"}}
    last = said(running, "weights")[-1]
    assert (last["event"], last["files"], last["kept"]) == ("weights_copied", 0, len(names))
    assert Buckets(running.layout.root).objects("acme-models") == written
    assert running.cloud.store.status(str(key)) == again


def test_a_token_that_was_executed_is_not_executed_again(running: Sandbox) -> None:
    _, first = deploy(running, "once", ["-c", SAYS])
    _, again = deploy(running, "once", ["-c", SAYS], timeout="50s")
    _, other = deploy(running, "once", ["-c", SAYS], token="cccc3333")
    assert [one.ready for one in (first, again, other)] == [True, True, True]
    assert [one["CLOUD_RUN_EXECUTION"] for one in said(running, "once")] == [
        "once-aaaa1111", "once-cccc3333",
    ]  # fmt: skip


def test_a_task_that_fails_is_tried_again_and_then_fails_the_job(running: Sandbox) -> None:
    fails = f"{SAYS}; sys.exit(3)"
    _, failed = deploy(running, "fails", ["-c", fails])
    assert not failed.ready
    assert failed.message.startswith(
        "Task fails-aaaa1111-task0 failed with message: The container exited with an error. "
        "(copy: the container exited with code 3"
    )
    told = {"CLOUD_RUN_JOB": "fails", "CLOUD_RUN_EXECUTION": "fails-aaaa1111"}
    told |= {"CLOUD_RUN_TASK_COUNT": "1", "CLOUD_RUN_TASK_INDEX": "0"}
    attempts = [{**told, "CLOUD_RUN_TASK_ATTEMPT": str(n)} for n in range(2)]
    assert said(running, "fails") == attempts
    # the same again goes on where it failed
    _, mended = deploy(running, "fails", ["-c", SAYS])
    assert mended.ready
    assert said(running, "fails")[2:] == attempts[:1]


def test_every_task_has_its_number_and_its_time(running: Sandbox) -> None:
    slow = (
        f"{SAYS}; import time; time.sleep(0 if os.environ['CLOUD_RUN_TASK_INDEX'] == '0' else 60)"
    )
    _, late = deploy(running, "late", ["-c", slow], timeout="0.6s", maxRetries=0, tasks=2)
    assert late.message == (
        "Task late-aaaa1111-task1 failed with message: The configured timeout was reached. (0.6 s)"
    )
    assert {one["CLOUD_RUN_TASK_INDEX"] for one in said(running, "late")} == {"0", "1"}


def test_a_bucket_that_may_not_be_read_is_not_mounted(running: Sandbox) -> None:
    volumes = [{"name": "code", "gcs": {"bucket": "acme-others", "readOnly": True}}]
    _, refused = deploy(running, "mounts", ["-c", SAYS], volumes=volumes)
    assert "mounting volume for bucket acme-others failed: copy@acme" in refused.message


def test_while_the_hub_is_away_nothing_is_copied(running: Sandbox) -> None:
    set_rehearsal(running.layout.rehearsed, "hub-away", times=1)
    hub = f"http://127.0.0.1:{running.cloud.store.port('hub')}/api/models/{REPOSITORY}/tree/main"
    assert [httpx.get(hub).status_code for _ in range(2)] == [503, 200]


def test_what_was_written_outlives_the_daemon_and_goes_with_its_bucket(running: Sandbox) -> None:
    _, made = deploy(running, "stays", ["/opt/portway/runtime.pyz"])
    assert made.ready
    before = Buckets(running.layout.root).objects("acme-models")
    assert before
    executed = len(said(running, "stays"))
    cut = put(running, "cut", ["-c", f"{SAYS}; import time; time.sleep(1)"], "aaaa1111")
    log = running.layout.logs / "cloud-run-job-cut.log"
    until(lambda: log.is_file() and log.read_text(), "its first line", 10)
    running.stop(signal.SIGKILL)
    running.start()
    assert running.cloud.wait(cut).ready
    assert [one["CLOUD_RUN_TASK_ATTEMPT"] for one in said(running, "cut")] == ["0", "0"]
    assert Buckets(running.layout.root).objects("acme-models") == before
    assert len(said(running, "stays")) == executed
    running.cloud.store.delete(Key("gcp", "global", "gcp:storage/bucket:Bucket", "acme-models"))
    until(
        lambda: not (running.layout.root / "buckets" / "acme-models").exists(),
        "its bucket to be gone",
        10,
    )
