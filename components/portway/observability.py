"""The four signals of every service, named as OpenTelemetry's GenAI conventions name them.

Requests, errors by class, time to first token, and tokens: three instruments hold all four, because
the duration of requests counts them and carries the class of those that failed. The names, units and
bucket boundaries are those of the OpenTelemetry semantic conventions for generative AI metrics
(model server metrics and ``gen_ai.client.token.usage``).

Everything here is data for whoever draws a dashboard, creates a metric or reads one back.
"""

from dataclasses import dataclass
from typing import Final, Literal

VARIABLE: Final = "PORTWAY_METRICS"
"""The runtime's variable: ``prometheus:<port>``, ``emf:<namespace>``, or absent for log lines only."""

OPERATION: Final = "chat"
"""The value of ``gen_ai.operation.name``: the one operation that a service has."""

Aggregation = Literal["rate", "p50", "p95", "sum"]


@dataclass(frozen=True)
class Instrument:
    """One histogram of the conventions.

    Attributes:
        name: the metric's name.
        unit: UCUM; ``s`` or ``{token}``.
        boundaries: upper bounds of the histogram's buckets, in the unit, ascending, without infinity.
        attributes: what tells its series apart.
    """

    name: str
    unit: str
    description: str
    boundaries: tuple[float, ...]
    attributes: tuple[str, ...]


_WHOSE = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")

DURATION: Final = Instrument(
    "gen_ai.server.request.duration",
    "s",
    "Time from a request's first byte to the last byte of its answer; its count is the requests.",
    (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    (*_WHOSE, "error.type"),
)
FIRST_TOKEN: Final = Instrument(
    "gen_ai.server.time_to_first_token",
    "s",
    "Time from a request's first byte to the first piece of its streamed answer.",
    (
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ),
    _WHOSE,
)  # fmt: skip
TOKENS: Final = Instrument(
    "gen_ai.client.token.usage",
    "{token}",
    "Tokens that a request read (input) and its answer holds (output).",
    tuple(float(4**power) for power in range(14)),
    (*_WHOSE, "gen_ai.token.type"),
)
INSTRUMENTS: Final = (DURATION, FIRST_TOKEN, TOKENS)


@dataclass(frozen=True)
class Signal:
    """One thing that is watched, and the instrument that it is read from.

    Attributes:
        key: ``requests``, ``errors``, ``first_token`` or ``tokens``.
        by: the attribute by which it is told apart; None for one figure.
    """

    key: str
    instrument: Instrument
    by: str | None = None


REQUESTS: Final = Signal("requests", DURATION)
ERRORS: Final = Signal("errors", DURATION, by="error.type")
TIME_TO_FIRST_TOKEN: Final = Signal("first_token", FIRST_TOKEN)
TOKEN_USAGE: Final = Signal("tokens", TOKENS, by="gen_ai.token.type")
SIGNALS: Final = (REQUESTS, ERRORS, TIME_TO_FIRST_TOKEN, TOKEN_USAGE)


@dataclass(frozen=True)
class Panel:
    """One chart of a dashboard, whatever draws it.

    Attributes:
        aggregations: one line each: ``rate`` is the signal's count (tokens: its sum) per second;
            ``p50`` and ``p95`` are percentiles of the distribution.
        unit: what the axis shows: ``requests/s``, ``tokens/s`` or ``s``.
    """

    title: str
    signal: Signal
    aggregations: tuple[Aggregation, ...]
    unit: str


PANELS: Final = (
    Panel("Requests", REQUESTS, ("rate",), "requests/s"),
    Panel("Errors by class", ERRORS, ("rate",), "requests/s"),
    Panel("Time to first token", TIME_TO_FIRST_TOKEN, ("p50", "p95"), "s"),
    Panel("Tokens read and written", TOKEN_USAGE, ("rate",), "tokens/s"),
)


@dataclass(frozen=True)
class Reading:
    """One number of the runtime's request line, for stores that take one number of a line.

    Attributes:
        name: the metric's name there: the instrument's, and for tokens their type after it, because
            such a store cannot take two values of one name from one line.
        instrument: what it belongs to.
        field: the field of the line that holds the number; the line has null where there is none.
        attributes: by attribute of the conventions, the field of the line that holds its value.
        token_type: ``input`` or ``output`` where it counts tokens.
    """

    name: str
    instrument: Instrument
    field: str
    attributes: tuple[tuple[str, str], ...]
    token_type: str | None = None


OPERATION_FIELD: Final = "operation"
"""The field of the request line that holds ``chat`` on the lines that the signals are read from."""

_WHOSE_FIELDS = (
    ("gen_ai.operation.name", OPERATION_FIELD),
    ("gen_ai.provider.name", "provider"),
    ("gen_ai.request.model", "model"),
)

READINGS: Final = (
    Reading(DURATION.name, DURATION, "duration_seconds", (*_WHOSE_FIELDS, ("error.type", "error"))),
    Reading(FIRST_TOKEN.name, FIRST_TOKEN, "time_to_first_token_seconds", _WHOSE_FIELDS),
    Reading(f"{TOKENS.name}.input", TOKENS, "prompt_tokens", _WHOSE_FIELDS, "input"),
    Reading(f"{TOKENS.name}.output", TOKENS, "completion_tokens", _WHOSE_FIELDS, "output"),
)

EMF_DIMENSIONS: Final = _WHOSE
"""The dimension set of every CloudWatch metric."""

EMF_ERROR_DIMENSIONS: Final = (*_WHOSE, "error.type")
"""The further dimension set of the duration, only on requests that failed."""

_PROMETHEUS_UNITS = {"s": "_seconds", "{token}": ""}


def provider_name(upstream: str) -> str:
    """``gen_ai.provider.name`` of an upstream, as the runtime reports it."""
    return "aws.bedrock" if upstream.startswith("bedrock:") else "vllm"


def prometheus_name(instrument: Instrument) -> str:
    """The histogram's name in Prometheus, before ``_bucket``, ``_sum`` and ``_count``.

    Dots become underscores and the unit's word is added; a unit in braces is an annotation and adds
    none (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility").
    """
    return instrument.name.replace(".", "_") + _PROMETHEUS_UNITS[instrument.unit]


def label_name(attribute: str) -> str:
    """An attribute's name where a label has letters, digits and underscores only."""
    return attribute.replace(".", "_")


def log_metric_name(stack: str, reading: Reading) -> str:
    """The id of the log-based metric that reads one number of one stack's lines.

    Args:
        stack: what tells the stack's names apart, such as ``chat-prod``.
        reading: the number.
    """
    return f"portway/{stack}/{reading.name}"


def emf_namespace(stack: str) -> str:
    """The CloudWatch namespace of one stack's metrics."""
    return f"Portway/{stack}"


def emf_variable(stack: str) -> dict[str, str]:
    """The runtime's variable that makes it write the embedded metric format."""
    return {VARIABLE: f"emf:{emf_namespace(stack)}"}


def prometheus_variable(port: int) -> dict[str, str]:
    """The runtime's variable that makes it answer scrapes at ``/metrics`` on a port of its own."""
    return {VARIABLE: f"prometheus:{port}"}
