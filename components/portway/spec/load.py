"""Files to a spec and a stack; everything wrong with them at once, each with file and line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from portway.errors import BadInput, Problem, Refused
from portway.models import find
from portway.registry import maker_of
from portway.spec.complaints import complaints, line_of, without_echoes
from portway.spec.document import Document, kind_of, read_document
from portway.spec.door_file import (
    DOOR,
    DoorSetting,
    door_placement,
    is_door,
    read_door,
    weight_place,
)
from portway.spec.ends import ends_of, misnamed, outside
from portway.spec.meaning import read_spec, steps
from portway.spec.project import stack_file
from portway.spec.service import InferenceServiceSpec
from portway.spec.stack_file import (
    DOOR_KEY,
    SPEC_KEY,
    check_target,
    name_parts,
    place,
    read_config,
    read_placement,
)
from portway.target import Placement, Plan


@dataclass(frozen=True)
class LoadedSpec:
    """A spec and the document it was written in."""

    spec: InferenceServiceSpec
    document: Document


@dataclass(frozen=True)
class Stack:
    """One service at one place, read and found valid.

    Attributes:
        name: ``<service>.<environment>.<target>``.
        spec_document: what the spec was read from, with its lines; ``stack_document`` likewise.
    """

    name: str
    spec: InferenceServiceSpec
    placement: Placement
    spec_document: Document
    stack_document: Document

    @property
    def spec_file(self) -> str:
        """The spec's file, as shown to people."""
        return self.spec_document.file

    @property
    def stack_file(self) -> str:
        """The stack's file, as shown to people."""
        return self.stack_document.file

    def where(self, path: str) -> str:
        """``file:line`` of a path such as ``scaling.max``, ``placement.region`` or ``gcp:project``."""
        if ":" in path or path.partition(".")[0] in {"placement", DOOR}:
            return place(path, self.stack_document)
        return self.spec_document.where(steps(path))


@dataclass(frozen=True)
class Judgement:
    """What is to be said of a stack: valid with a plan, or every problem found."""

    name: str
    stack: Stack | None
    plan: Plan | None
    problems: tuple[Problem, ...]


def load_spec(path: Path) -> LoadedSpec:
    """Read and validate one spec file.

    Raises:
        BadInput: every problem of the file, each with its line.
    """
    document = read_document(path)
    spec, problems = read_spec(document)
    if spec is None or problems:
        raise BadInput(problems)
    return LoadedSpec(spec, document)


def load_stack(project: Path, stack_name: str) -> Stack:
    """Read and validate a stack's file and the spec it names, without asking its target.

    Raises:
        BadInput: every problem of both files.
    """
    stack, problems = _read(stack_name, *_documents(project, stack_name))
    if stack is None or problems:
        raise BadInput(problems)
    return stack


def plan_stack(stack: Stack) -> Plan:
    """What the stack's target intends to create.

    Raises:
        Refused: the target cannot honour it; every reason has the file and line it speaks of.
        BadInput: the target does not exist, or its options are of the wrong kind.
    """
    placement = stack.placement
    maker = maker_of(placement)
    section = "placement" if placement.door is None else DOOR
    try:
        return maker.plan(stack.spec, find(stack.spec.model), placement)
    except Refused as refusal:
        raise Refused(refusal.target, _located(refusal.problems, stack)) from None
    except BadInput as error:
        raise BadInput(_located(error.problems, stack)) from None
    except ValidationError as error:
        found = complaints(error, maker.options, (section, "options"))
        raise Refused(placement.target, _located(found, stack)) from None


def judge(
    stack_name: str, stack_document: Document, open_spec: Callable[[str], Document]
) -> Judgement:
    """Everything that can be said of a stack without a cloud; never raises for bad input.

    Args:
        stack_name: ``<service>.<environment>.<target>``.
        stack_document: the stack's file, or what an engine says is in it.
        open_spec: turns the text of ``portway:spec`` into the spec's document, or raises BadInput.
    """
    stack, problems = _read(stack_name, stack_document, open_spec)
    if stack is None or problems:
        return Judgement(stack_name, None, None, tuple(problems))
    try:
        return Judgement(stack_name, stack, plan_stack(stack), ())
    except BadInput as error:
        return Judgement(stack_name, stack, None, error.problems)


def judge_stack(project: Path, stack_name: str) -> Judgement:
    """``judge`` for a stack of ``project``."""
    try:
        stack_document, open_spec = _documents(project, stack_name)
    except BadInput as error:
        return Judgement(stack_name, None, None, error.problems)
    return judge(stack_name, stack_document, open_spec)


def _documents(project: Path, stack_name: str) -> tuple[Document, Callable[[str], Document]]:
    file = stack_file(project, stack_name)
    return read_document(file), lambda text: read_document(file.parent / text)


def _read(
    name: str, document: Document, open_spec: Callable[[str], Document]
) -> tuple[Stack | None, list[Problem]]:
    problems = list(document.problems)
    config, found = read_config(document)
    problems += found
    service, environment, target = name_parts(name, document, problems)
    door: tuple[DoorSetting | None, dict[str, int]] | None = None
    placement = None
    if is_door(name, config):
        door = read_door(config, document, problems)
        problems += _misnamed_door(target, document)
    else:
        placement = read_placement(config, document, environment, problems)
        problems += check_target(placement, target, document)
    spec_document = _spec_document(config, document, open_spec, problems)
    if spec_document is None:
        return None, _in_order(problems)
    spec, found = read_spec(spec_document)
    if spec is not None and service and spec.name != service:
        message = f"names a spec of the service {spec.name!r}, but the stack is one of {service!r}; rename one of them"
        problems.append(Problem(SPEC_KEY, message, document.where(("config", SPEC_KEY))))
    if door is not None and spec is not None and service:
        setting, weights = door
        judged = _judged_ends(weights, spec.name, environment, document, open_spec, problems)
        ends = ends_of(weights, judged, spec, document, problems)
        if setting is not None:
            problems += outside(spec, setting.region, document)
            if not problems:
                placement = door_placement(setting, ends, environment, config)
    if problems or found or spec is None or placement is None:
        return None, [*_in_order(problems), *found]
    return Stack(name, spec, placement, spec_document, document), []


def _misnamed_door(last: str, document: Document) -> list[Problem]:
    if last in {"", DOOR}:
        return []
    message = (
        f"is a door, but the stack's name ends in {last!r}; name it <service>.<environment>.{DOOR}"
    )
    return [Problem(DOOR, message, document.where(("config", DOOR_KEY)))]


def _judged_ends(
    weights: Mapping[str, int],
    service: str,
    environment: str,
    document: Document,
    open_spec: Callable[[str], Document],
    problems: list[Problem],
) -> dict[str, Judgement]:
    """The stacks behind a door, as far as their files are there: they lie beside the door's own."""
    judged: dict[str, Judgement] = {}
    for name in weights:
        where = weight_place(name, document)
        why = misnamed(name, service, environment)
        if why is not None:
            problems.append(Problem(f"{DOOR}.weights.{name}", why, where))
            continue
        try:
            judged[name] = judge(name, open_spec(f"Pulumi.{name}.yaml"), open_spec)
        except BadInput:
            message = f"is no stack: there is no Pulumi.{name}.yaml beside this file"
            problems.append(Problem(f"{DOOR}.weights.{name}", message, where))
    return judged


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(without_echoes(problems), key=line_of)


def _located(problems: tuple[Problem, ...], stack: Stack) -> tuple[Problem, ...]:
    return tuple(problem.at(stack.where(problem.path)) for problem in problems)


def _spec_document(
    config: Mapping[str, Any],
    document: Document,
    open_spec: Callable[[str], Document],
    problems: list[Problem],
) -> Document | None:
    text = config.get(SPEC_KEY)
    where = document.where(("config", SPEC_KEY))
    if not isinstance(text, str) or not text:
        given = "is missing" if SPEC_KEY not in config else f"is {kind_of(text)}"
        problems.append(
            Problem(SPEC_KEY, f"{given}; name the spec's file, such as specs/chat.yaml", where)
        )
        return None
    try:
        return open_spec(text)
    except BadInput as error:
        problems += [
            Problem(SPEC_KEY, f"{problem.where} {problem.message}", where)
            if problem.where and ":" not in problem.where
            else problem
            for problem in error.problems
        ]
        return None
