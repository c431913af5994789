"""Reading a service's signals and meter, whatever keeps them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from portway.errors import Missing
from portway.status import amazon, amazon_logs, google, prometheus
from portway.status.access import Access
from portway.status.deployed import Embedded, Kept, LogBased, Logged, Metered
from portway.status.figures import Figures, Used

_METERS: dict[str, Callable[[Metered, str, Access], dict[str, int]]] = {
    "dynamodb": amazon.read_meter,
    "firestore": google.read_meter,
}


@dataclass(frozen=True)
class Read:
    """What was read. ``source`` names the store."""

    source: str
    figures: Figures


def read_signals(kept: Kept, since_seconds: int, access: Access) -> Read:
    """The signals of the last ``since_seconds``.

    Raises:
        Missing: the store cannot be read.
    """
    if isinstance(kept, LogBased):
        return Read(google.NAME, google.read_signals(kept, since_seconds, access))
    if isinstance(kept, Embedded):
        return Read(amazon.NAME, amazon.read_signals(kept, since_seconds, access))
    if isinstance(kept, Logged):
        return Read(amazon_logs.NAME, amazon_logs.read_signals(kept, since_seconds, access))
    return Read(prometheus.NAME, prometheus.read_signals(kept, since_seconds, access))


def read_meter(metered: Metered, access: Access, now: datetime | None = None) -> Used:
    """What a service's meter counted in the month that runs.

    Raises:
        Missing: its store cannot be read from here.
    """
    month = f"{now or datetime.now(UTC):%Y-%m}"
    read = _METERS.get(metered.store.get("kind", ""))
    if read is None:
        raise Missing("its meter is inside the cluster and answers nobody outside")
    try:
        counted = read(metered, month, access)
    except KeyError as error:
        raise Missing(f"the meter's variable names no {error}") from None
    return Used(month, counted, metered.limits)
