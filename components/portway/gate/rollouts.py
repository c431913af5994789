"""What a rollout runs beside what serves: a Deployment's surge."""

import math
import re
from typing import Final

from portway.gate.counts import Count, Uncounted, number
from portway.gate.resource import Resource
from portway.gate.values import Known, Missing

_SURGES: Final = (
    "spec.strategy.rollingUpdate.maxSurge",
    "spec.rolloutStrategy.rollingUpdateConfiguration.maxSurge",
)
_SHARE: Final = re.compile(r"(\d{1,3})%")


def surge(resource: Resource, most: int) -> Count | Uncounted:
    """Replicas that ``resource`` says a rollout may run beside its ``most``; 0 where it says nothing."""
    for path in _SURGES:
        seen = resource.properties.get(path)
        if isinstance(seen, Missing):
            continue
        share = _SHARE.fullmatch(str(seen.value)) if isinstance(seen, Known) else None
        if share is not None:
            return Count(math.ceil(most * int(share[1]) / 100), path)
        return number(seen)
    return Count(0)
