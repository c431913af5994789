"""What a plan costs a month: its meters, the work its spec declares, and its target's rates."""

from dataclasses import dataclass, replace

from portway.models import Model
from portway.pricing.assume import sentences, work_of
from portway.pricing.charges import charges
from portway.pricing.estimate import Estimate, estimate
from portway.pricing.work import Work
from portway.spec import InferenceServiceSpec
from portway.target import Plan, Target

NO_TRAFFIC = (
    "traffic is missing from the spec: what to expect is unknown; floor and ceiling are not"
)


@dataclass(frozen=True)
class PlanEstimate:
    """The estimate of one plan.

    Attributes:
        has_traffic: False where the spec declares none: only floor and ceiling mean something then.
    """

    plan: Plan
    estimate: Estimate
    has_traffic: bool

    def as_document(self, stack: str) -> dict[str, object]:
        """As programs read it; what is expected is null without traffic."""
        document = self.estimate.as_document()
        if self.estimate.monthly is not None and not self.has_traffic:
            known = self.estimate.monthly.as_document()
            document["monthly"] = {**known, "expected": None, "expected_low": None}
        head = {"stack": stack, "target": self.plan.target, "region": self.plan.region}
        return {**head, **document}


def estimate_plan(
    target: Target, plan: Plan, spec: InferenceServiceSpec, model: Model
) -> PlanEstimate:
    """The estimate of ``plan``, made by ``target`` for ``spec`` and ``model``.

    Raises:
        Unbounded: something in it has no maximum.
    """
    meters = target.meters(plan)
    work = work_of(spec.traffic, model, meters)
    said = sentences(meters, work)
    found = estimate(charges(meters, work), target.rates(), said)
    if work.request_seconds > spec.timeout_seconds:
        found = replace(found, assumptions=(*found.assumptions, _cut_off(work, spec)))
    if spec.traffic is None:
        found = replace(found, assumptions=(NO_TRAFFIC, *found.assumptions))
    return PlanEstimate(plan, found, spec.traffic is not None)


def _cut_off(work: Work, spec: InferenceServiceSpec) -> str:
    return (
        f"requests of {work.request_seconds:.1f} s are longer than timeout_seconds "
        f"({spec.timeout_seconds}): they are cut off, and counted whole here"
    )
