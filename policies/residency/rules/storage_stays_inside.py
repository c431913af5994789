"""No volume of a cluster is, or is copied, outside the boundary.

Read are storage classes, volumes, snapshot classes, and what pods mount: disks and shares by the
places in their handles, servers by their names, buckets by where configuration or the stack says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from portway.gate.context import ResidencyContext
from portway.gate.nodes import (
    PLACE_LABELS,
    Astray,
    alternatives_faults,
    place_fault,
    regions_in,
    terms_at,
)
from portway.gate.readings import Look, Reads, places_in, read
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import UNKNOWN, Known, Unknown
from portway.gate.workloads import (
    Block,
    Manifest,
    anatomy,
    blocks_in,
    child,
    is_object,
    listed,
    mapping,
    plain,
)
from portway.residency.boundary import Boundary

_PLACES: Final = re.compile(
    r"(?i)(?:^|[/._-])(?:regions?|zones?|locations?|availability-?zone(?:name)?|storage-locations)$"
)
_BUCKETS: Final = frozenset({"bucket", "bucketname"})
_BUCKET_DRIVERS: Final = ("gcsfuse", "s3", "csi-rclone", "blob.csi")
_SERVERS: Final = frozenset({"server", "dnsname", "endpoint", "endpoint-url", "endpointurl", "url", "portal", "targetportal", "monitors"})  # fmt: skip
_COPIED: Final = re.compile(r"(?i)[a-z]+_(?:ra)?gz?rs")
"""Azure's redundancies that keep a second copy in the paired region."""

_COPIES: Final = re.compile(r"sku|storageaccounttype|redundancy|replication|locations")
_HANDLES: Final = frozenset({"volumehandle", "volumeid", "pdname", "diskuri"})
"""What names one disk. Where it is unknown, only a disk of this stack explains it."""

_KEYS: Final = frozenset({"csi", "nfs", "iscsi", "cephfs", "rbd", "glusterfs", "gcePersistentDisk", "awsElasticBlockStore", "azureDisk", "azureFile", "flexVolume", "cinder"})  # fmt: skip


@dataclass(frozen=True)
class _Setting:
    """One value of a volume or a class: its name as its driver calls it, and how to read it."""

    path: str
    name: str
    value: object


def judge(
    resource: Resource, context: ResidencyContext, stack: Stack | None
) -> Iterator[Violation]:
    """Refuse volumes outside, copies outside, and what nobody can place."""
    boundary = context.boundary
    if boundary is None or not is_object(resource):
        return
    look = Look(resource, boundary, context, stack)
    found = anatomy(resource)
    for manifest in found.manifests:
        for fault in _of_manifest(manifest, boundary):
            yield _refused(resource, fault)
    for block in found.blocks:
        if not _KEYS.isdisjoint(block.value):
            for name in sorted(_KEYS.intersection(block.value)):
                yield from _of_volume(child(block, name), look)
    for manifest in found.manifests:
        if manifest.kind in ("StorageClass", "VolumeSnapshotClass", "VolumeAttributesClass"):
            yield from _of_parameters(child(manifest.root, "parameters"), look)


def _of_manifest(manifest: Manifest, boundary: Boundary) -> Iterator[Astray]:
    root = manifest.root
    if manifest.kind == "StorageClass":
        yield from alternatives_faults(terms_at(root, "allowedTopologies"), boundary)
    for name in _SAID_BY.get(manifest.kind, ()):
        if plain(root.value.get(name)) is UNKNOWN:
            yield Astray(root.at(name), _LATER, undetermined=True)
    if manifest.kind == "PersistentVolume":
        yield from _of_persistent(child(root, "spec"), boundary)
        labels = child(child(root, "metadata"), "labels")
        for name in PLACE_LABELS & labels.value.keys():
            fault = place_fault(labels.value[name], labels.at(name), boundary)
            if fault is not None:
                yield fault
    for options in (root, child(root, "spec")):
        for index, option in enumerate(listed(options.value.get("mountOptions"))):
            yield from _of_option(option, f"{options.at('mountOptions')}[{index}]", boundary)


def _of_persistent(spec: Block, boundary: Boundary) -> Iterator[Astray]:
    affinity = plain(spec.value.get("nodeAffinity"))
    if affinity is UNKNOWN or plain(mapping(affinity).get("required")) is UNKNOWN:
        yield Astray(spec.at("nodeAffinity"), _LATER, undetermined=True)
    terms = terms_at(child(child(spec, "nodeAffinity"), "required"), "nodeSelectorTerms")
    yield from alternatives_faults(terms, boundary)


def _of_option(option: object, path: str, boundary: Boundary) -> Iterator[Astray]:
    """A mount option: ``region us-east-1``, ``--region=us-east-1`` and the like."""
    if plain(option) is UNKNOWN:
        yield Astray(path, _LATER, undetermined=True)
    elif isinstance(option, str):
        for place in regions_in(option):
            fault = place_fault(place, path, boundary)
            if fault is not None:
                yield fault


def _of_volume(volume: Block, look: Look) -> Iterator[Violation]:
    """A volume that a pod mounts, or that stands for a disk, a share or a bucket."""
    if not volume.value:
        return
    driver = plain(volume.value.get("driver"))
    if driver is UNKNOWN:
        given = Astray(volume.at("driver"), _LATER, undetermined=True)
        yield _refused(look.resource, given)
    has_bucket = isinstance(driver, str) and any(one in driver for one in _BUCKET_DRIVERS)
    for setting in _settings(volume):
        if setting.name == "volumehandle" and has_bucket:
            # The handle of a bucket's volume is the bucket, unless an attribute names it.
            attributes = mapping(volume.value.get("volumeAttributes"))
            if not any(name.lower() in _BUCKETS for name in attributes):
                yield from _read(setting, look, "mounts the bucket")
        else:
            yield from _of_setting(setting, look)


def _of_parameters(parameters: Block, look: Look) -> Iterator[Violation]:
    for setting in _settings(parameters):
        if isinstance(setting.value, str) and _COPIED.fullmatch(setting.value.strip()):
            copied = Astray(setting.path, "keeps a second copy of every volume in another region")
            yield _refused(look.resource, copied)
        else:
            yield from _of_setting(setting, look)


def _of_setting(setting: _Setting, look: Look) -> Iterator[Violation]:
    if setting.name in _BUCKETS:
        yield from _read(setting, look, "mounts the bucket")
    elif setting.name in _SERVERS:
        yield from _read(setting, look, "keeps volumes on", "host")
    elif _PLACES.search(setting.name):
        yield from _of_places(setting, look)
    elif isinstance(setting.value, str):
        for place in dict.fromkeys((*places_in(setting.value), *regions_in(setting.value))):
            yield from _of_place(place, setting, look)
    elif setting.value is UNKNOWN and setting.name in _HANDLES:
        yield from _read(setting, look, "stands for")
    elif setting.value is UNKNOWN and _COPIES.search(setting.name):
        yield _refused(look.resource, Astray(setting.path, _LATER, undetermined=True))


def _of_places(setting: _Setting, look: Look) -> Iterator[Violation]:
    if not isinstance(setting.value, str):
        fault = Astray(setting.path, _LATER, undetermined=True)
        yield _refused(look.resource, fault)
        return
    for place in filter(None, re.split(r"[,;\s]+|__", setting.value)):
        yield from _of_place(place, setting, look)


def _of_place(place: str, setting: _Setting, look: Look) -> Iterator[Violation]:
    fault = place_fault(place, setting.path, look.boundary)
    if fault is not None:
        yield _refused(look.resource, fault)


def _read(setting: _Setting, look: Look, does: str, reads: Reads = "bucket") -> Iterator[Violation]:
    is_unknown = setting.value is UNKNOWN
    seen = Unknown(setting.path) if is_unknown else Known(setting.path, setting.value)
    for problem in read(reads, seen, look):
        text = (
            f"{look.resource} {does} {problem.given} ({problem.path}): {problem.why}; {problem.do}"
        )
        yield Violation(text, look.resource.urn, problem.path, problem.undetermined)


def _settings(block: Block) -> Iterator[_Setting]:
    """Every scalar of a volume or of a class's parameters, with its name in lower case."""
    for name, given in block.value.items():
        value = plain(given)
        if isinstance(value, Mapping):
            yield from _settings(Block(block.at(name), mapping(given)))
        elif isinstance(value, list | tuple):
            for index, item in enumerate(listed(given)):
                yield _Setting(f"{block.at(name)}[{index}]", name.lower(), plain(item))
            for inner in blocks_in(given, block.at(name)):
                yield from _settings(inner)
        elif value is not None:
            yield _Setting(block.at(name), name.lower(), value)


def _refused(resource: Resource, fault: Astray) -> Violation:
    given = fault.given.replace("names nodes", "names a place for volumes")
    return Violation(
        f"{resource} {given} ({fault.path}); {_WAY_OUT}",
        resource.urn,
        fault.path,
        fault.undetermined,
    )


_SAID_BY = {
    "StorageClass": ("parameters", "mountOptions"),
    "VolumeSnapshotClass": ("parameters",),
    "VolumeAttributesClass": ("parameters",),
    "PersistentVolume": ("spec",),
}
"""By kind, where its places are said: unknown as a whole, they are unknown every one."""

_LATER = "names nodes that are known only after deployment"
_WAY_OUT = "name zones, regions and servers inside it, as literals"

RULE = Rule(
    id="residency-storage-stays-inside",
    severity=Severity.CRITICAL,
    description="Volumes of a cluster, and their snapshots, are kept inside the boundary.",
    remediation="Let storage classes, volumes and snapshot classes name places inside the boundary.",
    controls=(
        "GDPR Art. 44",
        "GDPR Art. 46",
        "ISO/IEC 27001:2022 A.8.13",
        "ISO/IEC 27001:2022 A.5.23",
        "NIST SP 800-53 r5 SA-9(5)",
        "NIST SP 800-53 r5 CP-9",
    ),
    judge=judge,
)
