"""The data plane's daemon: watches the store and serves what is deployed, until SIGTERM.

``python -m portway.sandbox.daemon <sandbox folder>``. One per sandbox: a second one sees the lock and
leaves. It is driven by the store alone, so one that is started again serves everything once more.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from portway.errors import Missing, PortwayError
from portway.sandbox.buckets import Buckets
from portway.sandbox.controlplane.cluster import RealCluster
from portway.sandbox.dataplane import (
    bedrock,
    cloudwatch,
    cloudwatch_logs,
    dynamodb,
    firestore,
    hub,
    monitoring,
    prometheus,
    secrets_manager,
    storage,
)
from portway.sandbox.dataplane.bedrock import Bedrock
from portway.sandbox.dataplane.cloud_run import CloudRun
from portway.sandbox.dataplane.cloud_run_jobs import CloudRunJobs
from portway.sandbox.dataplane.cloudwatch import CloudWatch
from portway.sandbox.dataplane.cloudwatch_logs import CloudWatchLogs
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.dynamodb import DynamoDb
from portway.sandbox.dataplane.firestore import Firestore
from portway.sandbox.dataplane.front import LOOPBACK, Exchange, Front
from portway.sandbox.dataplane.google_cloud import BUCKET
from portway.sandbox.dataplane.hub import Hub
from portway.sandbox.dataplane.kubernetes import Kubernetes
from portway.sandbox.dataplane.lambda_host import LambdaHost
from portway.sandbox.dataplane.live_kubernetes import LiveKubernetes
from portway.sandbox.dataplane.log_entries import LogEntries
from portway.sandbox.dataplane.metadata import Metadata
from portway.sandbox.dataplane.monitoring import Monitoring
from portway.sandbox.dataplane.processes import Processes, sweep
from portway.sandbox.dataplane.prometheus import Prometheus
from portway.sandbox.dataplane.records import Records
from portway.sandbox.dataplane.secrets_manager import SecretsManager
from portway.sandbox.dataplane.settings import Settings
from portway.sandbox.dataplane.storage import Storage
from portway.sandbox.dataplane.troubles import Troubles
from portway.sandbox.dataplane.world import World
from portway.sandbox.layout import Layout
from portway.sandbox.store import Row, Store

log = logging.getLogger("portway.sandbox")

POLL_SECONDS = 0.1
DESCRIBE_SECONDS = 1.0
SETTLE_SECONDS = 3.0
META, SERVING = "daemon", "serving"
LOCK = "daemon.lock"
# A daemon that is being stopped still holds the lock for a moment.
LOCK_SECONDS = 5.0


class Platform(Protocol):
    """One simulated cloud's way to run things."""

    async def reconcile(self, world: World) -> None:
        """Run what is deployed now, and nothing else."""
        ...

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for people."""
        ...

    async def close(self) -> None:
        """End everything."""
        ...


class Daemon:
    """Everything the sandbox serves."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout = layout
        self._store = Store(layout.store)
        self._settings = settings
        self._processes = Processes(layout.run)
        self._context = Context(self._store, layout, settings, self._processes)
        self._world = World((), layout.root)
        self._records = Records(layout.records)
        self._buckets = Buckets(layout.root)
        self._metadata: Metadata | None = None
        self._fronts: list[Front] = []
        self._scraping: asyncio.Task[None] | None = None
        self._platforms: list[Platform] = []
        self._described = ""

    async def run(self, ended: asyncio.Event) -> None:
        """Serve until ``ended``, then end every child.

        Raises:
            OSError: a port that the sandbox keeps for itself is taken.
        """
        await self._processes.guard()
        try:
            endpoints = await self._aws_services()
            self._metadata = await self._google_services()
            run = CloudRun(self._context, self._metadata.environment)
            jobs = CloudRunJobs(self._context, self._metadata.environment)
            functions, kubernetes = LambdaHost(self._context, endpoints), self._kubernetes()
            self._platforms = [run, jobs, functions, kubernetes]
            await self._metric_stores(self._metadata, run, functions, kubernetes)
            self._store.set_meta(META, json.dumps({"pid": os.getpid(), "started_at": time.time()}))
            log.info("serving what is deployed in %s", self._layout.root)
            await self._watch(ended)
        finally:
            with contextlib.suppress(PortwayError):
                self._store.set_meta(META, "")
            if self._scraping is not None:
                self._scraping.cancel()
            await asyncio.gather(*(platform.close() for platform in self._platforms))
            await asyncio.gather(*(front.close() for front in self._fronts))
            if self._metadata is not None:
                await self._metadata.close()
            self._records.close()
            await self._context.settle(SETTLE_SECONDS)
            await self._processes.release_guardian()

    def _kubernetes(self) -> Kubernetes | LiveKubernetes:
        cluster = RealCluster(self._layout)
        if cluster.is_chosen:
            return LiveKubernetes(self._context, cluster.kubeconfig)
        return Kubernetes(self._context)

    async def _aws_services(self) -> dict[str, str]:
        """Start the AWS services that functions call; returns the SDK's endpoint variables."""
        handlers = {
            bedrock.OWNER: Bedrock(
                self._current, self._settings, troubles=Troubles(self._layout, self._store)
            ).handle,
            secrets_manager.OWNER: SecretsManager(self._current).handle,
            dynamodb.OWNER: DynamoDb(self._current, self._records).handle,
        }
        addresses = {owner: await self._listen(owner, each) for owner, each in handlers.items()}
        return {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://{addresses[bedrock.OWNER]}",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://{addresses[secrets_manager.OWNER]}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{addresses[dynamodb.OWNER]}",
        }

    async def _google_services(self) -> Metadata:
        """Start the Google services that instances call, and what tells instances who they are."""
        addresses = {
            owner: f"{LOOPBACK}:{self._store.port(owner)}"
            for owner in (firestore.OWNER, storage.OWNER, hub.OWNER)
        }
        leads = {
            "FIRESTORE_EMULATOR_HOST": addresses[firestore.OWNER],
            "STORAGE_EMULATOR_HOST": f"http://{addresses[storage.OWNER]}",
            "HF_ENDPOINT": f"http://{addresses[hub.OWNER]}",
            "TIKTOKEN_ENCODINGS_BASE": f"http://{addresses[hub.OWNER]}{hub.VOCABULARIES_PATH}",
        }
        metadata = Metadata(self._context, leads)
        handlers = {
            firestore.OWNER: Firestore(self._current, self._records, metadata.account_of).handle,
            storage.OWNER: Storage(
                self._current, self._buckets, metadata.account_of, self._written
            ).handle,
            hub.OWNER: Hub(Troubles(self._layout, self._store)).handle,
        }
        for owner, handler in handlers.items():
            await self._listen(owner, handler)
        return metadata

    def _written(self, bucket: Row, name: str) -> None:
        """Let everybody who mounts a bucket see the object that was written into it."""
        self._store.event("write", bucket.key, bucket.urn, object=name)

    async def _metric_stores(
        self,
        metadata: Metadata,
        run: CloudRun,
        functions: LambdaHost,
        kubernetes: Kubernetes | LiveKubernetes,
    ) -> None:
        """Start what answers for the metrics of everything that runs."""
        logs = LogEntries(self._layout.logs)
        scraping = Prometheus(kubernetes.scraped)
        self._scraping = self._context.spawn(scraping.run())

        def instances() -> dict[str, int]:
            return {each["owner"]: each["instances"] for each in run.describe()}

        stores = {
            cloudwatch.OWNER: CloudWatch(self._current, logs, functions.peaks).handle,
            cloudwatch_logs.OWNER: CloudWatchLogs(self._current, logs).handle,
            monitoring.OWNER: Monitoring(
                self._current, logs, metadata.account_of, instances
            ).handle,
            prometheus.OWNER: scraping.handle,
        }
        for owner, handler in stores.items():
            await self._listen(owner, handler)

    async def _listen(self, owner: str, handler: Callable[[Exchange], Awaitable[None]]) -> str:
        front = Front(handler)
        self._fronts.append(front)
        return f"{LOOPBACK}:{await front.listen(self._store.port(owner))}"

    def _current(self) -> World:
        return self._world

    async def _watch(self, ended: asyncio.Event) -> None:
        seen, described_at = -1, 0.0
        mine = _file(self._layout.store)
        while not ended.is_set():
            if _file(self._layout.store) != mine:
                raise Missing(f"{self._layout.store} was removed: nothing is left to serve")
            revision = self._store.revision()
            if revision != seen:
                seen = revision
                self._world = World(self._store.all(), self._layout.root)
                kept = self._world.of(dynamodb.TABLE, firestore.DATABASE)
                self._records.keep(str(row.key) for row in kept)
                self._buckets.keep(row.key.id for row in self._world.of(BUCKET))
                for platform in self._platforms:
                    await self._reconcile(platform)
            if time.monotonic() - described_at > DESCRIBE_SECONDS:
                described_at = time.monotonic()
                self._describe()
            await _wait(ended, POLL_SECONDS)

    async def _reconcile(self, platform: Platform) -> None:
        try:
            await platform.reconcile(self._world)
        except Exception:
            # One resource that cannot be read must not stop the others from being served.
            log.exception("%s cannot serve what is deployed", type(platform).__name__)

    def _describe(self) -> None:
        """Keep what runs where ``portway sandbox status`` reads it."""
        rows = [each for platform in self._platforms for each in platform.describe()]
        described = json.dumps(rows)
        if described != self._described:
            self._described = described
            self._store.set_meta(SERVING, described)


def _file(path: Path) -> int | None:
    """Tells a file from another one that took its place; None when there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


async def _wait(ended: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return


async def _serve(layout: Layout) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    await Daemon(layout, Settings.from_environment()).run(ended)


def clean(run: Path, report: Callable[[str], None]) -> None:
    """Remove what a daemon that was killed left in ``run``: its children and their folders."""
    left = sweep(run)
    if left:
        report(f"ended {len(left)} processes that an earlier daemon left")
    for entry in run.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)


def main() -> None:
    """Run the daemon of the sandbox folder in argv; 0 when another one already does."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and one folder
        log.error("usage: python -m portway.sandbox.daemon <sandbox folder>")
        sys.exit(2)
    layout = Layout(Path(sys.argv[1]).resolve())
    layout.create()
    try:
        with FileLock(layout.run / LOCK, timeout=LOCK_SECONDS):
            clean(layout.run, log.info)
            asyncio.run(_serve(layout))
    except Timeout:
        log.info("a daemon already serves %s", layout.root)
    except (PortwayError, OSError) as error:
        log.error("%s", error)  # noqa: TRY400 - a sentence, not a traceback
        sys.exit(3)


if __name__ == "__main__":
    main()
