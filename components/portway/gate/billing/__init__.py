"""What any program's resources are billed for: meters, rates and estimates, from resources alone.

Three functions are all that rules need: ``billed`` (how one resource is metered, or why nobody can
tell), ``amount`` (a text for a message) and ``stack_estimate`` (floor and ceiling of everything).
"""

from portway.gate.billing.billed import Billed, billed
from portway.gate.billing.cannot import Fault
from portway.gate.billing.priced import CostLine, Priced
from portway.gate.billing.stack import (
    ServiceEstimate,
    StackEstimate,
    Totals,
    amount,
    largest,
    stack_estimate,
)

__all__ = [
    "Billed",
    "CostLine",
    "Fault",
    "Priced",
    "ServiceEstimate",
    "StackEstimate",
    "Totals",
    "amount",
    "billed",
    "largest",
    "stack_estimate",
]
