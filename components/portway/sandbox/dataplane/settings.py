"""How much faster than the real platforms the data plane is. Environment variables set each field."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from portway.errors import BadInput, Problem

PREFIX = "PORTWAY_SANDBOX_"


@dataclass(frozen=True)
class Settings:
    """Times and sizes of the simulated platforms. Field ``idle_seconds`` is ``PORTWAY_SANDBOX_IDLE_SECONDS``.

    Attributes:
        time_scale: one declared second of a probe, a cooldown or a back-off lasts this many seconds.
        startup_floor_seconds: a startup probe's whole budget is never shorter than this, because the
            processes are real: failure counts stay as declared, periods are stretched.
        liveness_floor_seconds: a liveness probe ends a container only when it failed for at least so
            long, for the same reason.
        steady_probe_seconds: liveness and readiness probes never run more often than this.
        cold_start_seconds: what the platform itself needs before a container's process starts.
        idle_seconds: how long an idle instance is kept (Cloud Run, Lambda).
        most_warm: instances kept without a request, however many were declared to be (Cloud Run's
            minimum, Lambda's provisioned concurrency): one machine is not a cloud.
        most_nodes: nodes that each node pool of a real cluster grows to.
        queue_seconds: how long Cloud Run holds a request while every instance is busy.
        model_load_seconds: how long the stand-in model server loads before it listens.
        token_delay_seconds: pause between generated tokens.
    """

    time_scale: float = 0.02
    startup_floor_seconds: float = 30.0
    liveness_floor_seconds: float = 20.0
    steady_probe_seconds: float = 1.0
    cold_start_seconds: float = 0.2
    idle_seconds: float = 30.0
    most_warm: float = 1.0
    most_nodes: float = 8.0
    queue_seconds: float = 10.0
    model_load_seconds: float = 0.2
    token_delay_seconds: float = 0.01

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; what is not set keeps its default.

        Raises:
            BadInput: a value is not a number of at least zero.
        """
        given = os.environ if environment is None else environment
        values: dict[str, float] = {}
        problems: list[Problem] = []
        for field in fields(cls):
            name = f"{PREFIX}{field.name.upper()}"
            if name not in given:
                continue
            try:
                values[field.name] = float(given[name])
            except ValueError:
                values[field.name] = -1.0
            if not 0 <= values[field.name] < float("inf"):
                message = f"{given[name]!r} is not a number of at least 0; correct or unset it"
                problems.append(Problem(name, message))
        if problems:
            raise BadInput(problems)
        return cls(**values)

    def scaled(self, declared_seconds: float) -> float:
        """How long ``declared_seconds`` of the real platform last here."""
        return declared_seconds * self.time_scale
