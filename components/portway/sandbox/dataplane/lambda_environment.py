"""An execution environment: the deployed zip, extracted, run as Lambda runs it.

Simulated: processor architecture and CPU share. Memory is watched, not limited: an address-space limit
would kill Python with a library such as boto3 long before Lambda does, so the process is ended when what it and its children
hold in memory exceeds what was declared.
"""

import asyncio
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portway.sandbox.dataplane.amazon_cloud import credentials
from portway.sandbox.dataplane.context import Context, until
from portway.sandbox.dataplane.front import LOOPBACK
from portway.sandbox.dataplane.instance import StartFailed
from portway.sandbox.dataplane.lambda_api import Invocation, InvocationFailed, RuntimeApi
from portway.sandbox.dataplane.processes import Process
from portway.sandbox.dataplane.world import World, child, number, text
from portway.sandbox.store import Row

TASK_ROOT = "/var/task"
INIT_SECONDS = 10.0
SETTLE_SECONDS = 2.0
GRACE_SECONDS = 0.5
MEMORY_CHECK_SECONDS = 0.5
DEFAULT_MEMORY_MB = 128
DEFAULT_TIMEOUT_SECONDS = 3
MODE_SHIFT = 16


@dataclass(frozen=True)
class Function:
    """A deployed function.

    Attributes:
        reserved: concurrent executions it may have; None leaves it to the account.
        package: the zip that was deployed.
    """

    name: str
    arn: str
    version: str
    region: str
    account: str
    role_arn: str
    handler: str
    runtime: str
    memory_mb: int
    timeout_seconds: float
    reserved: int | None
    package: Path | None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def read(cls, row: Row, world: World) -> "Function":
        """The function that ``row`` is."""
        account, _, region = row.key.scope.partition(":")
        name = text(row.inputs, "name") or text(row.outputs, "name") or row.key.id
        reserved = row.inputs.get("reservedConcurrentExecutions")
        variables = child(child(row.inputs, "environment"), "variables")
        return cls(
            name=name,
            arn=text(row.outputs, "arn") or f"arn:aws:lambda:{region}:{account}:function:{name}",
            version=text(row.outputs, "version") if row.inputs.get("publish") else "$LATEST",
            region=region,
            account=account,
            role_arn=text(row.inputs, "role"),
            handler=text(row.inputs, "handler"),
            runtime=text(row.inputs, "runtime"),
            memory_mb=int(number(row.inputs, "memorySize", DEFAULT_MEMORY_MB)),
            timeout_seconds=number(row.inputs, "timeout", DEFAULT_TIMEOUT_SECONDS),
            reserved=None if reserved is None or int(reserved) < 0 else int(reserved),
            package=world.object(row, "__object"),
            variables={str(key): str(value) for key, value in variables.items()},
        )


class Environment:
    """One process of a function; serves one invocation at a time."""

    def __init__(self, context: Context, function: Function, endpoints: Mapping[str, str]) -> None:
        self._context = context
        self._function = function
        self._endpoints = endpoints
        self._folder = context.folder(f"lambda-{function.name}")
        self._api = RuntimeApi(function.arn)
        self._process: Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._out_of_memory = False

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.alive

    async def start(self) -> None:
        """Extract the package, start the process, wait until it asks for an invocation.

        Raises:
            StartFailed: the init phase failed.
        """
        task = self._folder / "task"
        try:
            await asyncio.to_thread(_extract, self._function, task)
            (self._folder / "tmp").mkdir()
            port = await self._api.listen()
            argv = self._argv(task)
            log = self._context.log_file(f"lambda-{self._function.name}")
            spawn = self._context.processes.spawn
            self._process = await spawn(argv, self._environment(task, port), task, log)
        except (OSError, zipfile.BadZipFile) as error:
            raise StartFailed(
                self._function.name, "exited", f"Runtime.InvalidEntrypoint: {error}"
            ) from error
        self._watching = self._context.spawn(self._watch(self._process))
        settled = await until(
            lambda: self._api.polling or bool(self._api.init_error) or not self.alive,
            self._api.changed, INIT_SECONDS,
        )  # fmt: skip
        if self._api.polling:
            return
        why = (
            self._api.init_error
            or "Runtime.ExitError: Runtime exited before it asked for an invocation"
        )
        raise StartFailed(self._function.name, "exited", why if settled else "Init phase timed out")

    async def run(self, invocation: Invocation) -> None:
        """Let the function answer ``invocation``; returns when the environment is free again."""
        limit = self._function.timeout_seconds
        self._api.give(invocation)
        self._api.changed.fire()
        ended = await self._until(lambda: invocation.done.is_set() or not self.alive, limit)
        if not invocation.done.is_set():
            if not ended:
                invocation.fail(InvocationFailed(f"Task timed out after {limit:.2f} seconds"))
            else:
                why = "signal: killed" if self._out_of_memory else "exit status 1"
                invocation.fail(
                    InvocationFailed(f"Runtime.ExitError: Runtime exited with error: {why}")
                )
            await self._end()
            return
        if not await self._until(lambda: self._api.polling or not self.alive, SETTLE_SECONDS):
            await self._end()

    async def stop(self) -> None:
        """End the process and remove the folder."""
        if self._watching is not None:
            self._watching.cancel()
        await self._end()
        await self._api.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _end(self) -> None:
        if self._process is not None:
            await self._process.stop(GRACE_SECONDS)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        return await until(condition, self._api.changed, seconds)

    async def _watch(self, process: Process) -> None:
        """Wake waiters when the process ends, and end it when it holds too much memory."""
        ending = asyncio.create_task(process.wait())
        try:
            while not ending.done():
                await asyncio.wait({ending}, timeout=MEMORY_CHECK_SECONDS)
                used_mb = process.memory_bytes() / (1 << 20)
                if used_mb > self._function.memory_mb:
                    self._out_of_memory = True
                    process.kill()
        finally:
            ending.cancel()
            self._api.changed.fire()

    def _argv(self, task: Path) -> list[str]:
        command = [sys.executable, str(Path(__file__).with_name("lambda_bootstrap.py"))]
        wrapper = self._function.variables.get("AWS_LAMBDA_EXEC_WRAPPER")
        return [_in_task(wrapper, task), *command] if wrapper else command

    def _environment(self, task: Path, port: int) -> dict[str, str]:
        function, keys = self._function, credentials(self._function.role_arn)
        platform = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": str(self._folder / "tmp"),
            "LAMBDA_TASK_ROOT": str(task),
            "AWS_LAMBDA_RUNTIME_API": f"{LOOPBACK}:{port}",
            "_HANDLER": function.handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self._folder.name,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_SESSION_TOKEN": keys.session_token,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self._endpoints,
        }
        declared = {name: _in_task(value, task) for name, value in function.variables.items()}
        return declared | platform


def _in_task(value: str, task: Path) -> str:
    if value == TASK_ROOT or value.startswith(f"{TASK_ROOT}/"):
        return f"{task}{value.removeprefix(TASK_ROOT)}"
    return value


def _extract(function: Function, task: Path) -> None:
    if function.package is None:
        raise FileNotFoundError("the function has no package in this sandbox")
    task.mkdir()
    with zipfile.ZipFile(function.package) as archive:
        for entry in archive.infolist():
            extracted = Path(archive.extract(entry, task))
            mode = entry.external_attr >> MODE_SHIFT & 0o777
            if mode and extracted.is_file():
                extracted.chmod(mode | 0o600)
