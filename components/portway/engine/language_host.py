"""The Python language host: what an engine without its official one asks to run Python.

An executable ``pulumi-language-python`` starts this module; it prints its port and serves
``pulumirpc.LanguageRuntime`` on loopback until the engine is gone.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Generator
from concurrent import futures
from pathlib import Path
from typing import IO, Any, NoReturn

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2 as messages
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

from portway.engine import packages, program
from portway.engine.children import Child, Children
from portway.engine.interpreter import (
    Interpreter,
    installing,
    interpreter_of,
    virtualenv_of,
)
from portway.errors import Missing

_MESSAGE_BYTES = 400 * 2**20
_CHUNK_BYTES = 64 * 2**10
_THREADS = 64
_PROGRAM = str(program.__file__)


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Serves programs, policy packs and plugins written in Python."""

    def __init__(self, engine: str) -> None:
        """``engine`` is the address the engine gave as argument."""
        self._engine = engine
        self.children = Children()

    def Handshake(  # noqa: N802 - gRPC names it
        self,
        request: messages.LanguageHandshakeRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC gives it
    ) -> messages.LanguageHandshakeResponse:
        """Nothing to agree on but the engine's address, which attaching engines send here."""
        self._engine = request.engine_address or self._engine
        return messages.LanguageHandshakeResponse()

    def GetPluginInfo(  # noqa: N802 - gRPC names it
        self,
        request: empty_pb2.Empty,  # noqa: ARG002 - gRPC gives it
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC gives it
    ) -> plugin_pb2.PluginInfo:
        """The SDK's version: this host is as new as the SDK it runs programs with."""
        return plugin_pb2.PluginInfo(version=dict(packages.inspect()["dependencies"])["pulumi"])

    def GetRequiredPackages(  # noqa: N802 - gRPC names it
        self, request: messages.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> messages.GetRequiredPackagesResponse:
        """The resource plugins of what is installed in the program's environment."""
        response = messages.GetRequiredPackagesResponse()
        interpreter = self._interpreter(request.info, context, create=True)
        for package in self._inspected(interpreter, context)["packages"]:
            fields = {name: value for name, value in package.items() if value is not None}
            dependency = plugin_pb2.PackageDependency()
            json_format.ParseDict({**fields, "kind": "resource"}, dependency)
            response.packages.append(dependency)  # pyright: ignore[reportUnknownMemberType] - the SDK's stub names no such module
        return response

    def GetProgramDependencies(  # noqa: N802 - gRPC names it
        self, request: messages.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> messages.GetProgramDependenciesResponse:
        """Every distribution in the program's environment, whether asked for transitively or not."""
        response = messages.GetProgramDependenciesResponse()
        interpreter = self._interpreter(request.info, context)
        for name, version in self._inspected(interpreter, context)["dependencies"]:
            response.dependencies.add(name=name, version=version)
        return response

    def About(  # noqa: N802 - gRPC names it
        self, request: messages.AboutRequest, context: grpc.ServicerContext
    ) -> messages.AboutResponse:
        """Which Python runs the program."""
        interpreter = self._interpreter(request.info, context)
        return messages.AboutResponse(
            executable=str(interpreter.python), version=interpreter.version()
        )

    def Run(  # noqa: N802 - gRPC names it
        self, request: messages.RunRequest, context: grpc.ServicerContext
    ) -> messages.RunResponse:
        """Run the program to its end."""
        if request.attach_debugger:
            return messages.RunResponse(
                error="Portway's language host attaches no debugger; use Pulumi's own engine for that"
            )
        interpreter = self._interpreter(request.info, context)
        settings = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        folder = Path(request.info.program_directory)
        child = self.children.start(
            [str(interpreter.python), "-u", _PROGRAM, "run", *self._arguments(request)],
            cwd=folder,
            environment={**interpreter.environment(os.environ), **settings},
            piped=False,
        )
        context.add_callback(child.kill)
        code = child.wait()
        self.children.forget(child)
        return outcome(code, cancelled=child.cancelled)

    def RunPlugin(  # noqa: N802 - gRPC names it
        self, request: messages.RunPluginRequest, context: grpc.ServicerContext
    ) -> Generator[messages.RunPluginResponse]:
        """Run a policy pack or a plugin; stream what it prints, then its exit code."""
        interpreter = self._interpreter(request.info, context, plugin=True)
        folder = request.info.program_directory
        target = (
            ["--module", "pulumi.policy", *request.args, folder]
            if request.kind == "analyzer"
            else [folder, *request.args]
        )
        given = dict(word.split("=", 1) for word in request.env if "=" in word)
        child = self.children.start(
            [str(interpreter.python), "-u", _PROGRAM, "plugin", *target],
            cwd=Path(request.pwd or folder),
            environment=interpreter.environment(given or os.environ),
            piped=True,
        )
        context.add_callback(child.stop)
        yield from _printed(child)
        code = child.wait()
        self.children.forget(child)
        yield messages.RunPluginResponse(exitcode=code)

    def InstallDependencies(  # noqa: N802 - gRPC names it
        self, request: messages.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Generator[messages.InstallDependenciesResponse]:
        """Make the environment that is missing and install requirements.txt into it."""
        folder = Path(request.info.program_directory or request.directory)
        try:
            virtualenv = virtualenv_of(_options(request.info), Path(request.info.root_directory))
            for line in installing(virtualenv, folder):
                yield messages.InstallDependenciesResponse(stdout=line)
        except Missing as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    def Cancel(  # noqa: N802 - gRPC names it
        self,
        request: empty_pb2.Empty,  # noqa: ARG002 - gRPC gives it
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC gives it
    ) -> empty_pb2.Empty:
        """End everything now: after a refusal nobody waits for the program any more."""
        self.children.kill_all()
        return empty_pb2.Empty()

    def _arguments(self, request: messages.RunRequest) -> list[str]:
        info = request.info
        words = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "root": info.root_directory,
            "pwd": request.pwd or info.program_directory,
            "parallel": str(request.parallel),
        }
        flags = [f"--{name}={value}" for name, value in words.items()]
        dry = ["--dry-run"] if request.dryRun else []
        entry = Path(info.program_directory) / (info.entry_point or ".")
        return [*flags, *dry, str(entry), *request.args]

    def _interpreter(
        self,
        info: messages.ProgramInfo,
        context: grpc.ServicerContext,
        *,
        plugin: bool = False,
        create: bool = False,
    ) -> Interpreter:
        try:
            root = Path(info.root_directory or info.program_directory)
            virtualenv = virtualenv_of(_options(info), root, plugin=plugin)
            if create and virtualenv is not None and not virtualenv.exists():
                for line in installing(virtualenv, Path(info.program_directory)):
                    sys.stderr.buffer.write(line)
            return interpreter_of(virtualenv)
        except Missing as error:
            _abort(context, error)

    def _inspected(self, interpreter: Interpreter, context: grpc.ServicerContext) -> dict[str, Any]:
        try:
            return interpreter.inspect()
        except Missing as error:
            _abort(context, error)


def outcome(code: int, *, cancelled: bool) -> messages.RunResponse:
    """What the engine is told about a program that ended with ``code`` (negative: a signal)."""
    if code == 0:
        return messages.RunResponse()
    if code == program.SHOWN or cancelled:
        return messages.RunResponse(bail=True)
    if code < 0:
        name = signal.Signals(-code).name
        return messages.RunResponse(error=f"Program was ended by {name}")
    return messages.RunResponse(error=f"Program exited with non-zero exit code: {code}")


def _options(info: messages.ProgramInfo) -> dict[str, Any]:
    return dict(json_format.MessageToDict(info.options))


def _abort(context: grpc.ServicerContext, error: Missing) -> NoReturn:
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    raise error


def _printed(child: Child) -> Generator[messages.RunPluginResponse]:
    chunks: queue.Queue[messages.RunPluginResponse | None] = queue.Queue()

    def pump(stream: IO[bytes] | None, *, errors: bool) -> None:
        if stream is not None:
            with stream:
                while chunk := os.read(stream.fileno(), _CHUNK_BYTES):
                    chunks.put(
                        messages.RunPluginResponse(stderr=chunk)
                        if errors
                        else messages.RunPluginResponse(stdout=chunk)
                    )
        chunks.put(None)

    for stream, errors in ((child.stdout, False), (child.stderr, True)):
        threading.Thread(
            target=pump, args=(stream,), kwargs={"errors": errors}, daemon=True
        ).start()
    for _ in range(2):
        yield from iter(chunks.get, None)


def serve(engine: str, host_type: type[LanguageHost] = LanguageHost) -> None:
    """Serve until the engine closes our standard input, or a signal says so."""
    options = [
        ("grpc.max_receive_message_length", _MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=options)
    host = host_type(engine)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    stop = threading.Event()

    def end(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's signature
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    threading.Thread(target=_until_closed, args=(stop,), daemon=True).start()
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stop.wait()
    host.children.kill_all()
    server.stop(0)
    sys.stdout.flush()
    # gRPC's and the pool's threads may still hold streams of children that were just ended.
    os._exit(0)


def _until_closed(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), _CHUNK_BYTES):
        pass
    stop.set()
