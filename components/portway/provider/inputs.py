"""What a program in any language asks for, judged as a stack's files are: a plan, or every problem."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from portway.errors import BadInput, Problem
from portway.provider.schema import PLACEMENT
from portway.provider.words import camel, camel_text, fields_of, to_snake
from portway.registry import load_target, registered
from portway.spec import InferenceServiceSpec
from portway.spec.document import Document
from portway.spec.load import judge
from portway.spec.service import NAME_PATTERN
from portway.spec.stack_file import PLACEMENT_KEY, SPEC_KEY
from portway.target import Placement, Plan

_NAME: Final = re.compile(NAME_PATTERN)
_KNOWN: Final = frozenset({"spec", "target", "options", *PLACEMENT})
_NOWHERE: Final = "inputs"
_A_STAND_IN: Final = "service"


@dataclass(frozen=True)
class Asked:
    """A service that can be made.

    Attributes:
        plan: what its target intends to create.
    """

    spec: InferenceServiceSpec
    placement: Placement
    plan: Plan


def read_inputs(
    name: str,
    inputs: Mapping[str, Any],
    *,
    stack: str,
    config: Mapping[str, str],
    target: str | None = None,
) -> Asked:
    """The service that ``inputs`` describe.

    Args:
        name: of the resource; of the service too, unless its spec has one.
        inputs: literals, in the names of the schema.
        stack: the name of the stack.
        config: the stack's configuration by full key, without what is secret.
        target: where the component is for one target only.

    Raises:
        BadInput: every problem, each with the path of the input that it is about.
    """
    problems = list(_strange(inputs, target))
    chosen = target or str(inputs.get("target", ""))
    if chosen not in registered():
        problems.append(_no_target(chosen))
        raise BadInput(problems)
    spec = _spec(name, inputs, problems)
    environment = str(inputs.get("environment") or _environment(stack))
    if not _NAME.match(environment):
        message = f"is {environment!r}; write one, such as prod: it must match {NAME_PATTERN}"
        problems.append(Problem("environment", message))
    if problems:
        raise BadInput(problems)
    service = str(spec["name"]) if _NAME.match(str(spec["name"])) else _A_STAND_IN
    document = Document(_NOWHERE, {"config": _config(inputs, chosen, config)}, {})
    judged = judge(
        f"{service}.{environment}.{chosen}", document, lambda _: Document(_NOWHERE, spec, {})
    )
    if judged.stack is None or judged.plan is None or judged.problems:
        raise BadInput(list(_as_inputs(judged.problems, chosen)))
    return Asked(judged.stack.spec, judged.stack.placement, judged.plan)


def _strange(inputs: Mapping[str, Any], target: str | None) -> Iterator[Problem]:
    known = _KNOWN - ({"target"} if target else set())
    for key in inputs:
        if key not in known:
            yield Problem(key, f"is not an input; there are {', '.join(sorted(known))}")
    for key in ("spec", "options", "settings"):
        if key in inputs and not isinstance(inputs[key], Mapping):
            yield Problem(key, "must be an object")
    if "spec" not in inputs:
        yield Problem("spec", "is missing; write what the service must be, with model and scaling")


def _no_target(given: str) -> Problem:
    said = f"is {given!r}, which is no target" if given else "is missing"
    return Problem("target", f"{said}; choose one of {', '.join(registered())}")


def _spec(name: str, inputs: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    given = inputs.get("spec")
    if not isinstance(given, Mapping):
        return {"name": name}
    whole = InferenceServiceSpec.model_json_schema()
    spec = cast("dict[str, Any]", to_snake(cast("object", given), whole, whole.get("$defs", {})))
    if isinstance(spec.get("name", name), str):
        return {"name": name, **spec}
    problems.append(Problem("spec.name", "must be text"))
    return {**spec, "name": name}


def _config(
    inputs: Mapping[str, Any], target: str, config: Mapping[str, str]
) -> Mapping[str, object]:
    """A stack's configuration, as its file would hold it."""
    options = load_target(target).options.model_json_schema()
    placement: dict[str, object] = {"target": target}
    for key in ("region", "cluster", "keys"):
        if inputs.get(key) is not None:
            placement[key] = inputs[key]
    if inputs.get("options"):
        placement["options"] = to_snake(inputs["options"], options, options.get("$defs", {}))
    settings = cast("Mapping[str, str]", inputs.get("settings") or {})
    ours = {key: text for key, text in config.items() if not key.startswith("portway:")}
    return {SPEC_KEY: _NOWHERE, PLACEMENT_KEY: placement, **ours, **settings}


def _environment(stack: str) -> str:
    """The middle part of ``<service>.<environment>.<target>``; any other name as a whole."""
    parts = stack.split(".")
    return parts[1] if len(parts) == 3 else stack.replace("_", "-").lower()  # noqa: PLR2004 - as said


def _as_inputs(problems: Iterable[Problem], target: str) -> Iterator[Problem]:
    """``problems`` in the names of the schema; what only our own stand-in caused is left out."""
    fields = fields_of(InferenceServiceSpec, load_target(target).options)
    for one in problems:
        if one.path in (SPEC_KEY, ""):
            continue
        first, _, rest = one.path.partition(".")
        if ":" in first:
            path = f'settings["{one.path}"]'
        elif first == "placement" and rest.startswith("settings."):
            path = f'settings["{rest.removeprefix("settings.")}"]'
        elif first == "placement":
            path = _camel_path(rest)
        else:
            path = f"spec.{_camel_path(one.path)}"
        yield Problem(path, camel_text(one.message, fields))


def _camel_path(path: str) -> str:
    return ".".join(camel(part) for part in path.split("."))
