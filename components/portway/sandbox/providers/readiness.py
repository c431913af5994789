"""Waiting until the data plane serves what was deployed, as the clouds' own operations do."""

import json
import time

import psutil

from portway.sandbox.providers.cloud import Cloud, CloudError, Code
from portway.sandbox.store import Key, Status

NOT_RUNNING = "the sandbox's data plane is not running; run `portway sandbox start`"
_POLL_SECONDS = 0.05


class NotReady(Exception):
    """The data plane gave up, stopped, or did not finish in time. The message says which and why."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        """``timed_out`` tells a slow start from a failed one."""
        self.timed_out = timed_out
        super().__init__(message)


def recording_only(cloud: Cloud) -> bool:
    """Whether this sandbox has no data plane on purpose: resources are recorded and nothing answers."""
    return cloud.store.meta("dataplane") == "off"


def require_data_plane(cloud: Cloud) -> None:
    """Refuse what nothing would ever serve.

    Raises:
        CloudError: the daemon does not run.
    """
    if not recording_only(cloud) and not _running(cloud):
        raise CloudError(Code.UNAVAILABLE, NOT_RUNNING)


def wait(cloud: Cloud, key: Key, generation: int, timeout_seconds: float) -> Status | None:
    """Wait until the data plane serves ``generation`` of ``key``; None where there is no data plane.

    Raises:
        NotReady: it failed, was not done within ``timeout_seconds``, stopped, or the engine cancelled.
    """
    if recording_only(cloud):
        return None
    deadline = time.monotonic() + timeout_seconds
    while True:
        status = cloud.store.status(str(key))
        if status is not None and status.generation >= generation:
            if status.ready:
                return status
            raise NotReady(status.message)
        if cloud.cancelled.wait(_POLL_SECONDS):
            raise NotReady("the deployment was cancelled before the resource was ready")
        if not _running(cloud):
            raise NotReady(NOT_RUNNING)
        if time.monotonic() >= deadline:
            raise NotReady(f"timeout: {timeout_seconds:g}s", timed_out=True)


def _running(cloud: Cloud) -> bool:
    daemon = cloud.store.meta("daemon")
    if not daemon:
        return False
    try:
        # one that was killed stays in the table while whoever started it has not looked
        return psutil.Process(int(json.loads(daemon)["pid"])).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, KeyError, TypeError):
        return False
