"""A service on Cloud Run with every option at once, through the real engine: it goes up, answers, and goes."""

import json
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from portway.sandbox.layout import Layout
from support.openai_clients import openai_client
from support.sandbox_project import SandboxProject, start, stop
from support.sandbox_rows import Cloud

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

STACK = "whole.prod.cloud-run"
PROJECT = "acme-inference"
NETWORK = f"projects/{PROJECT}/global/networks/platform"
BUCKET = "acme-models"
MODEL = "ministral-3-8b"
FOLDER = "mistralai/Ministral-3-8B-Instruct-2512/5b26027e7b19eeb4b7352e1fed3926375dd2cb4d"
SPEC = """\
name: whole
model: ministral-3-8b
interface: openai
scaling: {min: 1, max: 2, concurrency: 4}
timeout_seconds: 300
access: {auth: api-key, reach: public}
residency: eu
budget: {monthly_usd: 3000, alert_emails: [ml@acme.example]}
"""
PLACEMENT = """\
config:
  portway:spec: specs/whole.yaml
  portway:placement:
    target: cloud-run
    region: europe-west4
    options:
      weights: {bucket: acme-models}
      network: {network: platform, subnetwork: inference, tags: [llm]}
      session_affinity: true
      invoker_check: false
      quota: {gpus: 3, vcpu: 100, memory_gib: 200}
      log_bucket: {retention_days: 14}
      uptime_check: true
      billing_account: 01AB23-45CD67-89EF01
  gcp:project: acme-inference
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    files = {"stacks/specs/whole.yaml": SPEC, f"stacks/Pulumi.{STACK}.yaml": PLACEMENT}
    made = start(tmp_path_factory.mktemp("whole") / "project", files)
    lay_foundation(Cloud(Layout.of_project(made.folder)))
    for words in (("stack", "init", STACK), ("up", "--yes", "--stack", STACK)):
        done = made.pulumi(*words)
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    yield made
    stop(made)


def lay_foundation(cloud: Cloud) -> None:
    """What the platform's own stack made: a network, and a bucket that holds the weights."""
    network = {"name": "platform", "autoCreateSubnetworks": False}
    cloud.put("gcp", PROJECT, "gcp:compute/network:Network", NETWORK, network)
    inference = {
        "name": "inference", "region": "europe-west4", "network": NETWORK,
        "ipCidrRange": "10.8.0.0/26", "privateIpGoogleAccess": True,
    }  # fmt: skip
    where = f"projects/{PROJECT}/regions/europe-west4/subnetworks/inference"
    cloud.put("gcp", PROJECT, "gcp:compute/subnetwork:Subnetwork", where, inference)
    models = {"name": BUCKET, "location": "europe-west4"}
    cloud.put("gcp", "global", "gcp:storage/bucket:Bucket", BUCKET, models)
    for name in ("params.json", "consolidated.safetensors"):
        held = {"bucket": BUCKET, "name": f"{FOLDER}/{name}", "content": f"stand-in for {name}"}
        kind = "gcp:storage/bucketObject:BucketObject"
        cloud.put("gcp", PROJECT, kind, f"{BUCKET}-{FOLDER}/{name}", held)


def rows(project: SandboxProject, kind: str) -> list[dict[str, Any]]:
    return [dict(row.inputs) for row in project.store.all(type=f"gcp:{kind}")]


def test_the_model_answers_from_weights_that_lie_in_a_bucket(project: SandboxProject) -> None:
    outputs = project.outputs(STACK)
    client = openai_client(outputs["endpoint"], outputs["apiKey"])
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Name a river."}], max_tokens=8
    )
    assert answer.choices[0].message.content
    (service,) = rows(project, "cloudrunv2/service:Service")
    args = service["template"]["containers"][1]["args"]
    assert args[1] == f"/models/{FOLDER}"


def test_a_client_that_keeps_cookies_is_led_back(project: SandboxProject) -> None:
    outputs = project.outputs(STACK)
    headers = {"authorization": f"Bearer {outputs['apiKey']}"}
    with httpx.Client(base_url=outputs["endpoint"], headers=headers) as client:
        first = client.get("/v1/models")
        second = client.get("/v1/models")
    assert first.cookies["GAESA"]
    assert "set-cookie" not in second.headers


def test_everything_that_was_asked_for_is_there(project: SandboxProject) -> None:
    (service,) = rows(project, "cloudrunv2/service:Service")
    assert service["template"]["vpcAccess"]["egress"] == "ALL_TRAFFIC"
    assert service["invokerIamDisabled"] is True
    assert rows(project, "cloudrunv2/serviceIamMember:ServiceIamMember") == []
    assert len(rows(project, "logging/metric:Metric")) == 4
    (board,) = rows(project, "monitoring/dashboard:Dashboard")
    assert len(json.loads(board["dashboardJson"])["mosaicLayout"]["tiles"]) == 6
    (home,) = rows(project, "logging/projectBucketConfig:ProjectBucketConfig")
    (sink,) = rows(project, "logging/projectSink:ProjectSink")
    assert home["location"] == "europe-west4"
    assert sink["destination"].endswith("/locations/europe-west4/buckets/whole-prod")
    (check,) = rows(project, "monitoring/uptimeCheckConfig:UptimeCheckConfig")
    endpoint = project.outputs(STACK)["endpoint"]
    assert check["monitoredResource"]["labels"]["host"] == endpoint.partition("://")[2]


def test_it_goes_and_leaves_what_the_platform_owns(project: SandboxProject) -> None:
    done = project.pulumi("destroy", "--yes", "--stack", STACK)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    left = {row.key.type for row in project.store.all() if row.key.cloud == "gcp"}
    assert left == {
        "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork",
        "gcp:storage/bucket:Bucket", "gcp:storage/bucketObject:BucketObject",
    }  # fmt: skip
