"""An embedded Prometheus for each cluster: scrapes pods, and answers ``/clusters/<context>/api/v1/query``.

A pod is scraped where one of its containers has a port named ``metrics``. It is scraped now and then, and
whenever somebody asks. What was scraped is forgotten when the sandbox stops.
"""

import asyncio
import json
import logging
import math
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote

from portway.sandbox.dataplane.front import LOOPBACK, BodyTooLarge, Exchange
from portway.sandbox.dataplane.promql import BadQuery, Series, evaluate
from portway.sandbox.store import Json, Store

log = logging.getLogger(__name__)

OWNER = "prometheus"
PORT_NAME = "metrics"
SCRAPE_SECONDS = 10.0
PATIENCE_SECONDS = 3.0
MAX_SCRAPE_BYTES = 1 << 20
MAX_QUERY_BYTES = 1 << 16
_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


@dataclass(frozen=True)
class Target:
    """A pod to scrape.

    Attributes:
        context: the cluster it is in.
        port: of this machine.
    """

    context: str
    namespace: str
    pod: str
    port: int


class Prometheus:
    """What is scraped, by cluster. ``targets`` gives the pods that run now."""

    def __init__(self, targets: Callable[[], Iterable[Target]]) -> None:
        self._targets = targets
        self._series: dict[str, Series] = {}
        self._known: set[Target] = set()
        self._scraping = asyncio.Lock()

    async def run(self) -> None:
        """Scrape now and then, until cancelled."""
        while True:
            await asyncio.sleep(SCRAPE_SECONDS)
            await self.scrape()

    async def scrape(self) -> None:
        """Scrape every pod once."""
        async with self._scraping:
            targets = set(self._targets())
            await asyncio.gather(*(self.scrape_one(target) for target in targets))
            for gone in self._known - targets:
                self._series[gone.context].end("pod", gone.pod)
            self._known = targets

    async def scrape_one(self, target: Target) -> None:
        """Scrape one pod; one that does not answer is down."""
        series = self._series.setdefault(target.context, Series())
        labels = {
            "namespace": target.namespace,
            "pod": target.pod,
            "job": f"{target.namespace}/metrics",
        }
        now, up = time.time(), 1.0
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                text = await _get(target.port)
            for name, own, value in read_exposition(text):
                series.add(name, {**own, **labels}, now, value)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            log.debug("pod %s cannot be scraped: %r", target.pod, error)
            up = 0.0
        series.add("up", labels, now, up)

    async def handle(self, exchange: Exchange) -> None:
        """Answer one query."""
        match exchange.raw_path.split("/"):
            case ["", "clusters", context, "api", "v1", "query"]:
                status, body = await self._answer(exchange, unquote(context))
            case _:
                status, body = (
                    404,
                    _failed("not_found", "the sandbox has /clusters/<context>/api/v1/query"),
                )
        await exchange.reply(status, json.dumps(body))

    async def _answer(self, exchange: Exchange, context: str) -> tuple[int, Json]:
        try:
            given = exchange.query
            if exchange.method == "POST":
                given = (await exchange.body(MAX_QUERY_BYTES)).decode()
            query = parse_qs(given, keep_blank_values=True).get("query", [""])[-1]
            await self.scrape()
            now = time.time()
            vector = evaluate(query.strip(), self._series.get(context, Series()), now)
        except (BadQuery, ValueError, BodyTooLarge, re.error) as error:
            return 400, _failed("bad_data", f'invalid parameter "query": {error}')
        result = [
            {"metric": dict(labels), "value": [now, _shown(value)]}
            for labels, value in vector.items()
        ]
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


def clusters(address: str, store: Store) -> dict[str, str]:
    """The Prometheus of each cluster in which something is deployed, by kubeconfig context.

    Args:
        address: where the sandbox listens for all of them.
        store: what is deployed.
    """
    contexts = {row.key.scope for row in store.all(cloud="kubernetes")}
    return {context: f"{address}/clusters/{quote(context, safe='')}" for context in contexts}


def read_exposition(text: str) -> list[tuple[str, dict[str, str], float]]:
    """The samples of a scrape: name, labels, value.

    Raises:
        ValueError: a line is no sample.
    """
    found: list[tuple[str, dict[str, str], float]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"no sample: {line[:80]!r}")
        labels = {name: _unescaped(value) for name, value in _LABEL.findall(match[2] or "")}
        found.append((match[1], labels, float(match[3])))
    return found


async def _get(port: int) -> str:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(b"GET /metrics HTTP/1.0\r\nHost: pod\r\n\r\n")
        await writer.drain()
        answer = await reader.read(MAX_SCRAPE_BYTES)
        while piece := await reader.read(MAX_SCRAPE_BYTES):
            answer += piece
            if len(answer) > MAX_SCRAPE_BYTES:
                raise ValueError("the scrape is too long")
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise ValueError("the pod did not answer the scrape with 200")
    return body.decode()


def _unescaped(value: str) -> str:
    return re.sub(r'\\[n"\\]', lambda match: _ESCAPES[match[0]], value)


def _failed(kind: str, message: str) -> Json:
    return {"status": "error", "errorType": kind, "error": message}


def _shown(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value == math.inf else f"{value:.17g}"
