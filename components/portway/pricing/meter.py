"""What a vendor meters, in no vendor's words: the shapes between resources and charges.

Two readers make meters: a target reads its own plan, a gate reads any program's resources. Both give
the same meters for the same service, so there is one arithmetic behind ``price`` and the cost pack.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Part:
    """One thing that is billed by time: ``units`` of it for every second that is billed.

    Attributes:
        item: as a bill calls it: ``gpu``, ``cpu``, ``memory``.
        sku: of the rate of one unit for one second.
        free_units: unit-seconds a month that the vendor gives to an account.
    """

    item: str
    sku: str
    units: Decimal
    free_units: Decimal = Decimal(0)


@dataclass(frozen=True)
class Held:
    """Instances that are billed while they exist, whether they serve or wait.

    Attributes:
        least: instances kept; they are billed all month.
        most: instances at most; None where nobody has set a maximum, which has no ceiling.
        hold_seconds: how long the vendor may keep an instance after its last request.
        start_seconds: from the start of an instance to its first answer; billed.
        copies: how many such pools there are (one for each region of a multi-region service).
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


@dataclass(frozen=True)
class PerRequest:
    """Code that is billed while it works on a request, waiting for others included.

    Attributes:
        parts: by the second of a request.
        request_sku: of one request.
        kept_parts: by the second of an environment that is kept warm, all month.
        kept: environments kept warm.
        most: requests in flight at most; None where nobody has set a maximum.
        timeout_seconds: the longest that one request may take.
        free_requests: requests a month that the vendor gives to an account.
        transfer_sku: of streamed bytes, where they are billed; units of one GB.
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


@dataclass(frozen=True)
class Tokens:
    """A model that is billed by the token.

    Attributes:
        input_sku: of one million tokens read; ``output_sku``: written.
        most: requests in flight at most; None where nobody has set a maximum.
        context_tokens: the most that one request may read.
        max_output_tokens: the most that one request may write.
        monthly_budget_usd: an amount that is enforced before the model is asked; None without one.
    """

    resource: str
    region: str
    input_sku: str
    output_sku: str
    most: int | None
    context_tokens: int
    max_output_tokens: int
    monthly_budget_usd: Decimal | None = None


@dataclass(frozen=True)
class Fixed:
    """Something that costs the same each month, whatever the traffic: ``quantity`` units of it."""

    resource: str
    item: str
    sku: str
    region: str
    quantity: Decimal


@dataclass(frozen=True)
class PerUse:
    """Something that is billed by each request that passes: bytes written to a log, for example.

    Attributes:
        units_per_request: how many units one request makes.
        units_per_output_token: how many units each token written adds.
    """

    resource: str
    item: str
    sku: str
    region: str
    units_per_request: Decimal
    units_per_output_token: Decimal = Decimal(0)


@dataclass(frozen=True)
class NoCharge:
    """Something that no vendor bills, and the reason."""

    resource: str
    item: str
    because: str


Meter = Held | PerRequest | Tokens | Fixed | PerUse | NoCharge
