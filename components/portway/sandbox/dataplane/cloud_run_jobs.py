"""Cloud Run jobs: an execution for each new token, its tasks run to their end and tried again.

Simulated: an execution runs while the sandbox's daemon does, and begins anew where it was cut. One that
failed is run again by an update with the same token; what the real API answers to that is not known: a
`startExecutionToken` that is sent again it refuses, with "Resource '<job>-<token>' already exists"
(magic-modules pull request 19060).
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from portway.sandbox.dataplane.cloud_run import Environment
from portway.sandbox.dataplane.cloud_run_template import (
    Reader,
    read_container,
    read_volumes,
    seconds,
)
from portway.sandbox.dataplane.containers import Container
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.google_cloud import JOB, last
from portway.sandbox.dataplane.instance import Instance, StartFailed
from portway.sandbox.dataplane.volumes import Files
from portway.sandbox.dataplane.world import (
    PlatformError,
    World,
    child,
    fingerprint,
    items,
    number,
    text,
)
from portway.sandbox.store import Row

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_SECONDS = 600.0
DEFAULT_RETRIES = 3
SUCCEEDED, FAILED = "succeeded", "failed"
DEFAULT_ACCOUNT = "the default compute service account"


@dataclass(frozen=True)
class Execution:
    """What one execution runs.

    Attributes:
        name: the job's name and the token.
        timeout_seconds: of each attempt of a task.
        at_once: tasks that run beside each other.
    """

    name: str
    job: str
    containers: tuple[Container, ...]
    volumes: Mapping[str, Files]
    tasks: int
    at_once: int
    retries: int
    timeout_seconds: float


def account_of(row: Row) -> str:
    """The email of the service account that a job's tasks run as."""
    return text(_task(row), "serviceAccount") or DEFAULT_ACCOUNT


def read_execution(row: Row, world: World, token: str) -> Execution:
    """The execution of a job for ``token``.

    Raises:
        PlatformError: a secret or bucket may not be read, or the sandbox lacks a kind of volume.
    """
    task, outer, job = _task(row), child(row.inputs, "template"), last(row.key.id)
    reader = Reader(row, world, account_of(row))
    tasks = int(number(outer, "taskCount", 0)) or 1
    platform = {
        "CLOUD_RUN_JOB": job,
        "CLOUD_RUN_EXECUTION": f"{job}-{token}",
        "CLOUD_RUN_TASK_COUNT": str(tasks),
    }
    containers = [
        read_container(each, index, reader, platform, is_ingress=False)
        for index, each in enumerate(items(task, "containers"))
    ]
    return Execution(
        name=f"{job}-{token}",
        job=job,
        containers=tuple(replace(each, runs_to_completion=True) for each in containers),
        volumes=read_volumes(task, reader),
        tasks=tasks,
        at_once=int(number(outer, "parallelism", 0)) or tasks,
        retries=int(number(task, "maxRetries", DEFAULT_RETRIES)),
        timeout_seconds=seconds(text(task, "timeout")) or DEFAULT_TIMEOUT_SECONDS,
    )


class CloudRunJobs:
    """Every deployed job of every project."""

    def __init__(self, context: Context, environment: Environment) -> None:
        self._context = context
        self._environment = environment
        self._jobs: dict[str, Job] = {}

    async def reconcile(self, world: World) -> None:
        """Run what is deployed now, and nothing else."""
        rows = {str(row.key): row for row in world.of(JOB)}
        for owner in self._jobs.keys() - rows.keys():
            self._context.spawn(self._jobs.pop(owner).close())
        for owner, row in rows.items():
            if owner not in self._jobs:
                self._jobs[owner] = Job(self._context, self._environment, row)
            await self._jobs[owner].apply(row, world)

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for people."""
        return [job.describe() for job in self._jobs.values()]

    async def close(self) -> None:
        """End every task."""
        await asyncio.gather(*(job.close() for job in self._jobs.values()))


class Job:
    """One job: the executions that its tokens asked for."""

    def __init__(self, context: Context, environment: Environment, row: Row) -> None:
        self._context = context
        self._environment = environment
        self._row = row
        self._seen: tuple[int, float] | None = None
        self._running = 0
        self._work: asyncio.Task[None] | None = None

    async def apply(self, row: Row, world: World) -> None:
        """Take a new snapshot; execute when the job itself was changed and its token asks for it."""
        self._row = row
        if self._seen == fingerprint(row):
            return
        self._seen = fingerprint(row)
        await self.close()
        known = self._context.store.status(str(row.key))
        if known is None or known.generation != row.generation:
            self._work = self._context.spawn(self._act(row, world))

    def describe(self) -> dict[str, Any]:
        """What runs, for people."""
        return {
            "owner": str(self._row.key),
            "resource": f"Cloud Run job {last(self._row.key.id)}",
            "endpoint": "",
            "instances": self._running,
        }

    async def close(self) -> None:
        """End what runs."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _act(self, row: Row, world: World) -> None:
        known = self._context.store.status(str(row.key))
        past: dict[str, str] = dict(known.detail.get("executions", {})) if known else {}
        awaited, started = (
            text(row.inputs, name) for name in ("runExecutionToken", "startExecutionToken")
        )
        token = awaited or started
        if not token or past.get(token) == SUCCEEDED:
            self._context.report(row, ready=True, detail={"executions": past})
            return
        if started:
            self._context.report(row, ready=True, detail={"executions": past})
        problem = await self._execute(row, world, token)
        past[token] = FAILED if problem else SUCCEEDED
        ready = bool(started) or not problem
        self._context.report(row, ready=ready, message=problem, detail={"executions": past})

    async def _execute(self, row: Row, world: World, token: str) -> str:
        """Run the execution; why it failed, "" when it succeeded."""
        try:
            execution = read_execution(row, world, token)
            platform = await self._environment(row.key.scope, account_of(row))
        except (PlatformError, OSError) as error:
            return str(error)
        places = asyncio.Semaphore(execution.at_once)
        try:
            tasks = [
                self._task(execution, platform, index, places) for index in range(execution.tasks)
            ]
            return next(filter(None, await asyncio.gather(*tasks)), "")
        except Exception as error:
            log.exception("%s cannot be run", execution.name)
            return f"the sandbox failed: {error!r}"

    async def _task(
        self,
        execution: Execution,
        platform: Mapping[str, str],
        index: int,
        places: asyncio.Semaphore,
    ) -> str:
        """Run one task and try it again; why it failed, "" when it succeeded."""
        name, problem = f"{execution.name}-task{index}", ""
        async with places:
            for attempt in range(execution.retries + 1):
                told = {
                    "CLOUD_RUN_TASK_INDEX": str(index),
                    "CLOUD_RUN_TASK_ATTEMPT": str(attempt),
                }
                problem = await self._attempt(execution, name, {**platform, **told})
                if not problem:
                    return ""
                log.warning("%s, attempt %d: %s", name, attempt, problem)
        return f"Task {name} failed with message: {problem}"

    async def _attempt(self, execution: Execution, name: str, platform: Mapping[str, str]) -> str:
        containers = [
            replace(each, environment={**platform, **each.environment})
            for each in execution.containers
        ]
        instance = Instance(
            self._context, name, containers, execution.volumes,
            restarts=False, log_name=f"cloud-run-job-{execution.job}",
        )  # fmt: skip
        self._running += 1
        try:
            async with asyncio.timeout(execution.timeout_seconds):
                await instance.start()
        except TimeoutError:
            return f"The configured timeout was reached. ({execution.timeout_seconds:g} s)"
        except StartFailed as error:
            if error.reason == "exited":
                return f"The container exited with an error. ({error.container}: {error})"
            return str(error)
        finally:
            self._running -= 1
            await instance.stop()
        return ""


def _task(row: Row) -> dict[str, Any]:
    return child(child(row.inputs, "template"), "template")
