"""The environment that a target sets, read once into one frozen value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .bedrock_settings import CONVERSE, BedrockSettings, read_bedrock

if TYPE_CHECKING:
    from .meter_settings import MeterSettings

EXIT_BAD_CONFIG = 2
"""What the process ends with when its environment cannot be used."""

_LARGEST_PORT = 65535
# CloudWatch API reference, PutMetricData, Namespace.
_NAMESPACE = re.compile(r"[0-9A-Za-z.\-_/#][0-9A-Za-z.\-_/# ]{0,254}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}")


class BadConfig(Exception):
    """Environment variables that cannot be used, every fault at once."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(f"portway runtime: {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Config:
    """What one running instance serves, for whom, and within which limits.

    `upstream` is an `http://host:port` origin or `bedrock:<id>`; exactly one of `keys_file` and
    `keys_secret` is set with `auth` `api-key`, neither with `iam`.
    """

    service: str
    model: str
    model_owner: str
    model_created: int
    upstream: str
    upstream_model: str
    auth: str
    keys_file: str | None
    keys_secret: str | None
    context_tokens: int
    max_output_tokens: int
    max_body_bytes: int
    concurrency: int
    timeout_seconds: float
    bind: str = "0.0.0.0"  # noqa: S104 - the process is its container's only server
    port: int = 8080
    aws_region: str | None = None
    meter: "MeterSettings | None" = None
    metrics_port: int | None = None
    metrics_namespace: str | None = None
    bedrock: BedrockSettings = CONVERSE

    @property
    def provider(self) -> str:
        """The upstream as OpenTelemetry's `gen_ai.provider.name` has it."""
        return "vllm" if self.bedrock_model is None else "aws.bedrock"

    @property
    def bedrock_model(self) -> str | None:
        """The Bedrock model or inference profile id, None behind an HTTP upstream."""
        head, _, rest = self.upstream.partition(":")
        return rest if head == "bedrock" else None


class VariableReader:
    """Reads variables and collects faults."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.faults: list[str] = []

    def text(self, name: str, meaning: str) -> str:
        """The variable's value; without one a fault, and empty text."""
        value = self.env.get(name, "").strip()
        if not value:
            self.faults.append(f"{name} is not set; it must be {meaning}")
        return value

    def optional(self, name: str) -> str | None:
        """The variable's value, None where it is not set or blank."""
        return self.env.get(name, "").strip() or None

    def integer(self, name: str, meaning: str, *, least: int, default: int | None = None) -> int:
        """A whole number of at least ``least``; otherwise a fault, and ``least``."""
        given = self.optional(name)
        if given is None and default is not None:
            return default
        if given is None:
            self.faults.append(f"{name} is not set; it must be {meaning}")
        elif not re.fullmatch(r"[0-9]{1,15}", given) or int(given) < least:
            self.faults.append(f"{name} is {given!r}; it must be {meaning}, at least {least}")
        else:
            return int(given)
        return least

    def seconds(self, name: str, meaning: str) -> float:
        """A time above zero, in seconds; otherwise a fault, and one second."""
        given = self.optional(name)
        if given is None:
            self.faults.append(f"{name} is not set; it must be {meaning}")
        elif not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", given) or float(given) == 0:
            self.faults.append(f"{name} is {given!r}; it must be {meaning}, above 0")
        else:
            return float(given)
        return 1.0


def read_config(env: Mapping[str, str]) -> Config:
    """Read the process's environment.

    Raises:
        BadConfig: with every fault, each naming its variable and what it must be.
    """
    read = VariableReader(env)
    upstream = _upstream(read)
    metrics_port, metrics_namespace = _metrics(read)
    auth, keys_file, keys_secret = _auth(read)
    bedrock = upstream.startswith("bedrock:")
    region = read.optional("AWS_REGION") or read.optional("AWS_DEFAULT_REGION")
    if (bedrock or keys_secret) and region is None:
        read.faults.append("AWS_REGION is not set; Bedrock and Secrets Manager need a region")
    config = Config(
        service=read.text("PORTWAY_SERVICE", "the service's name"),
        model=_model(read),
        model_owner=read.text("PORTWAY_MODEL_OWNER", "who made the model"),
        model_created=read.integer("PORTWAY_MODEL_CREATED", "unix seconds", least=0),
        upstream=upstream,
        upstream_model=_upstream_model(read, bedrock=bedrock),
        auth=auth,
        keys_file=keys_file,
        keys_secret=keys_secret,
        context_tokens=read.integer("PORTWAY_CONTEXT_TOKENS", "the context in tokens", least=1),
        max_output_tokens=read.integer(
            "PORTWAY_MAX_OUTPUT_TOKENS", "the most output tokens", least=1
        ),
        max_body_bytes=read.integer("PORTWAY_MAX_BODY_BYTES", "the largest body", least=1),
        concurrency=read.integer("PORTWAY_CONCURRENCY", "requests served at once", least=1),
        timeout_seconds=read.seconds("PORTWAY_TIMEOUT_SECONDS", "the request deadline in seconds"),
        bind=read.optional("PORTWAY_BIND") or Config.bind,
        port=read.integer("PORT", "a TCP port", least=0, default=Config.port),
        aws_region=region,
        meter=_meter(read),
        bedrock=read_bedrock(env, read.faults) if bedrock else CONVERSE,
        metrics_port=metrics_port,
        metrics_namespace=metrics_namespace,
    )
    if not read.faults and config.max_output_tokens > config.context_tokens:
        read.faults.append(
            f"PORTWAY_MAX_OUTPUT_TOKENS is {config.max_output_tokens}; it must not exceed "
            f"PORTWAY_CONTEXT_TOKENS ({config.context_tokens})"
        )
    if config.port > _LARGEST_PORT:
        read.faults.append(f"PORT is {config.port}; the largest TCP port is {_LARGEST_PORT}")
    if config.metrics_port and config.metrics_port == config.port:
        read.faults.append(f"PORTWAY_METRICS names port {config.port}, which is the service's own")
    if read.faults:
        raise BadConfig(tuple(read.faults))
    return config


def _model(read: VariableReader) -> str:
    model = read.text("PORTWAY_MODEL", "the served model's id")
    if model and not _MODEL.fullmatch(model):
        read.faults.append(
            f"PORTWAY_MODEL is {model!r}; a model id has letters, digits and . _ : / - only"
        )
    return model


def _upstream(read: VariableReader) -> str:
    upstream = read.text("PORTWAY_UPSTREAM", "http://HOST:PORT or bedrock:<model id>")
    if not upstream or (upstream.startswith("bedrock:") and upstream != "bedrock:"):
        return upstream
    try:
        parts = urlsplit(upstream)
        fits = parts.scheme == "http" and parts.hostname and parts.port and not parts.username
        fits = fits and not parts.path.strip("/") and not parts.query and not parts.fragment
    except ValueError:
        fits = False
    if not fits:
        read.faults.append(
            f"PORTWAY_UPSTREAM is {upstream!r}; it must be http://HOST:PORT with no path "
            "(a server beside this one) or bedrock:<model or inference profile id>"
        )
    return upstream


def _meter(read: VariableReader) -> "MeterSettings | None":
    given = read.optional("PORTWAY_METER")
    if given is None:
        return None
    from .meter_settings import read_meter  # noqa: PLC0415 - only where something is metered

    most = read.optional("PORTWAY_MAX_OUTPUT_TOKENS") or ""
    return read_meter(given, int(most) if re.fullmatch(r"[0-9]{1,15}", most) else 1, read.faults)


def _metrics(read: VariableReader) -> tuple[int | None, str | None]:
    """The port for scrapes, or the CloudWatch namespace; neither where log lines are enough."""
    given = read.optional("PORTWAY_METRICS")
    if given is None:
        return None, None
    kind, _, value = given.partition(":")
    if kind == "emf" and _NAMESPACE.fullmatch(value) and not value.startswith("AWS/"):
        return None, value
    if kind == "prometheus" and re.fullmatch(r"[0-9]{1,5}", value) and int(value) <= _LARGEST_PORT:
        if "AWS_LAMBDA_RUNTIME_API" in read.env:
            read.faults.append("PORTWAY_METRICS is for scrapes, and nobody can scrape a function")
        return int(value), None
    read.faults.append(
        f"PORTWAY_METRICS is {given!r}; it must be prometheus:<port> or emf:<CloudWatch namespace>, "
        "or be unset"
    )
    return None, None


def _upstream_model(read: VariableReader, *, bedrock: bool) -> str:
    if bedrock:
        return read.optional("PORTWAY_UPSTREAM_MODEL") or ""
    return read.text("PORTWAY_UPSTREAM_MODEL", "the model name that the HTTP upstream serves")


def _auth(read: VariableReader) -> tuple[str, str | None, str | None]:
    auth = read.text("PORTWAY_AUTH", "api-key or iam")
    file = read.optional("PORTWAY_API_KEYS_FILE")
    secret = read.optional("PORTWAY_API_KEYS_SECRET")
    given = [name for name, value in (("_FILE", file), ("_SECRET", secret)) if value]
    if auth == "api-key" and len(given) != 1:
        read.faults.append(
            "PORTWAY_AUTH is 'api-key'; exactly one of PORTWAY_API_KEYS_FILE and "
            f"PORTWAY_API_KEYS_SECRET must be set, and {len(given)} are"
        )
    elif auth == "iam" and given:
        read.faults.append(
            "PORTWAY_AUTH is 'iam', where the platform authenticates; unset "
            + " and ".join(f"PORTWAY_API_KEYS{name}" for name in given)
        )
    elif auth and auth not in {"api-key", "iam"}:
        read.faults.append(f"PORTWAY_AUTH is {auth!r}; it must be api-key or iam")
    return auth, file, secret
