"""What `bench_runtime.py` found, for a person."""

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = ("model server alone", "the runtime", "LiteLLM")
LOSSES = {"failed": "failed", "timed_out": "timed out"}


def table(found: Mapping[str, Any]) -> str:
    """The figures for a person, a column for each that answered."""
    columns = [found[key] for key in ("model_server_alone", "behind_the_runtime", "behind_litellm")]
    rows: list[tuple[str, Sequence[object]]] = [
        ("first piece, median ms", [one["first_token_ms_median"] for one in columns]),
        ("first piece, 95th percentile ms", [one["first_token_ms_p95"] for one in columns]),
    ]
    rows.append(("first piece, added ms", ["", *found["first_token_ms_added"].values()]))
    for connections in columns[0]["connections"]:
        rates = [rate(one["connections"][connections]) for one in columns]
        rows.append((f"streams a second, {connections} connections", rates))
        times = found["runtime_to_litellm"]["throughput_times"][connections]
        rows.append(("  times LiteLLM's", ["", times or "it answered nothing", ""]))
    rows.append(("memory MiB", [one["memory_mib"] for one in columns]))
    rows.append(("start ms (LiteLLM: import only)", ["", *found["cold_start_ms"].values()]))
    head = f"{'':38}" + "".join(f"{name:>32}" for name in NAMES)
    return "\n".join(
        [head, *(f"{name:38}" + "".join(f"{cell!s:>32}" for cell in cells) for name, cells in rows)]
    )


def rate(one: Mapping[str, float]) -> str:
    """Streams a second, and what did not come back."""
    lost = [f"{one[name]:.0f} {word}" for name, word in LOSSES.items() if one[name]]
    note = f" ({', '.join(lost)})" if lost else ""
    return f"{one['requests_per_second']}{note}"
