"""Kubernetes objects as rules look for things in them: every block of one, and every pod it makes.

A pod's spec is found by its shape, wherever it stands: in the workloads of every API group there has
been, in their ``Patch`` and ``List`` variants, and in custom resources that nobody has listed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple, cast

from portway.gate.resource import Resource
from portway.gate.values import UNKNOWN, Known, Unknown, View

Tree = Mapping[str, object]

_SCALARS: Final = (str, int, float, bytes)
_UNREADABLE: Final = "[secret]"
"""What `pulumi policy analyze --file` writes for a secret."""

_POD_KEYS: Final = frozenset({"containers", "model", "initContainers", "container", "script"})
"""One of these in a block says that it makes containers: a pod's spec, a KServe predictor, a step of
an Argo workflow."""

_POD_PARENTS: Final = frozenset({"predictor", "transformer", "explainer", "worker", "spec"})
_CONTAINER_LISTS: Final = ("containers", "initContainers", "ephemeralContainers", "sidecars")
_CONTAINERS: Final = ("container", "script", "model")
_JOBS: Final = frozenset({"Job", "CronJob", "ScaledJob", "Workflow", "CronWorkflow"})
_HIDES_PODS: Final = frozenset(
    {
        "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "Job", "CronJob", "Pod",
        "PodTemplate", "ReplicationController", "Rollout", "InferenceService",
        "LLMInferenceService", "LeaderWorkerSet", "RayCluster", "RayService", "RayJob", "ScaledJob",
    }
)  # fmt: skip
_SCHEMA: Final = "CustomResourceDefinition"
"""Says what objects may look like, at great length, and is none."""

_ON_THE_WAY: Final = ("spec", "template", "jobTemplate", "predictor")


class Block(NamedTuple):
    """A mapping somewhere in an object, and the path to it."""

    path: str
    value: Tree

    def at(self, name: str) -> str:
        """The path of the entry ``name``."""
        return joined(self.path, name)


@dataclass(frozen=True)
class Manifest:
    """One Kubernetes object: a resource, or one item of a resource that is a list of them.

    Attributes:
        kind: without ``Patch`` or ``List``.
        group: the API group, ``core`` for the oldest; without a version.
        sources: the resources that its metadata, and so its namespace, comes from.
    """

    kind: str
    group: str
    root: Block
    sources: tuple[str, ...] = ()

    @property
    def view(self) -> View:
        """Its properties; paths start at ``root.path``."""
        return View(self.root.value)

    def every(self, path: str) -> Iterator[Known | Unknown]:
        """All values that are set at ``path`` of the object, each with its whole path."""
        for seen in self.view.every(path):
            whole = f"{self.root.path}.{seen.path}" if self.root.path else seen.path
            yield Known(whole, seen.value) if isinstance(seen, Known) else Unknown(whole)

    @property
    def namespace(self) -> object:
        """The namespace it says; ``default`` where it says none, UNKNOWN where nobody can know."""
        said = plain(mapping(self.root.value.get("metadata")).get("namespace"))
        return "default" if said is None else said

    @property
    def name(self) -> object:
        """The name it says; None where the engine makes one."""
        return plain(mapping(self.root.value.get("metadata")).get("name"))


@dataclass(frozen=True)
class Pod:
    """A pod that an object makes: its spec, and the labels that policies select it by."""

    manifest: Manifest
    spec: Block
    labels: object

    @property
    def is_job(self) -> bool:
        """Whether it runs to its end and serves nobody."""
        return self.manifest.kind in _JOBS

    def containers(self) -> Iterator[Block]:
        """Every container, also those that start before the others or stand beside them."""
        for name in _CONTAINER_LISTS:
            yield from blocks_in(self.spec.value.get(name), self.spec.at(name))
        for name in _CONTAINERS:
            inner = self.spec.value.get(name)
            if isinstance(inner, Mapping):
                yield Block(self.spec.at(name), cast("Tree", inner))


@dataclass(frozen=True)
class Anatomy:
    """Everything in one resource: its objects, every block of them, and the pods they make."""

    manifests: tuple[Manifest, ...]
    blocks: tuple[Block, ...]
    pods: tuple[Pod, ...]
    hidden: tuple[str, ...]
    """Paths below which pods are, and can be seen by nobody yet."""


class _Last:
    """The resource taken apart last: the rules of a pack ask for the same one in turn."""

    resource: Resource | None = None
    found: Anatomy = Anatomy((), (), (), ())


def is_object(resource: Resource) -> bool:
    """Whether ``resource`` is an object of a cluster."""
    return resource.type.startswith("kubernetes:")


def anatomy(resource: Resource) -> Anatomy:
    """``resource`` taken apart. Nothing in it, when it is no object of a cluster."""
    last = _Last.resource, _Last.found
    if last[0] is resource:
        return last[1]
    found = _anatomy(resource) if is_object(resource) else Anatomy((), (), (), ())
    _Last.resource, _Last.found = None, found
    _Last.resource = resource
    return found


def joined(path: str, name: str) -> str:
    """``path`` and the entry ``name`` below it, as a Pulumi property path."""
    if "." in name or "[" in name or "]" in name:
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def plain(value: object) -> object:
    """``value``; UNKNOWN for a secret that cannot be read here, and whole numbers as such."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if isinstance(value, str) and value == _UNREADABLE else value


def mapping(value: object) -> Tree:
    """``value`` if it is a mapping; an empty one for anything else."""
    return cast("Tree", value) if isinstance(value, Mapping) else {}


def listed(value: object) -> list[object]:
    """``value`` if it is a list, itself alone if it is one thing, nothing if it is not set."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in cast("Sequence[object]", value)]
    alone = plain(value)
    return [] if alone is None else [alone]


def blocks_in(value: object, path: str) -> Iterator[Block]:
    """The mappings in a list at ``path``."""
    for index, item in enumerate(listed(value)):
        if isinstance(item, Mapping):
            yield Block(f"{path}[{index}]", cast("Tree", item))


def unknown_items(value: object, path: str) -> Iterator[str]:
    """Where in the list at ``path`` a whole item is known only after deployment."""
    for index, item in enumerate(() if plain(value) is UNKNOWN else listed(value)):
        if item is UNKNOWN:
            yield f"{path}[{index}]"


def child(block: Block, name: str) -> Block:
    """The mapping ``name`` of ``block``; an empty one when there is none."""
    return Block(block.at(name), mapping(block.value.get(name)))


def _anatomy(resource: Resource) -> Anatomy:
    manifests = tuple(_manifests(resource))
    blocks: list[Block] = []
    pods: list[Pod] = []
    hidden: list[str] = list(_hidden_items(resource))
    for manifest in manifests:
        if manifest.kind == _SCHEMA:
            continue
        found = _blocks(manifest.root)
        blocks += found
        own = list(_pods(manifest, found))
        pods += own
        if not own and manifest.kind in _HIDES_PODS:
            hidden += _hidden(manifest.root)
    return Anatomy(manifests, tuple(blocks), tuple(pods), tuple(hidden))


def _manifests(resource: Resource) -> Iterator[Manifest]:
    kind, group = kind_of(resource.type)
    tree = mapping(resource.properties.tree)
    items = tree.get("items")
    if kind.endswith("List") and items is not None:
        for block in blocks_in(items, "items"):
            said = str(plain(block.value.get("apiVersion")) or "")
            inner = str(plain(block.value.get("kind")) or kind.removesuffix("List"))
            yield Manifest(inner, said.rpartition("/")[0] or group, block)
        return
    sources = (resource.depends_on or {}).get("metadata", ())
    yield Manifest(kind, group, Block("", tree), tuple(sources))


@cache
def kind_of(token: str) -> tuple[str, str]:
    """Kind and API group of a type: ``Deployment`` and ``apps`` for every version and ``Patch``."""
    _, _, rest = token.partition(":")
    module, _, kind = rest.rpartition(":")
    return kind.removesuffix("Patch") or kind, module.partition("/")[0]


def _blocks(root: Block) -> list[Block]:
    """``root`` and every mapping below it, in the order they are written."""
    found: list[Block] = []
    _collect(root.value, root.path, found)
    return found


def _collect(tree: Tree, path: str, found: list[Block]) -> None:
    found.append(Block(path, tree))
    for name, value in tree.items():
        if value is None or isinstance(value, _SCALARS):
            continue
        if isinstance(value, dict | Mapping):
            _collect(cast("Tree", value), joined(path, name), found)
        elif isinstance(value, list | Sequence):
            _collect_items(cast("Sequence[object]", value), joined(path, name), found)


def _collect_items(values: Sequence[object], path: str, found: list[Block]) -> None:
    for index, item in enumerate(values):
        if item is None or isinstance(item, _SCALARS):
            continue
        if isinstance(item, dict | Mapping):
            _collect(cast("Tree", item), f"{path}[{index}]", found)
        elif isinstance(item, list | Sequence):
            _collect_items(cast("Sequence[object]", item), f"{path}[{index}]", found)


def _pods(manifest: Manifest, blocks: Sequence[Block]) -> Iterator[Pod]:
    made = [
        block for block in blocks if not _POD_KEYS.isdisjoint(block.value) and _makes_a_pod(block)
    ]
    by_path = {block.path: block for block in blocks} if made else {}
    for block in made:
        holder = by_path.get(block.path.rpartition(".")[0], manifest.root)
        yield Pod(manifest, block, _labels(manifest, holder))


def _makes_a_pod(block: Block) -> bool:
    last = block.path.rpartition(".")[2].partition("[")[0]
    if "containers" in block.value or "initContainers" in block.value:
        return last in _POD_PARENTS or "template" in block.path.lower()
    if "model" in block.value:
        return last == "predictor"
    return last == "templates" and ("container" in block.value or "script" in block.value)


def _labels(manifest: Manifest, holder: Block) -> object:
    """What the template says its pods are labelled with, and what KServe adds to that."""
    about = plain(holder.value.get("metadata"))
    labels = UNKNOWN if about is UNKNOWN else plain(mapping(about).get("labels"))
    if manifest.kind in ("InferenceService", "LLMInferenceService"):
        own = mapping(mapping(manifest.root.value.get("metadata")).get("labels"))
        marks = {"serving.kserve.io/inferenceservice": manifest.name}
        return {**own, **mapping(labels), **marks}
    return {} if labels is None else labels


def _hidden_items(resource: Resource) -> Iterator[str]:
    """The items of a list that nobody can read yet."""
    items = mapping(resource.properties.tree).get("items")
    if resource.type.endswith("List") and items is not None:
        yield from ("items" for item in listed(items) if item is UNKNOWN)


def _hidden(root: Block) -> Iterator[str]:
    """The path at which knowledge of the pods ends, if it ends above them."""
    block = root
    while True:
        name = next((one for one in _ON_THE_WAY if one in block.value), None)
        if name is None:
            return
        inner = plain(block.value[name])
        if inner is UNKNOWN:
            yield block.at(name)
            return
        if not isinstance(inner, Mapping):
            return
        block = Block(block.at(name), cast("Tree", inner))
