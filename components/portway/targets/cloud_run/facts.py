"""How a gate reads the Google Cloud resources that this target creates."""

from collections.abc import Mapping
from typing import Final

from portway.target import ResourceFacts

_NO_PLACE: Final = ResourceFacts(is_billed=False)

FACTS: Final[Mapping[str, ResourceFacts]] = {
    "gcp:cloudrunv2/service:Service": ResourceFacts(
        region=("location",),
        maximum="scaling.maxInstanceCount",
        maximum_also=("template.scaling.maxInstanceCount", "scaling.manualInstanceCount"),
        gpus=('template.containers[].resources.limits["nvidia.com/gpu"]',),
        model_routes=("template.containers[].envs[].value", "template.containers[].args"),
        replicas=("multiRegionSettings.regions",),
    ),
    "gcp:cloudrunv2/job:Job": ResourceFacts(
        region=("location",),
        model_routes=(
            "template.template.containers[].envs[].value",
            "template.template.containers[].args",
        ),
    ),
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": ResourceFacts(
        region=("location",), is_billed=False
    ),
    "gcp:serviceaccount/account:Account": _NO_PLACE,
    "gcp:secretmanager/secret:Secret": ResourceFacts(
        region=("replication.userManaged.replicas[].location",), needs_region=True
    ),
    "gcp:secretmanager/secretVersion:SecretVersion": ResourceFacts(inside="secret"),
    "gcp:secretmanager/secretIamMember:SecretIamMember": _NO_PLACE,
    "gcp:storage/bucket:Bucket": ResourceFacts(region=("location",), needs_region=True),
    "gcp:storage/bucketObject:BucketObject": ResourceFacts(inside="bucket"),
    "gcp:storage/bucketIAMMember:BucketIAMMember": _NO_PLACE,
    "gcp:artifactregistry/repository:Repository": ResourceFacts(
        region=("location",), needs_region=True
    ),
    "gcp:firestore/database:Database": ResourceFacts(region=("locationId",), needs_region=True),
    "gcp:firestore/field:Field": ResourceFacts(inside="database", is_billed=False),
    "gcp:projects/iAMMember:IAMMember": _NO_PLACE,
    "gcp:billing/budget:Budget": _NO_PLACE,
    "gcp:monitoring/notificationChannel:NotificationChannel": _NO_PLACE,
    "gcp:monitoring/alertPolicy:AlertPolicy": ResourceFacts(),
    "gcp:monitoring/dashboard:Dashboard": _NO_PLACE,
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": _NO_PLACE,
    "gcp:logging/metric:Metric": _NO_PLACE,
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": ResourceFacts(
        region=("location",), needs_region=True, is_billed=False
    ),
    "gcp:logging/projectSink:ProjectSink": _NO_PLACE,
    "gcp:logging/projectExclusion:ProjectExclusion": _NO_PLACE,
    "random:index/randomPassword:RandomPassword": _NO_PLACE,
}
