"""What a cloud says, in our words: checked on what the clouds of the sandbox say, and on texts seen elsewhere."""

import re

import pytest

from portway.saying import Saying
from portway.sayings import FOR_OPERATORS, explain, for_operators
from portway.targets.cloud_run.sayings import SAYINGS as OF_GOOGLE
from portway.targets.kubernetes.sayings import SAYINGS as OF_CLUSTERS
from portway.targets.lambda_bedrock.sayings import SAYINGS as OF_AMAZON

STACK = "chat.prod.cloud-run"
AGAIN = f"then `portway up {STACK}` again: it goes on where this one stopped"
REVISION = "Error waiting to create Service: Error code 9, message: Revision 'chat-00001-abc' is not ready and cannot serve traffic. "


def test_a_quota_says_what_was_asked_what_is_allowed_and_what_to_do() -> None:
    text = (
        "Error creating Service: googleapi: Error 400: scaling.max_instance_count: Max instances must "
        "be set to 1 or fewer in order to set GPU requirements. To request quota: "
        "g.co/cloudrun/gpu-quota Quota violated: NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion "
        "requested: 3 allowed: 1"
    )
    (found,) = explain([("chat-service (gcp:cloudrunv2/service:Service)", text)], STACK)
    assert str(found) == (
        "chat-service (gcp:cloudrunv2/service:Service): scaling.max lets the service have 3 GPUs, and "
        "the project may have 1 in this region (NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion); of "
        "the service nothing was made or changed. What to do: lower scaling.max to 1, or ask for more "
        f"at g.co/cloudrun/gpu-quota, or choose another region in the placement; {AGAIN}."
    )


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("googleapi: Error 400: template.gpu_zonal_redundancy_disabled: You do not have quota for using GPUs without zonal redundancy. To request quota: g.co/cloudrun/gpu-quota", "the project may have no GPU without zonal redundancy"),
        ("scaling.max_instance_count: Max instances must be set to 2 or fewer to set the requested total memory. To request quota: x Quota violated: MemAllocPerProjectRegion requested: 9 allowed: 8", "scaling.max times what one instance takes is more memory"),
        (f"{REVISION}Image 'europe-docker.pkg.dev/a/b@sha256:1' not found.", "the registry has no image europe-docker.pkg.dev/a/b@sha256:1"),
        (f"{REVISION}The user-provided container failed the configured startup probe checks. Logs", "the model was not ready in the time that its start is given"),
        (f"{REVISION}The user-provided container failed to start and listen on the port defined", "a container ended or did not listen"),
        (f"{REVISION}The request was aborted because there was no available instance.", "the region has no GPU to spare"),
        ("Error waiting to create Job: Error code 9, message: Task chat-prod-weights-ab12cd34-task0 failed with message: The container exited with an error.", "the weights were not copied into the service's bucket"),
        ("Error updating Job: googleapi: Error 409: Resource 'chat-prod-weights-ab12cd34' already exists.", "Cloud Run runs no execution chat-prod-weights-ab12cd34 twice"),
        ('oauth2: "invalid_grant" "Token has been expired or revoked."', "the Google credentials that you deploy with have expired"),
        ("googleapi: Error 401: Request had invalid authentication credentials. Expected OAuth 2", "the Google credentials that you deploy with have expired"),
        ('Post "https://run.googleapis.com/v2/x": dial tcp 203.0.113.1:443: connect: connection refused', "Google's API could not be reached"),
        ('Get "https://iam.googleapis.com/v1": dial tcp: lookup iam.googleapis.com: no such host', "Google's API could not be reached"),
        ("googleapi: Error 503: The service is currently unavailable., backendError", "Google's API could not be reached"),
        ("Error 403: Permission 'run.services.create' denied on resource '//run.googleapis.com/projects/a'", "whoever deploys has no permission run.services.create on //run.googleapis.com/projects/a"),
        ("Details: api error ExpiredToken: The security token included in the request is expired", "the AWS credentials that you deploy with have expired"),
        ("api error ExpiredTokenException: The security token included in the request is expired", "the AWS credentials that you deploy with have expired"),
        ("operation error Lambda: CreateFunction, exceeded maximum number of attempts, 9, https response", "AWS's API could not be reached in 9 attempts"),
        ("exceeded maximum number of attempts, 25, https response error, api error ThrottlingException: Rate exceeded", "AWS had too many requests from the account, 25 times"),
        ("decreases account's UnreservedConcurrentExecution below its minimum value of [100].", "scaling.max times concurrency is reserved for the function, and the account must keep 100"),
        ("User: arn:aws:iam::1:user/x is not authorized to perform: iam:CreateRole because", "arn:aws:iam::1:user/x may not call iam:CreateRole"),
        ('[FailedCreate] pods "x-" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "x" must', "the namespace admits only pods of the level restricted:latest, and these break it: allowPrivilegeEscalation != false"),
        ('pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=8, used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8', "the ResourceQuota gpus of the namespace allows requests.nvidia.com/gpu=8; requests.nvidia.com/gpu=8 is used, and another pod asks for requests.nvidia.com/gpu=8"),
        ("failed quota: cpus: must specify limits.cpu for: runtime", "the ResourceQuota cpus counts what a container does not ask for (limits.cpu for: runtime)"),
        ("no PriorityClass with name gold was found", "the cluster has no PriorityClass gold"),
        ("0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 Insufficient nvidia.com/gpu. preemption", "pods wait for nvidia.com/gpu: 0/3 nodes have as many free as one of them asks for"),
        ("0/3 nodes are available: 3 cannot allocate all claims. still not schedulable", "pods wait for their claims of devices: 0/3 nodes have the devices free that one of them claims"),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}. preemption", "pods wait: the nodes that would fit are kept for others by the taint nvidia.com/gpu;"),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption", "pods wait for a node with the labels that they require"),
        ("[Pod a/b, container vllm] ImagePullBackOff: Back-off pulling image", "a node cannot get the image of a container"),
        ("Unhealthy: Readiness probe failed: dial tcp 127.0.0.1:8080: connect: connection refused", "a container runs and is not ready: its readiness probe fails (dial tcp 127.0.0.1:8080: connect: connection refused)"),
        ("CrashLoopBackOff: the container exited with code 1: OSError", "a container ends by itself"),
        ('Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas', "the field .spec.replicas belongs to kubectl-edit now"),
        ('no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"', "the cluster does not know the kind HTTPRoute of gateway.networking.k8s.io/v1"),
        ('secrets is forbidden: User "ci@acme" cannot create resource "secrets" in API group ""', "ci@acme, as whom you deploy, may not create secrets"),
        ("configured Kubernetes cluster is unreachable: unable to load schema information from the API server: dial tcp 1.2.3.4:443: i/o timeout", "the cluster's API server could not be reached"),
        ('[ProgressDeadlineExceeded] ReplicaSet "x" has timed out progressing.', "the new pods were not ready in the time that a rollout is given"),
        ("AccessDeniedException: Model access is denied due to IAM user or service role is not authorized to perform the required", "the account has no access to the model in this region"),
    ],
)  # fmt: skip
def test_what_clouds_say_is_said_in_our_words_and_with_what_to_do(text: str, means: str) -> None:
    (found,) = explain([("", text)], STACK)
    assert found.means.startswith(means)
    assert found.do
    assert "{" not in str(found)


def test_each_thing_is_said_once_and_what_is_not_known_is_left_to_the_cloud() -> None:
    expired = "api error ExpiredToken: The security token included in the request is expired"
    found = explain([("a", "update failed"), ("b", expired), ("c", expired)], STACK)
    assert [one.where for one in found] == ["b"]


@pytest.mark.parametrize(
    "saying", [*OF_GOOGLE, *OF_AMAZON, *OF_CLUSTERS], ids=lambda one: one.words.pattern[:30]
)
def test_advice_names_only_what_the_words_hold(saying: Saying) -> None:
    holes = set(re.findall(r"\{(\w+)\}", f"{saying.means}{saying.do}"))
    assert holes <= {*saying.words.groupindex, "stack", "again"}


def test_an_operator_hears_of_classes_that_clients_cannot_mend() -> None:
    classes = ("invalid_api_key", "permission_denied", "context_length_exceeded")
    assert for_operators(classes) == (
        f"permission_denied: {FOR_OPERATORS['permission_denied']}",
    )  # fmt: skip
