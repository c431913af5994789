"""Probes, executed for real against the processes of an instance."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from portway.sandbox.dataplane.front import LOOPBACK

SUCCESS = range(200, 400)
# A real process on a busy machine needs longer for one answer than a scaled-down timeout would give it.
ATTEMPT_SECONDS = 2.0


@dataclass(frozen=True)
class Probe:
    """One probe with every default filled in by its platform.

    Attributes:
        kind: ``http``, ``tcp`` or ``exec``.
        port: as the container declares it.
        headers: sent with an HTTP probe.
    """

    kind: str
    port: int | None = None
    path: str = "/"
    headers: Mapping[str, str] | None = None
    initial_delay_seconds: float = 0
    period_seconds: float = 10
    timeout_seconds: float = 1
    failure_threshold: int = 3

    @property
    def budget_seconds(self) -> float:
        """How long it may take until the probe has failed for good."""
        return self.initial_delay_seconds + self.period_seconds * self.failure_threshold


async def attempt(probe: Probe, port: int) -> str | None:
    """Try ``probe`` once on ``port``; None is success, else what went wrong."""
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            return await _http(probe, port) if probe.kind == "http" else await _tcp(port)
    except TimeoutError:
        return "context deadline exceeded"
    except ConnectionRefusedError:
        return f"dial tcp 127.0.0.1:{probe.port}: connect: connection refused"
    except OSError as error:
        return str(error)


async def _tcp(port: int) -> None:
    _, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _http(probe: Probe, port: int) -> str | None:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        headers = {"Host": f"{LOOPBACK}:{port}", "User-Agent": "probe/1.0", "Connection": "close"}
        lines = [f"{name}: {value}" for name, value in {**headers, **(probe.headers or {})}.items()]
        writer.write("\r\n".join([f"GET {probe.path} HTTP/1.1", *lines, "", ""]).encode("latin-1"))
        await writer.drain()
        words = (await reader.readline()).split()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - version and status
        return "the answer is not HTTP"
    status = int(words[1])
    return None if status in SUCCESS else f"HTTP probe failed with statuscode: {status}"
