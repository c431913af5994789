"""What a host is for: a model somebody hosts, a place for telemetry, a download, an identity, a name.

``hosts.json`` lists them by name. Where a cloud's own hosts are, ``hosts`` says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Final

from portway.gate.hosts import is_listed, is_within, region_of_call
from portway.gate.tables import table
from portway.residency.boundary import Boundary

VERTEX: Final = "gcp:vertex/aiEndpoint:AiEndpoint"
"""Places of Vertex AI are named as this type names them: ``eu``, ``us``, ``europe-west4``."""

_DOTTED: Final = re.compile(r"(?<![\w@%-])(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,}(?![\w-])")
_AUTHORITY: Final = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<rest>[^/?#\s\"'<>]*)")
_BARE: Final = re.compile(
    r"(?P<host>(?:[A-Za-z0-9_-]+\.)+[A-Za-z]{2,24}|\d{1,3}(?:\.\d{1,3}){3})\.?(?::\d+)?(?:/\S*)?"
)
_PORT: Final = re.compile(r":\d*$")
_PLACEHOLDER: Final = re.compile(r"\$[({A-Za-z_]|\{\{|%\(|<[A-Za-z]")
_NOT_CALLED: Final = frozenset(
    {"file", "unix", "data", "sqlite", "memory", "s3", "s3a", "gs", "gcs", "bq", "hf", "oci", "docker", "git", "git+https", "git+ssh", "ssh", "arn", "urn", "mailto", "secret", "local", "env", "models", "pvc"}
)  # fmt: skip
"""Schemes of files, buckets and downloads: other rules judge those, or nothing leaves."""

_FILES: Final = frozenset(
    {"json", "yaml", "yml", "toml", "ini", "conf", "cfg", "txt", "md", "py", "js", "ts", "sh", "go", "rs", "java", "jar", "so", "sock", "pem", "crt", "key", "cert", "log", "html", "css", "csv", "parquet", "gguf", "bin", "safetensors", "model", "tar", "gz", "zip", "whl", "db", "sql", "xml", "jinja", "tmpl", "env", "main", "app", "handler", "server", "local"}
)  # fmt: skip
"""Last parts of file and module names; an ``app.main`` is no host, and a URL is one whatever it ends in."""

_READ_BY_PEOPLE: Final = frozenset(
    {"docs", "help", "support", "status", "platform", "blog", "community", "developer", "developers", "console", "registry"}
)  # fmt: skip
"""First parts of the names of a vendor's pages and downloads, which take no data."""


class Use(StrEnum):
    """What a known host is for."""

    MODEL = "models"
    TELEMETRY = "telemetry"
    INBOUND = "inbound"
    IDENTITY = "identity"
    NAME = "names"


@dataclass(frozen=True)
class Listed:
    """A host that the table lists: what for, whose it is, and what its vendor says of its place."""

    use: Use
    who: str = ""
    said: str = ""

    @property
    def takes_data(self) -> bool:
        """Whether prompts, answers or what is measured of them are sent there."""
        return self.use in (Use.MODEL, Use.TELEMETRY)


@dataclass(frozen=True)
class Fault:
    """Why a host may not be called, in words that hold nothing of what was given but a region."""

    given: str
    why: str
    undetermined: bool = False


@cache
def known(host: str) -> Listed | None:
    """What the table says of ``host`` (lower case); None for every other one."""
    exact, below, globs = _hosts()
    if host in exact:
        return exact[host]
    if host.partition(".")[0] in _READ_BY_PEOPLE:
        return Listed(Use.NAME)
    rest = host
    while rest:
        if rest in below:
            return below[rest]
        rest = rest.partition(".")[2]
    return next((said for glob, said in globs if fnmatchcase(host, glob)), None)


def data_hosts(text: str) -> tuple[tuple[str, Listed], ...]:
    """The hosts in ``text``, wherever they stand, that the table knows to take data; each once."""
    return _data_hosts(text) if "." in text else ()


@lru_cache(maxsize=8192)
def _data_hosts(text: str) -> tuple[tuple[str, Listed], ...]:
    # A name behind an @ is somebody's mailbox, unless it is the host of a URL with a user in it.
    in_urls = (_host(match["rest"]) for match in _AUTHORITY.finditer(text))
    named = dict.fromkeys((*(match[0].lower() for match in _DOTTED.finditer(text)), *in_urls))
    found = ((host, known(host)) for host in named)
    return tuple((host, said) for host, said in found if said is not None and said.takes_data)


@lru_cache(maxsize=8192)
def called(text: str) -> tuple[str, ...]:
    """The hosts that ``text`` would call if it is an endpoint: one URL, one host, or a list of them.

    A text that is no endpoint calls none; nor does one whose host is filled in later from another
    setting, which is judged itself.
    """
    found: list[str] = []
    for part in re.split(r"[,\s]+", text.strip()):
        part = part.strip("\"'")  # noqa: PLW2901 - shells and lists quote what they hold
        url = _AUTHORITY.search(part)
        if url is not None:
            if url["scheme"].lower() not in _NOT_CALLED:
                found.append(_host(url["rest"]))
            continue
        bare = _BARE.fullmatch(part)
        if bare is not None and bare["host"].rpartition(".")[2].lower() not in _FILES:
            found.append(bare["host"].lower())
    return tuple(host for host in found if host and not _PLACEHOLDER.search(host))


def is_url(text: str) -> bool:
    """Whether ``text`` is one URL of something that is called over a network."""
    url = _AUTHORITY.match(text.strip().strip("\"'"))
    return url is not None and url["scheme"].lower() not in _NOT_CALLED


def fault(host: str, text: str, boundary: Boundary, hosts: tuple[str, ...]) -> Fault | None:
    """Why ``host``, which ``text`` calls, is refused; None where data may go there or none goes."""
    if is_listed(host, hosts) or _is_within(host):
        return None
    said = known(host)
    if said is not None:
        return data_fault(host, said, hosts) if said.takes_data else None
    region = region_of_call(host, text)
    if region is None:
        why = "its name says no region, and nobody has listed it"
        return Fault("a host", why, undetermined=True)
    if boundary.holds(region, VERTEX):
        return None
    return Fault(f"a host in {region}", f"outside the boundary {boundary}")


def data_fault(host: str, said: Listed, hosts: tuple[str, ...]) -> Fault | None:
    """Why a host that the table knows is refused, unless configuration lists it."""
    if is_listed(host, hosts):
        return None
    place = f"its vendor says of its place: {said.said}" if said.said else "no region is promised"
    return Fault(said.who, place, undetermined=True)


@lru_cache(maxsize=8192)
def _is_within(host: str) -> bool:
    return is_within(host)


def in_cluster(host: str, namespaces: frozenset[str]) -> bool:
    """Whether ``host`` is a Service of a cluster by its short name, ``service.namespace``."""
    last = host.rpartition(".")[2]
    return "-" in last or last in namespaces or last in _usual_namespaces()


@cache
def _usual_namespaces() -> frozenset[str]:
    return frozenset(table("hosts.json")["namespaces"]["names"])


def _host(authority: str) -> str:
    """The first host of ``user:password@host:port,host:port``."""
    first = authority.rpartition("@")[2].split(",")[0]
    if first.startswith("["):
        return first.partition("]")[0].strip("[").lower()
    return _PORT.sub("", first).lower().rstrip(".")


@cache
def _hosts() -> tuple[Mapping[str, Listed], Mapping[str, Listed], tuple[tuple[str, Listed], ...]]:
    """By whole name, by domain, and by glob."""
    exact: dict[str, Listed] = {}
    below: dict[str, Listed] = {}
    globs: list[tuple[str, Listed]] = []
    for pattern, said in _rows():
        if pattern.startswith("*."):
            below[pattern[2:]] = said
        elif "*" in pattern:
            globs.append((pattern, said))
        else:
            exact[pattern] = said
    return exact, below, tuple(globs)


def _rows() -> Iterator[tuple[str, Listed]]:
    data = table("hosts.json")
    for use in (Use.MODEL, Use.TELEMETRY):
        for row in data[use.value]:
            for pattern in row["hosts"]:
                yield pattern, Listed(use, row["who"], row["said"])
    for use in (Use.INBOUND, Use.IDENTITY, Use.NAME):
        for pattern in data[use.value]["hosts"]:
            yield pattern, Listed(use)
