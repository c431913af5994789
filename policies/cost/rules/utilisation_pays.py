"""A GPU that is kept on all month is needed for enough of it to be worth that."""

from collections.abc import Iterator

from portway.gate.billing import ServiceEstimate, stack_estimate
from portway.gate.billing.utilisation import Idle, kept_idle
from portway.gate.context import CostContext
from portway.gate.resource import Stack
from portway.gate.rule import Rule, Severity, Violation
from portway.gate.values import Known, Missing
from portway.pricing.money import money_shown

_PATH = "traffic"


def judge_stack(stack: Stack, context: CostContext) -> Iterator[Violation]:
    """Refuse GPUs that are always on and hardly needed by the traffic that the spec declares."""
    for service in stack_estimate(stack, context.declared_usd).services:
        if service.traffic is not None:
            for idle in kept_idle(service, context.min_utilisation):
                yield _refused(service, idle)
            continue
        said = service.resource.properties.get(_PATH)
        if not isinstance(said, Missing):
            why = "is no traffic" if isinstance(said, Known) else "is known only after deployment"
            message = f"the use of the GPUs of {service.name} cannot be judged: {_PATH} {why}"
            yield Violation(message, service.resource.urn, _PATH, undetermined=True)


def _refused(service: ServiceEstimate, idle: Idle) -> Violation:
    many = f"{idle.instances} instances" if idle.instances > 1 else "one instance"
    message = (
        f"{service.name} keeps {many} of {idle.resource} with a GPU all month for "
        f"{money_shown(idle.monthly)}, and its traffic needs them {idle.needed:.0%} of it, below the "
        f"{idle.enough:.0%} from which that pays ({idle.because}); set scaling.min to 0, place it on "
        "a target that is billed by use, or lower min_utilisation"
    )
    return Violation(message, service.resource.urn, _PATH)


RULE = Rule(
    id="cost-utilisation-pays",
    severity=Severity.MEDIUM,
    description="A GPU that is kept on all month is needed for enough of it.",
    remediation="Set scaling.min to 0, or use a target that is billed by use.",
    judge_stack=judge_stack,
)
