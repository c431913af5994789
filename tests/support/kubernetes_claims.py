"""What holds of every plan for Kubernetes, by the mistake that it makes impossible."""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network
from typing import Any, cast

from portway.sandbox.controlplane.admission import pod_security
from portway.sandbox.controlplane.schema import check_built_in, check_custom, shipped_crds

Json = dict[str, Any]


def pods(objects: Json) -> Iterator[Json]:
    for obj in objects.values():
        spec = obj.get("spec", {})
        group = spec.get("leaderWorkerTemplate", {})
        for template in (spec.get("template"), group.get("leaderTemplate"), group.get("workerTemplate")):  # fmt: skip
            if template:
                yield template["spec"]


def engines(objects: Json) -> Iterator[tuple[Json, Json]]:
    """Every pod with the model server in it, and that container."""
    for pod in pods(objects):
        yield from ((pod, one) for one in pod["containers"] if one["name"] == "vllm")


def _blocks(tree: object) -> Iterator[Json]:
    """Every mapping in ``tree``."""
    if isinstance(tree, dict):
        yield cast("Json", tree)
    children = cast("Json", tree).values() if isinstance(tree, dict) else tree
    if isinstance(tree, dict | list):
        for child in cast("list[object]", children):
            yield from _blocks(child)


def _argument(engine: Json, name: str) -> str:
    args = cast("list[str]", engine["args"])
    return args[args.index(name) + 1]


def _is_restricted(objects: Json) -> bool:
    return all(pod_security(objects["namespace"], pod) is None for pod in pods(objects))


def _classes_are_ours(objects: Json) -> bool:
    """A class is made with the service, or named by whoever has it."""
    made = {obj["metadata"]["name"] for obj in objects.values() if obj["kind"] == "PriorityClass"}
    named = {pod["priorityClassName"] for pod in pods(objects) if "priorityClassName" in pod}
    return not made or named == made


def _claims_are_exact(objects: Json) -> bool:
    requests = [
        request
        for obj in objects.values()
        if obj["kind"] == "ResourceClaimTemplate"
        for request in obj["spec"]["spec"]["devices"]["requests"]
    ]
    return all(set(one) == {"name", "exactly"} for one in requests)


def _replicas_have_one_owner(objects: Json) -> bool:
    scaled = {"HorizontalPodAutoscaler", "ScaledObject"} & {o["kind"] for o in objects.values()}
    workload = objects.get("deployment") or objects["group"]
    return not scaled or "replicas" not in workload["spec"]


def _shared_memory(objects: Json) -> bool:
    for pod, engine in engines(objects):
        (shm,) = [one["emptyDir"] for one in pod["volumes"] if one["name"] == "shm"]
        several = "--tensor-parallel-size" in engine["args"]
        if shm["medium"] != "Memory" or shm["sizeLimit"] != ("8Gi" if several else "1Gi"):
            return False
    return True


def _loads_in_time(objects: Json) -> bool:
    for _, engine in engines(objects):
        probe = engine.get("startupProbe")
        deadline = objects.get("deployment", {}).get("spec", {}).get("progressDeadlineSeconds")
        if probe and deadline and probe["periodSeconds"] * probe["failureThreshold"] >= deadline:
            return False
    return True


def _is_decoded(objects: Json) -> bool:
    for obj in objects.values():
        crd = shipped_crds().get(f"{obj['apiVersion']}/{obj['kind']}")
        if crd is None:
            check_built_in(obj, "1.36")
        else:
            check_custom(obj, crd["schema"])
    return True


def _surges_or_gives_way(objects: Json) -> bool:
    """Never both: a surge is for a service that may not lose a pod, and only where it was asked for."""
    deployment = objects.get("deployment")
    if deployment is not None:
        rolling = deployment["spec"]["strategy"]["rollingUpdate"]
    else:
        rolling = objects["group"]["spec"]["rolloutStrategy"]["rollingUpdateConfiguration"]
    return bool((rolling["maxSurge"] == 0) == (rolling["maxUnavailable"] == 1))


def _can_be_drained(objects: Json) -> bool:
    budget = objects["disruption"]["spec"]
    return budget["maxUnavailable"] == 1 and budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def _asks_for_its_own_metrics(objects: Json) -> bool:
    scaler = objects.get("scaler", {"spec": {"triggers": []}})
    queries = [
        one["metadata"]["query"]
        for one in scaler["spec"]["triggers"]
        if one["type"] == "prometheus"
    ]
    namespace = objects["namespace"]["metadata"]["name"]
    return all(f'namespace="{namespace}",model_name=' in query for query in queries)


def _images_are_pinned(objects: Json) -> bool:
    return all(
        "@sha256:" in one["image"] and one["imagePullPolicy"] == "IfNotPresent"
        for pod in pods(objects)
        for one in pod["containers"]
    )


def _no_secret(objects: Json) -> bool:
    secrets = [obj for obj in objects.values() if obj["kind"] == "Secret"]
    return bool(secrets) and not any({"data", "stringData"} & set(obj) for obj in secrets)


def _fails_open(objects: Json) -> bool:
    pool = objects.get("pool")
    return pool is None or pool["spec"]["endpointPickerRef"]["failureMode"] == "FailOpen"


def _may_be_written(objects: Json) -> bool:
    for _, engine in engines(objects):
        mounts = [one["mountPath"] for one in engine["volumeMounts"] if not one.get("readOnly")]
        folders = [one["value"] for one in engine["env"] if one["name"].endswith(("_HOME", "_DIR", "_ROOT"))]  # fmt: skip
        if not all(any(folder.startswith(mount) for mount in mounts) for folder in folders):
            return False
    return True


def _finishes_what_it_answers(objects: Json) -> bool:
    for pod, engine in engines(objects):
        longest = int(_argument(engine, "--shutdown-timeout"))
        sleeps = [one["lifecycle"]["preStop"]["sleep"]["seconds"] for one in pod["containers"] if "lifecycle" in one]  # fmt: skip
        if pod["terminationGracePeriodSeconds"] < max(sleeps, default=0) + longest + 5:
            return False
    return True


BUILT: Mapping[str, Callable[[Json], bool]] = {
    "pod security": _is_restricted,
    "priority class that is not there": _classes_are_ours,
    "claim with two ways": _claims_are_exact,
    "two owners of replicas": _replicas_have_one_owner,
    "shared memory": _shared_memory,
    "killed while it loads": _loads_in_time,
    "surge without a gpu": _surges_or_gives_way,
    "drain that never ends": _can_be_drained,
    "metrics of others": _asks_for_its_own_metrics,
    "image that moves": _images_are_pinned,
    "secret in an object": _no_secret,
    "picker that takes all down": _fails_open,
    "cache that cannot be written": _may_be_written,
    "cut off on a spot node": _finishes_what_it_answers,
    "service called vllm": lambda o: all(pod["enableServiceLinks"] is False for pod in pods(o)),
    "variable that is a number": lambda o: all(
        isinstance(each["value"], str)
        for pod in pods(o)
        for one in pod["containers"]
        for each in one.get("env", [])
    ),
    "weight of a route": lambda o: all(
        backend["weight"] == 1
        for rule in o.get("http-route", {}).get("spec", {}).get("rules", [])
        for backend in rule["backendRefs"]
    ),
    "ports of a pool": lambda o: "pool" not in o or len(o["pool"]["spec"]["targetPorts"]) == 1,
    "bits beyond a prefix": lambda o: all(
        str(ip_network(str(block["cidr"]))) == block["cidr"]
        for block in _blocks(o)
        if "cidr" in block
    ),
    "field that nobody knows": _is_decoded,
}
"""By mistake, what holds of every plan; it is asked of all that the golden files keep."""
