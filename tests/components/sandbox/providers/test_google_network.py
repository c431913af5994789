"""Networks that Cloud Run sends through in the embedded Google Cloud, and what it says where it cannot."""

from pathlib import Path
from typing import Any

import pytest

from portway.sandbox.providers.cloud import CloudError, InitFailed
from support.plugin import Json, Plugin

SERVICE = "cloudrunv2/service:Service"
BUCKET = "storage/bucket:Bucket"
QUOTA = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"


@pytest.fixture
def google(tmp_path: Path) -> Plugin:
    plugin = Plugin(tmp_path, "gcp", {"project": "acme"})
    plugin.create("compute/network:Network", "net", {"name": "platform"})
    return plugin


def subnetwork(plugin: Plugin, *, cidr: str = "10.8.0.0/26", private: bool = True) -> Any:
    given = {"name": "inference", "region": "europe-west4", "ipCidrRange": cidr}
    given |= {"network": "platform", "privateIpGoogleAccess": private}
    return plugin.create("compute/subnetwork:Subnetwork", "sub", given)


def service(access: Json, **template: Any) -> Json:
    container = {"name": "app", "image": "python", "ports": {"containerPort": 8080}}
    return {
        "name": "chat",
        "location": "europe-west4",
        "scaling": {"maxInstanceCount": 3},
        "template": {"containers": [container], "vpcAccess": access, **template},
        "deletionProtection": False,
    }


def through(egress: str = "ALL_TRAFFIC", **named: str) -> Json:
    return {"egress": egress, "networkInterfaces": [named or {"subnetwork": "inference"}]}


@pytest.mark.parametrize(
    ("access", "text"),
    [
        ({"egress": "ALL_TRAFFIC"}, "one and only one of connector and network_interfaces must be set"),
        ({"connector": "c", "networkInterfaces": [{"network": "n"}]}, "one and only one of connector"),
        ({"networkInterfaces": [{"network": "n"}, {"network": "m"}]}, "only 1 network interface is allowed"),
        ({"networkInterfaces": [{"tags": ["llm"]}]}, "at least one of network or subnetwork should not be empty"),
    ],
)  # fmt: skip
def test_a_network_that_is_asked_for_wrongly_is_refused_in_google_s_words(
    google: Plugin, access: Json, text: str
) -> None:
    with pytest.raises(CloudError) as caught:
        google.create(SERVICE, "svc", service(access))
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("access", "cidr", "private", "text"),
    [
        (through(network="none"), "10.8.0.0/26", True, "VPC network none does not exist"),
        (through(subnetwork="none"), "10.8.0.0/26", True, "VPC subnetwork none does not exist in europe-west4"),
        (through(), "10.8.0.0/27", True, "has a range of /27; Direct VPC egress needs /26 or larger"),
        (through(), "10.8.0.0/26", False, "Private Google Access is off there"),
    ],
)  # fmt: skip
def test_a_network_that_cannot_serve_leaves_a_service_that_is_not_ready(
    google: Plugin, access: Json, cidr: str, text: str, *, private: bool
) -> None:
    subnetwork(google, cidr=cidr, private=private)
    google.create(BUCKET, "models", {"name": "acme-models", "location": "europe-west4"})
    volume = {"name": "models", "gcs": {"bucket": "acme-models"}}
    with pytest.raises(InitFailed) as caught:
        google.create(SERVICE, "svc", service(access, volumes=[volume]))
    assert text in caught.value.reasons[0]


@pytest.mark.parametrize(
    "named",
    [
        {"subnetwork": "inference"},
        {"network": "platform", "subnetwork": "projects/acme/regions/europe-west4/subnetworks/inference"},
        {"network": "projects/acme/global/networks/platform"},
    ],
)  # fmt: skip
def test_a_network_that_is_there_is_used_by_whichever_of_its_names(
    google: Plugin, named: dict[str, str]
) -> None:
    subnetwork(google)
    assert google.create(SERVICE, "svc", service(through(**named))).id.endswith("/chat")


def test_a_subnetwork_that_a_service_sends_through_cannot_be_deleted(google: Plugin) -> None:
    held = subnetwork(google)
    made = google.create(SERVICE, "svc", service(through()))
    with pytest.raises(CloudError) as caught:
        google.delete(held)
    assert "is already being used by 'projects/acme/regions/europe-west4/addresses/serverless-ipv4-chat'" in str(caught.value)  # fmt: skip
    google.delete(made)
    google.delete(held)


def test_a_gpu_that_is_added_is_counted_with_the_revisions_that_had_none(google: Plugin) -> None:
    plain = service(
        {}, containers=[{"name": "app", "image": "python", "ports": {"containerPort": 8080}}]
    )
    plain["template"].pop("vpcAccess")
    made = google.create(SERVICE, "svc", plain)
    limits = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}
    container = {
        **plain["template"]["containers"][0],
        "resources": {"limits": limits, "cpuIdle": False},
    }
    template = {
        "containers": [container], "nodeSelector": {"accelerator": "nvidia-l4"},
        "gpuZonalRedundancyDisabled": True,
    }  # fmt: skip
    with pytest.raises(CloudError) as caught:
        google.update(made, {**plain, "scaling": {"maxInstanceCount": 1}, "template": template})
    assert f"Quota violated: {QUOTA} requested: 4 allowed: 3" in str(caught.value)
