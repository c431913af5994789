"""What the entry program reads: the selected stack's spec and placement, as the engine gives them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import config as engine_config

from portway.engine.mirror import catch_up
from portway.errors import BadInput, Problem
from portway.spec import InferenceServiceSpec
from portway.spec.document import Document, read_document, shown
from portway.spec.load import judge
from portway.spec.project import find_project, stacks_folder
from portway.spec.stack_file import DOOR_KEY, PLACEMENT_KEY
from portway.target import Placement


class StackRefused(BadInput, pulumi.RunError):
    """The selected stack cannot be deployed as written.

    A ``RunError``, so that every Python language host prints its sentences without a traceback.
    """


def read_stack() -> tuple[InferenceServiceSpec, Placement]:
    """The spec and the placement of the selected stack, validated and accepted by its target.

    Values are the engine's (a program may be given other configuration than the file holds); lines
    are those of the stack's file where it has one.

    Raises:
        StackRefused: every problem of the spec, the placement and the target's plan.
    """
    name = pulumi.get_stack()
    try:
        project = find_project()
        _refuse_yesterdays(project, name)
        folder = stacks_folder(project)
        document = _document(name, folder, _configuration())
        judgement = judge(name, document, lambda text: read_document(folder / text))
    except BadInput as error:
        raise StackRefused(error.problems) from None
    if judgement.stack is None or judgement.problems:
        raise StackRefused(judgement.problems)
    return judgement.stack.spec, judgement.stack.placement


def _refuse_yesterdays(project: Path, name: str) -> None:
    """In the sandbox the engine reads a copy of the stack's file, and has read it already."""
    changed = catch_up(project, name)
    if changed:
        message = "changed after `portway sandbox env` took it over; it is taken over now, run the same command again"
        raise BadInput([Problem("", message, str(changed))])


def _configuration() -> dict[str, Any]:
    """The stack's configuration; what is secret stays so, as in the stack's file."""
    hidden = engine_config.get_config_secret_keys_env()
    given: Mapping[str, str] = engine_config.CONFIG.get() or engine_config.get_config_env()
    return {
        key: {"secure": ""}
        if key in hidden or engine_config.is_config_secret(key)
        else _value(key, text)
        for key, text in given.items()
    }


def _document(name: str, folder: Path, config: Mapping[str, Any]) -> Document:
    """The engine's values with the lines of the stack's file, as far as that can be read."""
    file = folder / f"Pulumi.{name}.yaml"
    data = {"config": config}
    try:
        written = read_document(file)
    except BadInput:
        return Document(f"stack {name}", data, {})
    return Document(shown(file), data, written.lines)


def _value(key: str, text: str) -> Any:  # noqa: ANN401 - a setting may hold anything
    """Objects arrive as JSON text; everything else is text and stays so."""
    if key not in {PLACEMENT_KEY, DOOR_KEY}:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


__all__ = ["StackRefused", "read_stack"]
