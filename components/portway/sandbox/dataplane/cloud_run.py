"""Cloud Run: services that scale from zero, verified when deployed, rolled without a failed request.

Simulated: time is shorter (see ``Settings``), all traffic goes to the newest ready revision, an instance
is a set of processes on this machine. An ID token is read, not verified: with private access a
``Authorization: Bearer`` token whose ``email`` is an invoker and whose ``aud`` is the service's URL is let in.
"""

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from portway.sandbox.dataplane.cloud_run_template import (
    Template,
    account_of,
    read_template,
    template_digest,
)
from portway.sandbox.dataplane.context import Context
from portway.sandbox.dataplane.front import Exchange, Front
from portway.sandbox.dataplane.google_cloud import SERVICE, invokers, last
from portway.sandbox.dataplane.google_front_end import Refusal, access, not_found
from portway.sandbox.dataplane.instance import Instance, StartFailed
from portway.sandbox.dataplane.pool import Exhausted, Limits, Pool
from portway.sandbox.dataplane.proxy import UpstreamFailed, forward
from portway.sandbox.dataplane.troubles import NO_CAPACITY, Troubled, Troubles
from portway.sandbox.dataplane.world import PlatformError, World, fingerprint, text
from portway.sandbox.store import Row

log = logging.getLogger(__name__)

NO_INSTANCE_BUSY = "Rate exceeded."
AFFINITY = "GAESA"
"""The cookie of session affinity, as Google's front end names it."""

PUBLIC_INGRESS = ("", "INGRESS_TRAFFIC_ALL")

Environment = Callable[[str, str], Awaitable[Mapping[str, str]]]
"""What leads Google's clients to the sandbox, for a project's service account."""


class CloudRun:
    """Every deployed service of every project."""

    def __init__(self, context: Context, environment: Environment) -> None:
        self._context = context
        self._environment = environment
        self._services: dict[str, Service] = {}

    async def reconcile(self, world: World) -> None:
        """Serve what is deployed now, and nothing else."""
        rows = {str(row.key): row for row in world.of(SERVICE)}
        for owner in self._services.keys() - rows.keys():
            self._context.spawn(self._services.pop(owner).close())
        for owner, row in rows.items():
            if owner not in self._services:
                self._services[owner] = Service(self._context, self._environment, row, world)
            await self._services[owner].apply(row, world)

    def describe(self) -> list[dict[str, Any]]:
        """What runs, for people."""
        return [service.describe() for service in self._services.values()]

    async def close(self) -> None:
        """End every instance."""
        await asyncio.gather(*(service.close() for service in self._services.values()))


class Revision:
    """One template and its instances."""

    def __init__(
        self,
        context: Context,
        name: str,
        template: Template,
        platform: Mapping[str, str],
        log_name: str,
    ) -> None:
        self._context = context
        self._platform = platform
        self._log_name = log_name
        self.name = name
        self.template = template
        self._troubles = Troubles(context.layout, context.store)
        self.pool: Pool[Instance] = Pool(context, self._instance, self._limits(template))

    def _instance(self) -> Instance:
        template = self.template
        containers = [
            replace(each, environment={**self._platform, **each.environment})
            for each in template.containers
        ]
        service = template.containers[0].environment["K_SERVICE"]
        due = self._troubles.due("start", SERVICE, service)
        kind = Troubled if due else Instance
        instance = kind(
            self._context, self.name, containers, template.volumes,
            restarts=False, log_name=self._log_name,
        )  # fmt: skip
        if isinstance(instance, Troubled):
            instance.fault = due[0]
        return instance

    def update(self, template: Template) -> None:
        """Take what may change without a new revision: scaling, and secrets that were rotated."""
        self.template = template
        self.pool.limits = self._limits(template)
        for instance in self.pool.members:
            instance.refresh(template.volumes)

    def _limits(self, template: Template) -> Limits:
        settings = self._context.settings
        least = min(template.least, int(settings.most_warm))
        return Limits(
            least, max(template.most, template.least, 1), template.concurrency,
            settings.idle_seconds, settings.queue_seconds,
        )  # fmt: skip


class Service:
    """One service: its address, its access, the revision that serves, and those that drain."""

    def __init__(self, context: Context, environment: Environment, row: Row, world: World) -> None:
        self._context = context
        self._environment = environment
        self._row = row
        self._world = world
        self._seen: tuple[int, float] | None = None
        self._front = Front(self.handle)
        self._current: Revision | None = None
        self._deploying: asyncio.Task[None] | None = None
        self._draining: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """The service's own name."""
        return last(self._row.key.id)

    async def apply(self, row: Row, world: World) -> None:
        """Take a new snapshot; deploy when the service itself was changed."""
        self._row, self._world = row, world
        if self._seen == fingerprint(row):
            self._refresh()
            return
        self._seen = fingerprint(row)
        if self._deploying is not None:
            self._deploying.cancel()
            await asyncio.gather(self._deploying, return_exceptions=True)
        self._deploying = self._context.spawn(self._deploy(row, world))

    def describe(self) -> dict[str, Any]:
        """What runs, for people."""
        revision = self._current
        return {
            "owner": str(self._row.key),
            "resource": f"Cloud Run service {self.name}",
            "endpoint": f"http://127.0.0.1:{self._front.port}",
            "instances": revision.pool.size if revision else 0,
        }

    async def close(self) -> None:
        """Stop serving and end every instance."""
        tasks = [task for task in (self._deploying, *self._draining) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._front.close()
        if self._current is not None:
            await self._current.pool.close()

    def _refresh(self) -> None:
        if self._current is None:
            return
        try:
            self._current.update(read_template(self._row, self._world, self._current.name))
        except PlatformError as error:
            # A running revision keeps what it has read; only new instances would need it.
            log.warning("%s: %s", self.name, error)

    async def _deploy(self, row: Row, world: World) -> None:
        try:
            if not self._front.port:
                await self._front.listen(self._context.port(str(row.key)))
            await self._roll(row, world)
        except PlatformError as error:
            self._context.report(row, ready=False, message=str(error))
        except OSError as error:
            message = f"the sandbox cannot listen for the service: {error}"
            self._context.report(row, ready=False, message=message)
        except Exception as error:
            log.exception("%s cannot be deployed", self.name)
            self._context.report(row, ready=False, message=f"the sandbox failed: {error!r}")
        else:
            self._context.report(row, ready=True)

    async def _roll(self, row: Row, world: World) -> None:
        current = self._current
        if current is not None and current.template.digest == template_digest(row):
            current.update(read_template(row, world, current.name))
            return
        name = f"{self.name}-{row.generation:05d}-{uuid.uuid4().hex[:3]}"
        log_name = f"cloud-run-{self.name}"
        template = read_template(row, world, name)
        platform = await self._environment(row.key.scope, account_of(row))
        revision = Revision(self._context, name, template, platform, log_name)
        known = self._context.store.status(str(row.key))
        verified = known is not None and known.ready and known.generation == row.generation
        try:
            if not verified or current is not None:
                await revision.pool.verify()
        except StartFailed as error:
            await revision.pool.close()
            raise PlatformError(_not_ready(name, revision.template, error)) from error
        except BaseException:
            await revision.pool.close()
            raise
        self._current = revision
        if current is not None:
            drain = current.pool.close(current.template.timeout_seconds)
            task = self._context.spawn(drain)
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request as Google's front end and Cloud Run would."""
        revision = self._current
        refusal = self._refusal(exchange)
        if refusal is not None:
            await exchange.reply(refusal.status, refusal.page, refusal.content_type)
            return
        if revision is None:
            await exchange.reply(503, "Service Unavailable", "text/plain")
            return
        try:
            async with asyncio.timeout(revision.template.timeout_seconds):
                await self._serve(exchange, revision)
        except TimeoutError:
            await _fail(exchange, 504, "upstream request timeout")
        except Exhausted:
            await _fail(exchange, 429, NO_INSTANCE_BUSY)
        except StartFailed as error:
            log.warning("%s: %s", revision.name, error)
            await _fail(exchange, 500, NO_CAPACITY)
        except UpstreamFailed as error:
            log.warning("%s: %s", revision.name, error)
            await _fail(exchange, 503, "Service Unavailable")

    async def _serve(self, exchange: Exchange, revision: Revision) -> None:
        keeps = revision.template.keeps_clients
        known = _cookie(exchange) if keeps else ""
        async with revision.pool.use(lambda one: _mark(one) == known) as instance:
            trace = uuid.uuid4().hex
            added = [
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-proto", "https"),
                ("x-cloud-trace-context", f"{trace}/1;o=0"),
            ]
            port = instance.port(revision.template.port)
            platform = [("server", "Google Frontend")]
            if keeps and _mark(instance) != known:
                platform.append(("set-cookie", f"{AFFINITY}={_mark(instance)}; path=/; HttpOnly"))
            await forward(exchange, port, added=added, answer_headers=platform)

    def _refusal(self, exchange: Exchange) -> Refusal | None:
        if text(self._row.inputs, "ingress") not in PUBLIC_INGRESS:
            return not_found()
        if self._row.inputs.get("invokerIamDisabled"):
            return None
        return access(exchange, invokers(self._world, self._row), self._audiences())

    def _audiences(self) -> frozenset[str]:
        own = f"http://127.0.0.1:{self._front.port}"
        custom: list[str] = self._row.inputs.get("customAudiences") or []
        return frozenset({own, text(self._row.outputs, "uri"), *custom})


def _not_ready(revision: str, template: Template, error: StartFailed) -> str:
    declared = next(c for c in template.containers if c.name == error.container)
    if error.reason in ("image", "capacity"):
        why = f"{error}"
    elif error.reason == "probe" and declared.startup and declared.startup.kind == "http":
        why = f"The user-provided container failed the configured startup probe checks. Logs for this revision might contain more information. ({error.container}: {error})"
    else:
        port = declared.startup.port if declared.startup else template.port
        why = f"The user-provided container failed to start and listen on the port defined provided by the PORT={port} environment variable within the allocated timeout. This can happen when the container port is misconfigured or if the timeout is too short. Logs for this revision might contain more information. ({error.container}: {error})"
    return f"Revision '{revision}' is not ready and cannot serve traffic. {why}"


def _cookie(exchange: Exchange) -> str:
    """The mark of the instance that the client met before; "" where it sends none back."""
    pairs = (pair.strip().partition("=") for pair in (exchange.header("cookie") or "").split(";"))
    return next((value for name, _, value in pairs if name == AFFINITY), "")


def _mark(instance: Instance) -> str:
    return hashlib.sha256(str(instance.folder).encode()).hexdigest()[:16]


async def _fail(exchange: Exchange, status: int, message: str) -> None:
    if exchange.started:
        exchange.abort()
    else:
        await exchange.reply(status, message, "text/plain")
