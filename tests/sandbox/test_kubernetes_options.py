"""Many options of a cluster at once, through the real engine: a service on two nodes, queued and scaled."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.sandbox_project import SandboxProject, portway

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

STACK = "chat.options.kubernetes"
CLUSTER = "options-eu"
STACK_FILE = """config:
  portway:spec: specs/chat.yaml
  portway:placement:
    target: kubernetes
    cluster: options-eu
    region: europe-west4
    options:
      cluster_version: 1.36
      crds: [leaderworkerset.x-k8s.io, kueue.x-k8s.io, keda.sh, monitoring.coreos.com]
      node: g2-standard-24
      nodes: 2
      gpu_claim: dra
      priority: 1000
      kueue: {cluster_queue: inference, topology: cloud.google.com/gce-topology-block}
      autoscale: {by: keda, prometheus: "http://prometheus.monitoring:9090"}
      weights_image: europe-docker.pkg.dev/acme/models/ministral@sha256:DIGEST
      monitor: {labels: {release: kube-prometheus-stack}}
      otlp: http://collector.observability:4317
      prometheus_rules: {}
""".replace("DIGEST", "ab" * 32)


@pytest.fixture(scope="module")
def deployed(running: SandboxProject) -> Iterator[dict[str, Any]]:
    made = running.pulumi("stack", "select", "--create", STACK)
    assert made.returncode == 0, made.stderr
    (running.folder / "stacks" / f"Pulumi.{STACK}.yaml").write_text(STACK_FILE)
    shown = portway(running.folder, "sandbox", "env", "--json")
    assert shown.returncode == 0, shown.stderr
    try:
        done = running.pulumi("up", "--yes", "--skip-preview", "--stack", STACK)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield running.outputs(STACK)
    finally:
        running.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)
    left = [row for row in running.store.all(cloud="kubernetes") if row.key.scope == CLUSTER]
    assert left == []


def test_the_pod_that_leads_a_group_answers(deployed: dict[str, Any]) -> None:
    answer = httpx.post(
        f"{deployed['endpoint']}/v1/chat/completions",
        headers={"authorization": f"Bearer {deployed['apiKey']}"},
        json={
            "model": deployed["model"],
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 8,
        },
        timeout=60,
    )
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"]


def test_every_kind_that_was_asked_for_is_in_the_cluster(
    deployed: dict[str, Any], running: SandboxProject
) -> None:
    del deployed
    there = {
        row.key.type.rpartition(":")[2]
        for row in running.store.all(cloud="kubernetes")
        if row.key.scope == CLUSTER
    }
    assert there >= {
        "LeaderWorkerSet", "ResourceClaimTemplate", "PriorityClass", "LocalQueue", "ScaledObject",
        "PodMonitor", "PrometheusRule", "PodDisruptionBudget", "NetworkPolicy", "Service",
    }  # fmt: skip
    assert "Deployment" not in there
