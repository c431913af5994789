"""The component a stack writes: finds the target, hands it its plan, exposes its outputs."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import pulumi

from portway.models import find
from portway.registry import maker_of
from portway.spec import InferenceServiceSpec
from portway.target import Deployed, DoorPlacement, Placement, Plan

TYPE = "portway:index:InferenceService"


class InferenceService(pulumi.ComponentResource):
    """An OpenAI-compatible inference service at one placement, or the front door of one.

    Its inputs record what the spec declares (boundary, budget, traffic, model identity), so that a
    gate can judge the stack by them.
    """

    endpoint: pulumi.Output[str]
    api_key: pulumi.Output[str] | None

    def __init__(
        self,
        name: str,
        spec: InferenceServiceSpec,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Plan ``spec`` at ``placement`` and create it.

        Raises:
            BadInput: the model or the target does not exist.
            Refused: the target cannot honour the spec; lists every reason.
        """
        maker = maker_of(placement)
        plan = maker.plan(spec, find(spec.model), placement)
        super().__init__(TYPE, name, _declared(plan, spec, placement.door), opts)
        self.deployed = _component(maker.component)(name, plan, pulumi.ResourceOptions(parent=self))
        self.plan = plan
        self.endpoint = self.deployed.endpoint
        self.api_key = self.deployed.api_key
        self.register_outputs(dict(self.outputs))

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[str]]:
        """The stack outputs: the same names on every target; ``apiKey`` absent with ``auth: iam``."""
        key = {} if self.api_key is None else {"apiKey": pulumi.Output.secret(self.api_key)}
        return {
            "endpoint": self.endpoint,
            **key,
            "target": self.plan.target,
            "region": self.deployed.region,
            "model": self.plan.model,
            "modelIdentity": self.plan.model_identity,
            "service": self.plan.service,
        }


def _declared(
    plan: Plan, spec: InferenceServiceSpec, door: DoorPlacement | None
) -> dict[str, pulumi.Input[Any]]:
    budget, traffic = plan.monthly_budget_usd, spec.traffic
    ends = [{"stack": end.stack, "region": end.region} for end in door.ends] if door else None
    return {
        "service": plan.service,
        "environment": plan.environment,
        "target": plan.target,
        "region": plan.region,
        "model": plan.model,
        "modelIdentity": plan.model_identity,
        "boundary": None if plan.boundary is None else list(plan.boundary),
        "monthlyBudgetUsd": None if budget is None else str(budget),
        "traffic": None if traffic is None else traffic.model_dump(mode="json"),
        **({} if ends is None else {"ends": ends}),
    }


def _component(path: str) -> type[Any]:
    module, _, name = path.partition(":")
    return cast("type[Any]", getattr(import_module(module), name))


__all__ = ["Deployed", "InferenceService"]
