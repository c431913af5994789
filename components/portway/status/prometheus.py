"""The signals from a Prometheus that scrapes the pods."""

import math

from portway.errors import Missing
from portway.observability import DURATION, FIRST_TOKEN, TOKENS, label_name, prometheus_name
from portway.status.access import Access
from portway.status.deployed import Scraped
from portway.status.documents import member, members, values
from portway.status.figures import Figures
from portway.status.http import ask

NAME = "Prometheus"
_ERROR, _TOKEN_TYPE = label_name("error.type"), label_name("gen_ai.token.type")


def read_signals(kept: Scraped, since_seconds: int, access: Access) -> Figures:
    """The signals of the last ``since_seconds``, as Prometheus estimates them between scrapes.

    Raises:
        Missing: nobody said where Prometheus is, or it cannot be read.
    """
    address = access.prometheus_of(kept.cluster)
    pods = f'namespace="{kept.namespace}",pod=~"{kept.deployment}-.*"'

    def asked(query: str, by: str = "") -> dict[str, float]:
        return _query(address, query, by)

    def grew(metric: str, by: str) -> dict[str, float]:
        inner = f"increase({metric}{{{pods}}}[{since_seconds}s])"
        return asked(f"sum by ({by}) ({inner})", by)

    def percentile(share: float) -> float | None:
        buckets = f"{prometheus_name(FIRST_TOKEN)}_bucket{{{pods}}}[{since_seconds}s]"
        query = f"histogram_quantile({share}, sum by (le) (increase({buckets})))"
        found = asked(query).get("", math.nan)
        return found if math.isfinite(found) else None

    counts = grew(f"{prometheus_name(DURATION)}_count", _ERROR)
    tokens = grew(f"{prometheus_name(TOKENS)}_sum", _TOKEN_TYPE)
    up = asked(f"sum(up{{{pods}}})")
    return Figures(
        requests=round(sum(counts.values())),
        errors={name: round(n) for name, n in sorted(counts.items()) if name and round(n)},
        first_token_p50_seconds=percentile(0.5),
        first_token_p95_seconds=percentile(0.95),
        input_tokens=round(tokens.get("input", 0)),
        output_tokens=round(tokens.get("output", 0)),
        instances=round(up.get("", 0)),
    )


def _query(address: str, query: str, by: str = "") -> dict[str, float]:
    """The values of an instant vector by one label, "" where it is absent."""
    document = ask(NAME, f"{address}/api/v1/query", {"query": query})
    if document is None:
        raise Missing(f"there is no Prometheus at {address}: it has no /api/v1/query")
    found = members(member(document, "data").get("result"))
    try:
        return {str(member(e, "metric").get(by, "")): float(values(e["value"])[1]) for e in found}
    except (KeyError, TypeError, ValueError, IndexError):
        raise Missing(f"what answers at {address} is no Prometheus: it gave no vector") from None
