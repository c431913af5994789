"""The targets there are: one line each, imported one at a time and only when asked for."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from portway.errors import BadInput, Problem
from portway.target import DoorKind, Placement, Target

_TARGETS = {
    "cloud-run": "portway.targets.cloud_run",
    "lambda-bedrock": "portway.targets.lambda_bedrock",
    "kubernetes": "portway.targets.kubernetes",
}


def registered() -> tuple[str, ...]:
    """The names of all targets, in the order people meet them."""
    return tuple(_TARGETS)


def load_target(name: str) -> Target:
    """The target called ``name``.

    Raises:
        BadInput: there is no such target; the message lists those that exist.
    """
    if name not in _TARGETS:
        raise BadInput(
            [
                Problem(
                    "placement.target",
                    f"{name!r} is not a target; choose one of {', '.join(_TARGETS)}",
                )
            ]
        )
    target: Target = import_module(_TARGETS[name]).TARGET
    return target


@cache
def door_kinds() -> Mapping[str, str]:
    """The target that makes each kind of front door, in the order of the targets."""
    return {kind: name for name in _TARGETS for kind in load_target(name).doors}


def maker_of(placement: Placement) -> Target | DoorKind:
    """What plans and creates a placement: its target, or the kind of front door that it names.

    Raises:
        BadInput: there is no such target.
    """
    target = load_target(placement.target)
    if placement.door is None:
        return target
    module, _, name = target.doors[placement.door.kind].partition(":")
    kind: DoorKind = getattr(import_module(module), name)
    return kind
