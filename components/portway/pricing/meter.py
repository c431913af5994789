"""What a vendor meters, in no vendor's words: the shapes between resources and charges.

Two readers make meters: a target reads its own plan, a gate reads any program's resources. Both give
the same meters for the same service, so there is one arithmetic behind ``price`` and the cost pack.
"""

from dataclasses import dataclass
from decimal import Decimal

from portway.pricing.rate import Rate


@dataclass(frozen=True)
class Part:
    """One thing that is billed by time: ``units`` of it for every second that is billed.

    Attributes:
        item: as a bill calls it: ``gpu``, ``cpu``, ``memory``.
        sku: of the rate of one unit for ``per_seconds`` seconds.
        free_units: units a month that the vendor gives to an account.
        per_seconds: how long a unit of the rate is: 1, or 3600 where hours are billed.
        declared: what the user says a unit costs, used in place of the table's rate.
    """

    item: str
    sku: str
    units: Decimal
    free_units: Decimal = Decimal(0)
    per_seconds: int = 1
    declared: Rate | None = None


@dataclass(frozen=True)
class Held:
    """Instances that are billed while they exist, whether they serve or wait.

    Attributes:
        least: instances kept; they are billed all month.
        most: instances at most; None where nobody has set a maximum, which has no ceiling.
        hold_seconds: how long the vendor may keep an instance after its last request.
        start_seconds: from the start of an instance to its first answer; billed.
        copies: how many such pools there are (one for each region of a multi-region service).
        served_by: what answers in it, as the throughput table calls it; empty where it is no model.
        shape: the machine of one instance, for a reader.
        beside: instances that may run beside ``most`` for a while and serve nothing more, as those of
            a rollout; in the ceiling alone.
    """

    resource: str
    region: str
    parts: tuple[Part, ...]
    least: int
    most: int | None
    concurrency: int
    hold_seconds: int
    start_seconds: int
    copies: int = 1
    served_by: str = ""
    shape: str = ""
    beside: int = 0


@dataclass(frozen=True)
class PerRequest:
    """Code that is billed while it works on a request, waiting for others included.

    Attributes:
        parts: by the second of a request.
        request_sku: of one request.
        kept_parts: by the second of an environment that is kept warm, all month.
        kept: environments kept warm; requests go to them first.
        warm_parts: by the second of a request in one of them.
        most: requests in flight at most; None where nobody has set a maximum.
        timeout_seconds: the longest that one request may take.
        free_requests: requests a month that the vendor gives to an account.
        transfer_sku: of streamed bytes, where they are billed; units of one GB.
        start_seconds: the longest that a new environment may take to start; None where it is not known.
        shape: one environment, for a reader.
    """

    resource: str
    region: str
    parts: tuple[Part, ...]
    request_sku: str
    kept_parts: tuple[Part, ...]
    kept: int
    most: int | None
    timeout_seconds: int
    free_requests: int = 0
    transfer_sku: str = ""
    warm_parts: tuple[Part, ...] = ()
    start_seconds: int | None = None
    shape: str = ""


@dataclass(frozen=True)
class Tokens:
    """A model that is billed by the token.

    Attributes:
        input_sku: of one million tokens read; ``output_sku``: written.
        most: requests in flight at most; None where nobody has set a maximum.
        context_tokens: the most that one request may read.
        max_output_tokens: the most that one request may write.
        monthly_budget_usd: an amount that is enforced before the model is asked; None without one.
        monthly_requests: requests a month that reach the model, where that is enforced likewise.
        monthly_tokens: tokens read and written a month, likewise.
        served_by: what answers, as the throughput table calls it.
    """

    resource: str
    region: str
    input_sku: str
    output_sku: str
    most: int | None
    context_tokens: int
    max_output_tokens: int
    monthly_budget_usd: Decimal | None = None
    served_by: str = ""
    monthly_requests: int | None = None
    monthly_tokens: int | None = None


@dataclass(frozen=True)
class Fixed:
    """Something that costs the same each month, whatever the traffic: ``quantity`` units of it.

    Attributes:
        assumed: a sentence on the quantity, where nobody declared it.
        free_units: units a month that the vendor gives to an account.
    """

    resource: str
    item: str
    sku: str
    region: str
    quantity: Decimal
    assumed: str = ""
    free_units: Decimal = Decimal(0)


@dataclass(frozen=True)
class PerUse:
    """Something that is billed by each request that passes: bytes written to a log, for example.

    Attributes:
        units_per_request: how many units one request makes.
        most: requests in flight at most; None where nobody has set a maximum.
        units_per_output_token: how many units each token written adds.
        assumed: a sentence on the units, where nobody declared them.
        units_per_input_token: how many units each token read adds.
    """

    resource: str
    item: str
    sku: str
    region: str
    units_per_request: Decimal
    most: int | None
    units_per_output_token: Decimal = Decimal(0)
    assumed: str = ""
    units_per_input_token: Decimal = Decimal(0)


@dataclass(frozen=True)
class NoCharge:
    """Something that no vendor bills, and the reason."""

    resource: str
    item: str
    because: str


Meter = Held | PerRequest | Tokens | Fixed | PerUse | NoCharge
