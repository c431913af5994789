"""One instance (Cloud Run) or pod (Kubernetes): its containers, started in order and probed."""

import asyncio
import contextlib
import shutil
from collections.abc import Mapping, Sequence

from portway.sandbox.dataplane import probes
from portway.sandbox.dataplane.containers import Container, kind_of, launch
from portway.sandbox.dataplane.context import Context, Signal, free_port, until
from portway.sandbox.dataplane.probes import Probe
from portway.sandbox.dataplane.processes import Process
from portway.sandbox.dataplane.volumes import Disk, Files, attach, materialise
from portway.sandbox.dataplane.world import PlatformError

GRACE_SECONDS = 2.0
SHORTEST_ATTEMPT_GAP_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 10.0
LONGEST_BACKOFF_SECONDS = 300.0
LAST_LINES = 3


class StartFailed(Exception):
    """An instance did not start.

    Attributes:
        container: which of its containers is at fault.
        reason: ``image``, ``exited``, ``probe`` or ``order``.
    """

    def __init__(self, container: str, reason: str, message: str) -> None:
        """``message`` says what happened, without naming the container."""
        super().__init__(message)
        self.container = container
        self.reason = reason


class Running:
    """A container of an instance and how it is."""

    def __init__(self, declared: Container) -> None:
        self.declared = declared
        self.process: Process | None = None
        self.started = False
        self.ready = False
        self.completed = False
        self.restarts = 0
        self.trouble = ""

    @property
    def done(self) -> bool:
        """Whether what must come after it may start."""
        return self.completed if self.declared.runs_to_completion else self.started


class Instance:
    """Containers that share ``localhost`` and volumes.

    With ``restarts`` a container that ends is started again with a growing back-off (a pod); without,
    the first one that ends, or whose probe fails for good, ends the instance.
    """

    def __init__(
        self,
        context: Context,
        name: str,
        containers: Sequence[Container],
        volumes: Mapping[str, Files | Disk],
        *,
        restarts: bool,
        log_name: str,
    ) -> None:
        self._context = context
        self._volumes = volumes
        self._restarts = restarts
        self._log = context.log_file(log_name)
        self.name = name
        self.folder = context.folder(name)
        self.containers = [Running(container) for container in containers]
        declared = {port for container in containers for port in container.declared_ports()}
        self._ports = {port: free_port() for port in sorted(declared)}
        self.changed = Signal()
        self.failure: StartFailed | None = None
        self.stopped = False
        self._tasks: list[asyncio.Task[None]] = []

    def port(self, declared: int) -> int:
        """The port of this machine that stands for the ``declared`` one."""
        return self._ports[declared]

    @property
    def started(self) -> bool:
        """Whether every container has started."""
        return all(running.done for running in self.containers)

    @property
    def ready(self) -> bool:
        """Whether it can take requests."""
        serving = [r for r in self.containers if not r.declared.runs_to_completion]
        return self.started and all(r.ready for r in serving) and self.alive

    @property
    def alive(self) -> bool:
        """Whether it neither failed nor was stopped."""
        return self.failure is None and not self.stopped

    def begin(self) -> None:
        """Start every container; each waits for those it comes after.

        Raises:
            StartFailed: the sandbox cannot run an image at all.
        """
        for running in self.containers:
            try:
                kind_of(running.declared.image)
            except PlatformError as error:
                raise StartFailed(running.declared.name, "image", str(error)) from error
        for name, files in self._volumes.items():
            materialise(self.folder / "volumes" / name, files)
        for running in self.containers:
            self._tasks.append(self._context.spawn(self._supervise(running)))

    async def start(self) -> None:
        """Begin, and wait until every container has started.

        Raises:
            StartFailed: one did not, and nobody will start it again.
        """
        await asyncio.sleep(self._context.settings.cold_start_seconds)
        self.begin()
        await until(lambda: self.ready or not self.alive, self.changed, float("inf"))
        if self.failure is not None:
            raise self.failure

    def refresh(self, volumes: Mapping[str, Files | Disk]) -> None:
        """Write volumes whose source changed, as a platform does for running instances."""
        for name, files in volumes.items():
            if files != self._volumes.get(name):
                materialise(self.folder / "volumes" / name, files)
        self._volumes = volumes

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """End every process and remove the instance's folder."""
        self.stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        running = [r.process for r in self.containers if r.process is not None]
        await asyncio.gather(*(process.stop(grace_seconds) for process in running))
        self.changed.fire()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _supervise(self, running: Running) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        before = [r for r in self.containers if r.declared.name in running.declared.after]
        while self.alive:
            await until(
                lambda: all(r.done for r in before) or not self.alive, self.changed, float("inf")
            )
            try:
                await self._run(running)
            except StartFailed as error:
                running.started = running.ready = False
                running.trouble = str(error)
                if not self._restarts:
                    self._fail(error)
                    return
            else:
                return
            self.changed.fire()
            await asyncio.sleep(self._context.settings.scaled(backoff))
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            running.restarts += 1

    def _fail(self, error: StartFailed) -> None:
        if self.failure is None:
            self.failure = error
        for running in self.containers:
            if running.process is not None:
                running.process.kill()
        self.changed.fire()

    async def _run(self, running: Running) -> None:
        """Run the container once; returns when it has completed, raises when it ended otherwise."""
        process = await self._execute(running.declared)
        running.process = process
        ending = asyncio.create_task(process.wait())
        watching = asyncio.create_task(self._watch(running))
        try:
            await asyncio.wait({ending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                code = ending.result()
                if running.declared.runs_to_completion and code == 0:
                    running.completed = True
                    self.changed.fire()
                    return
                raise StartFailed(running.declared.name, "exited", self._ended(code))
            await watching
        finally:
            watching.cancel()
            await process.stop(GRACE_SECONDS)
            await asyncio.gather(ending, watching, return_exceptions=True)

    async def _execute(self, container: Container) -> Process:
        rootfs = self.folder / "rootfs" / container.name
        if not rootfs.exists():
            attach(rootfs, self.folder / "volumes", container.mounts)
        try:
            plan = launch(container, rootfs, self._ports, self._context.settings)
            spawn = self._context.processes.spawn
            return await spawn(plan.argv, plan.environment, rootfs, self._log)
        except PlatformError as error:
            raise StartFailed(container.name, "image", str(error)) from error
        except OSError as error:
            raise StartFailed(container.name, "exited", str(error)) from error

    async def _watch(self, running: Running) -> None:
        """Startup probe, then liveness and readiness; raises when one failed for good."""
        declared = running.declared
        if declared.runs_to_completion:
            await asyncio.Event().wait()
        if declared.startup is not None:
            await self._pass_startup(declared.name, declared.startup)
        running.started = True
        running.ready = declared.readiness is None
        running.trouble = ""
        self.changed.fire()
        readiness = declared.readiness
        background = self._watch_readiness(running, readiness) if readiness else asyncio.sleep(0)
        task = self._context.spawn(background)
        try:
            if declared.liveness is not None:
                await self._watch_liveness(declared.name, declared.liveness)
            else:
                await asyncio.Event().wait()
        finally:
            task.cancel()

    async def _pass_startup(self, name: str, probe: Probe) -> None:
        settings = self._context.settings
        await asyncio.sleep(settings.scaled(probe.initial_delay_seconds))
        budget = max(
            settings.scaled(probe.period_seconds * probe.failure_threshold),
            settings.startup_floor_seconds,
        )
        gap = min(max(settings.scaled(probe.period_seconds), SHORTEST_ATTEMPT_GAP_SECONDS), budget)
        deadline = asyncio.get_running_loop().time() + budget
        while (trouble := await self._attempt(probe)) is not None:
            if asyncio.get_running_loop().time() >= deadline:
                raise StartFailed(name, "probe", trouble)
            await asyncio.sleep(gap)

    async def _watch_readiness(self, running: Running, probe: Probe) -> None:
        failures = 0
        while True:
            trouble = await self._attempt(probe)
            failures = 0 if trouble is None else failures + 1
            ready = trouble is None or (running.ready and failures < probe.failure_threshold)
            running.trouble = f"Readiness probe failed: {trouble}" if trouble else ""
            if ready != running.ready:
                running.ready = ready
                self.changed.fire()
            pause = self._steady(probe)
            await asyncio.sleep(
                pause if running.ready else min(pause, SHORTEST_ATTEMPT_GAP_SECONDS)
            )

    async def _watch_liveness(self, name: str, probe: Probe) -> None:
        clock = asyncio.get_running_loop().time
        least = self._context.settings.liveness_floor_seconds
        failures, since = 0, clock()
        while failures < probe.failure_threshold or clock() - since < least:
            await asyncio.sleep(self._steady(probe))
            began = clock()
            if await self._attempt(probe) is None:
                failures, since = 0, began
            else:
                failures += 1
        raise StartFailed(name, "probe", "the container failed its liveness probe")

    async def _attempt(self, probe: Probe) -> str | None:
        if probe.port is None:
            return None
        return await probes.attempt(probe, self._ports[probe.port])

    def _steady(self, probe: Probe) -> float:
        settings = self._context.settings
        return max(settings.scaled(probe.period_seconds), settings.steady_probe_seconds)

    def _ended(self, code: int) -> str:
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self._log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        said = f": {' | '.join(lines)}" if lines else ""
        return f"the container exited with code {code}{said}"
