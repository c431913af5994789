"""The four signals of a service: requests, errors by class, time to first token, and tokens.

They are named as OpenTelemetry's conventions for generative AI name them, and read off the same
record as the request's log line, so that no store can disagree with the log.
"""

import time
from typing import Protocol

from .config import Config
from .jsons import JsonObject
from .log import Record, is_quiet_probe, write

DURATION = "gen_ai.server.request.duration"
FIRST_TOKEN = "gen_ai.server.time_to_first_token"  # noqa: S105 - a metric's name
TOKENS = "gen_ai.client.token.usage"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
ERROR = "error.type"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - an attribute's name


class CannotListen(Exception):
    """The port for scrapes cannot be bound."""


class Signals(Protocol):
    """What becomes of a request that is over. `address` is where it is scraped, if anywhere."""

    @property
    def address(self) -> str | None:
        """`host:port`."""
        ...

    def finish(self, record: Record) -> None:
        """Log it and count it, once."""
        ...

    def close(self) -> None:
        """Let go of what was opened."""
        ...


class LogLines:
    """One log line for each request, and nothing else."""

    address = None

    def finish(self, record: Record) -> None:
        """Write its line, except for a health probe that went well."""
        if not is_quiet_probe(record):
            write(record.line())

    def close(self) -> None:
        """There is nothing to let go of."""


class EmbeddedMetrics(LogLines):
    """Log lines that are metrics too: CloudWatch's embedded metric format, one line per request.

    The dimensions are the operation, the provider and the model; the duration of a failed request is
    also kept under those and its class.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def finish(self, record: Record) -> None:
        """Write its line, with what CloudWatch takes from it where it was a chat request."""
        if is_quiet_probe(record):
            return
        line = record.line()
        if line["operation"] is not None:
            line |= self.embedded(line)
        write(line)

    def embedded(self, line: JsonObject) -> JsonObject:
        """What makes the request's log line a metric too."""
        whose = {OPERATION: line["operation"], PROVIDER: line["provider"], MODEL: line["model"]}
        values = {
            DURATION: (line["duration_seconds"], "Seconds"),
            FIRST_TOKEN: (line["time_to_first_token_seconds"], "Seconds"),
            f"{TOKENS}.input": (line["prompt_tokens"], "Count"),
            f"{TOKENS}.output": (line["completion_tokens"], "Count"),
        }
        known = {name: pair for name, pair in values.items() if pair[0] is not None}
        directives = [
            self._directive(list(whose), {name: unit for name, (_, unit) in known.items()})
        ]
        if line["error"] is not None:
            whose[ERROR] = line["error"]
            directives.append(self._directive(list(whose), {DURATION: "Seconds"}))
        metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directives}
        return {"_aws": metadata, **whose, **{name: value for name, (value, _) in known.items()}}

    def _directive(self, dimensions: list[str], units: dict[str, str]) -> JsonObject:
        return {
            "Namespace": self._namespace,
            "Dimensions": [dimensions],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
        }


def open_signals(config: Config) -> Signals:
    """What the configuration asks for.

    Raises:
        CannotListen: the port for scrapes cannot be bound.
    """
    if config.metrics_namespace is not None:
        return EmbeddedMetrics(config.metrics_namespace)
    if config.metrics_port is not None:
        from .scrapes import Scraped  # noqa: PLC0415 - only where somebody scrapes

        try:
            return Scraped(config)
        except OSError as error:
            raise CannotListen(
                f"cannot listen on {config.bind}:{config.metrics_port} for scrapes: {error.strerror}"
            ) from None
    return LogLines()
