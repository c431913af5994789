"""Which function reads which kind of resource, where a table cannot."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from portway.gate.billing import apis, cloud_run, functions, google, logs, machines, pods, topics
from portway.gate.resource import Resource, Stack
from portway.pricing.meter import Meter

Reader = Callable[[Resource, Stack | None, Mapping[str, Any]], Iterator[Meter]]

READERS: Final[Mapping[str, Reader]] = {
    "cloud-run-service": cloud_run.service,
    "cloud-run-worker-pool": cloud_run.worker_pool,
    "cloud-run-job": cloud_run.job,
    "function": functions.function,
    "table": functions.table,
    "rest-api": apis.rest_api,
    "web-acl": apis.web_acl,
    "dashboard": apis.dashboard,
    "topic": topics.topic,
    "log-group": logs.group,
    "ec2-instance": machines.ec2_instance,
    "ec2-group": machines.ec2_group,
    "gce-instance": machines.gce_instance,
    "gke-pool": machines.gke_pool,
    "gke-cluster": machines.gke_cluster,
    "secret-version": google.secret_version,
    "firestore": google.firestore,
    "alert": google.alert,
    "google-key": google.key,
    "global-rule": google.global_rule,
    "workload": pods.workload,
    "kubernetes-service": pods.service,
    "ingress": pods.ingress,
    "volume-claim": pods.volume_claim,
}
"""By the name that tables give to a reader."""
