"""Instances that scale with requests: what a platform is told, and what a month of it was."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pool:
    """Instances that scale between ``least`` and ``most``.

    Attributes:
        concurrency: requests one instance serves at once.
        duration_seconds: how long one request is in flight, once its instance can answer.
        hold_seconds: how long an instance without requests is kept.
        start_seconds: how long one start takes; it is billed, and its requests wait.
    """

    least: int
    most: int
    concurrency: int
    duration_seconds: float
    hold_seconds: float
    start_seconds: float


@dataclass(frozen=True)
class Running:
    """A month of a pool: instance-hours that are billed, starts, and the busy part of the hours."""

    instance_hours: float
    starts: float
    busy_hours: float
