"""Programs in Go and TypeScript under the built engine: their real SDKs, and a language host of ours beneath.

The official hosts of these languages come with the official engine and are in no package registry. What
a host does to run a program is little: it starts it with the addresses of the engine. This one is run by
the engine as ``pulumi-language-go`` or ``pulumi-language-nodejs``; it installs and generates nothing.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2 as messages
from pulumi.runtime.proto import plugin_pb2

from portway.engine.home import plugin_dir
from portway.engine.language_host import LanguageHost, outcome, serve
from portway.engine.version import BUILT

LANGUAGES = ("go", "nodejs")
_NODE_RUN = "node_modules/@pulumi/pulumi/cmd/run"


class ProgramHost(LanguageHost):
    """Runs ``program`` (Go, built) or ``index.js`` (Node.js) of the project's folder."""

    language = ""

    def GetPluginInfo(  # noqa: N802 - gRPC names it
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        del request, context
        return plugin_pb2.PluginInfo(version=str(BUILT))

    def GetRequiredPackages(  # noqa: N802 - as above
        self, request: messages.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> messages.GetRequiredPackagesResponse:
        """None: the project's settings name the one plugin that the programs here use."""
        del request, context
        return messages.GetRequiredPackagesResponse()

    def Run(  # noqa: N802 - as above
        self, request: messages.RunRequest, context: grpc.ServicerContext
    ) -> messages.RunResponse:
        folder = Path(request.info.program_directory)
        words, told = (self._go if self.language == "go" else self._node)(request, folder)
        settings = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        child = subprocess.Popen(
            words, cwd=folder, env={**os.environ, **settings, **told}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=sys.stderr,
        )  # fmt: skip

        def end() -> None:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)

        context.add_callback(end)
        return outcome(child.wait(), cancelled=False)

    def _go(self, request: messages.RunRequest, folder: Path) -> tuple[list[str], dict[str, str]]:
        told = {
            "PULUMI_PROJECT": request.project,
            "PULUMI_STACK": request.stack,
            "PULUMI_ORGANIZATION": request.organization,
            "PULUMI_PARALLEL": str(request.parallel),
            "PULUMI_DRY_RUN": str(request.dryRun).lower(),
            "PULUMI_MONITOR": request.monitor_address,
            "PULUMI_ENGINE": self._engine,
        }
        return [str(folder / "program")], told

    def _node(self, request: messages.RunRequest, folder: Path) -> tuple[list[str], dict[str, str]]:
        flags = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "root-directory": request.info.root_directory,
            "pwd": str(folder),
            "parallel": str(request.parallel),
        }
        words = [word for name, value in flags.items() for word in (f"--{name}", value)]
        dry = ["--dry-run"] if request.dryRun else []
        return ["node", str(folder / _NODE_RUN), *words, *dry, str(folder / "index.js")], {}


def install_host(home: Path, language: str) -> None:
    """Let the engine of ``home`` find this host for ``language``."""
    launcher = (
        plugin_dir(home, language, str(BUILT), kind="language") / f"pulumi-language-{language}"
    )
    launcher.parent.mkdir(parents=True, exist_ok=True)
    words = shlex.join([sys.executable, "-u", str(Path(__file__).resolve()), language])
    launcher.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)


if __name__ == "__main__":
    ProgramHost.language = sys.argv[1]
    serve(sys.argv[-1], ProgramHost)
