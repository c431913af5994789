"""The networks that Cloud Run sends through: how they are named, whether they are there, and who holds them."""

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from portway.sandbox.providers.behaviour import Behaviour, Deployed, nested, object_at, objects_at
from portway.sandbox.providers.cloud import CloudError, Code, Request
from portway.sandbox.providers.wire import Json
from portway.sandbox.store import Key, Row

if TYPE_CHECKING:
    from portway.sandbox.providers.stored import StoredCloud

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
_SERVICE = "gcp:cloudrunv2/service:Service"
_INTERFACES = "template.vpcAccess.networkInterfaces"
_JOB = "gcp:cloudrunv2/job:Job"
_WIDEST_PREFIX = 26


def shape(inputs: Json) -> Iterator[str]:
    """What is wrong with how a service asks for a network, in the API's words."""
    access = object_at(inputs, "template.vpcAccess")
    if not access:
        return
    given = objects_at(inputs, _INTERFACES)
    if bool(access.get("connector")) == bool(given):
        yield "template.vpc_access: one and only one of connector and network_interfaces must be set."
    if len(given) > 1:
        yield "template.vpc_access.network_interfaces: only 1 network interface is allowed."
    for index, one in enumerate(given):
        if not one.get("network") and not one.get("subnetwork"):
            yield f"template.vpc_access.network_interfaces[{index}]: at least one of network or subnetwork should not be empty."


def flaw(cloud: "StoredCloud", deployed: Deployed) -> str | None:
    """Why instances could not send through the network that the service names."""
    for one in objects_at(deployed.inputs, _INTERFACES):
        project, region = deployed.key.scope, str(deployed.inputs.get("location"))
        network, subnetwork = one.get("network"), one.get("subnetwork")
        if network and _row(cloud, NETWORK, project, "global/networks", str(network)) is None:
            return f"VPC_NETWORK_NOT_FOUND: VPC network {network} does not exist, or Cloud Run may not use it."
        if not subnetwork:
            continue
        found = _row(cloud, SUBNETWORK, project, f"regions/{region}/subnetworks", str(subnetwork))
        if found is None:
            return f"VPC_NETWORK_NOT_FOUND: VPC subnetwork {subnetwork} does not exist in {region}, or Cloud Run may not use it."
        return _range_flaw(found) or _access_flaw(deployed.inputs, found)
    return None


def release(cloud: "StoredCloud", row: Row, request: Request) -> None:
    """A subnetwork that a service or a job sends through stays: their addresses are in it.

    Raises:
        CloudError: FAILED_PRECONDITION.
    """
    del request
    senders = [(one, _INTERFACES) for one in cloud.rows(_SERVICE, row.key.scope)]
    senders += [(one, f"template.{_INTERFACES}") for one in cloud.rows(_JOB, row.key.scope)]
    for service, path in senders:
        for one in objects_at(service.inputs, path):
            region = str(service.inputs.get("location"))
            held = _id(row.key.scope, f"regions/{region}/subnetworks", str(one.get("subnetwork")))
            if held == row.key.id:
                project = row.key.scope
                text = (
                    f"Error reading Subnetwork: googleapi: Error 400: The subnetwork resource '{row.key.id}' is already being "
                    f"used by 'projects/{project}/regions/{region}/addresses/serverless-ipv4-{service.key.id.rsplit('/', 1)[-1]}', resourceInUseByAnotherResource"
                )
                raise CloudError(Code.FAILED_PRECONDITION, text)


def _range_flaw(subnetwork: Row) -> str | None:
    try:
        prefix = ipaddress.ip_network(str(subnetwork.inputs.get("ipCidrRange"))).prefixlen
    except ValueError:
        return None
    if prefix > _WIDEST_PREFIX:
        return f"The subnetwork {subnetwork.key.id} has a range of /{prefix}; Direct VPC egress needs /{_WIDEST_PREFIX} or larger."
    return None


def _access_flaw(inputs: Json, subnetwork: Row) -> str | None:
    everything = nested(inputs, "template.vpcAccess.egress") == "ALL_TRAFFIC"
    mounted = any(object_at(volume, "gcs") for volume in objects_at(inputs, "template.volumes"))
    if everything and mounted and subnetwork.inputs.get("privateIpGoogleAccess") is not True:
        return (
            "Container failed to start: mounting volume failed: storage.googleapis.com cannot be reached through "
            f"{subnetwork.key.id}: Private Google Access is off there."
        )
    return None


def _row(cloud: "StoredCloud", token: str, project: str, where: str, name: str) -> Row | None:
    id_ = _id(project, where, name)
    return cloud.store.get(Key("gcp", id_.split("/")[1], token, id_))


def _id(project: str, where: str, name: str) -> str:
    bare = re.sub(r"^https://[^/]+/compute/[^/]+/", "", name)
    return bare if bare.startswith("projects/") else f"projects/{project}/{where}/{bare}"


BEHAVIOURS = {SUBNETWORK: Behaviour(release=release)}
