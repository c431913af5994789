"""How many requests a pod serves at once, as its own containers say."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from portway.gate.resource import Resource
from portway.gate.workloads import anatomy

_SEQUENCES: Final = re.compile(r"--max-num-seqs[= ]?(\d{1,5})")
_IS_DOOR: Final = "PORTWAY_ROUTES_FILE"
_CONCURRENCY: Final = "PORTWAY_CONCURRENCY"


def is_door(resource: Resource) -> bool:
    """Whether its pods are a front door, which answers with what others say."""
    return any(_IS_DOOR in dict(_variables(view.get("env"))) for view in _containers(resource))


def at_once(resource: Resource) -> int:
    """Requests one pod of ``resource`` answers at once: of vLLM, or of a front door; 0 where none says."""
    for view in _containers(resource):
        args = view.get("args")
        text = " ".join(map(str, cast("list[object]", args))) if isinstance(args, list) else ""
        if found := _SEQUENCES.search(text):
            return int(found[1])
    for view in _containers(resource):
        variables = dict(_variables(view.get("env")))
        if _IS_DOOR in variables and variables.get(_CONCURRENCY, "").isdigit():
            return int(variables[_CONCURRENCY])
    return 0


def _containers(resource: Resource) -> list[Mapping[str, object]]:
    return [container.value for pod in anatomy(resource).pods for container in pod.containers()]


def _variables(env: object) -> Iterator[tuple[str, str]]:
    for each in cast("list[object]", env) if isinstance(env, list) else ():
        if isinstance(each, Mapping):
            pair = cast("Mapping[str, object]", each)
            yield str(pair.get("name")), str(pair.get("value"))
