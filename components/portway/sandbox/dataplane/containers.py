"""A declared container as a process of this machine.

Simulated, because there is no container engine here and no right to mount anything:

- three images run. A stock Python image (``…/python``) is this virtual environment's Python; vLLM's
  (``…/vllm-openai``) is the stand-in model server, Valkey's (``…/valkey``) the stand-in database. Any
  other image fails as an image that cannot be pulled would, saying so;
- volumes are folders under the instance's own; every argument and environment value that begins with
  a mount path is rewritten to that folder. Read-only mounts are not enforced;
- containers of one instance share ``localhost`` as they should, but every port they declare is another,
  free, loopback port of this machine. ``PORT``, ``…_PORT``, ``--port N``, ``prometheus:N`` and ``localhost:N`` are rewritten,
  and a stock Python container that declares one port, beside one for scrapes, and sets no ``PORT`` is given it;
- user, capabilities, CPU and memory limits are not applied. A GPU is only a promise: a container that
  asked for one gets ``NVIDIA_VISIBLE_DEVICES``, and the stand-in model server does not start without.

The environment is what was declared and what the platform adds; nothing of the daemon's.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from portway.sandbox.dataplane.loopback import NAMES
from portway.sandbox.dataplane.probes import Probe
from portway.sandbox.dataplane.settings import PREFIX, Settings
from portway.sandbox.dataplane.world import PlatformError

_LOCAL = re.compile(r"(?<![\w.])(127\.0\.0\.1|localhost|0\.0\.0\.0)(:)(\d{1,5})(?!\d)")
_SCRAPED = re.compile(r"(prometheus:)(\d{1,5})")
_PYTHON = re.compile(r"(/usr/(local/)?bin/)?python(3(\.\d+)?)?")
_VLLM_COMMANDS = (
    ("vllm", "serve"),
    ("python3", "-m", "vllm.entrypoints.openai.api_server"),
    ("python", "-m", "vllm.entrypoints.openai.api_server"),
)


@dataclass(frozen=True)
class Mount:
    """Volume ``volume`` (or ``sub_path`` of it) seen at ``path``."""

    path: str
    volume: str
    sub_path: str = ""


@dataclass(frozen=True)
class Container:
    """A container as its platform declares it.

    Attributes:
        environment: declared, and added by the platform.
        ports: every port it declares, also in its probes.
        after: containers that must have started before this one.
        runs_to_completion: it must end with 0 before the others start.
        names_file: where a Python program looks up the cluster's names; see ``loopback``.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    mounts: tuple[Mount, ...] = ()
    ports: tuple[int, ...] = ()
    startup: Probe | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None
    after: tuple[str, ...] = ()
    has_gpu: bool = False
    runs_to_completion: bool = False
    names_file: str = ""

    def declared_ports(self) -> set[int]:
        """Every port that has to be another one here."""
        probes = (self.startup, self.liveness, self.readiness)
        ports = {*self.ports, *(probe.port for probe in probes if probe and probe.port)}
        words = (*self.command, *self.arguments)
        for word, following in zip(words, (*words[1:], ""), strict=False):
            value = following if word == "--port" else word.removeprefix("--port=")
            if word.startswith("--port") and value.isdigit():
                ports.add(int(value))
        return ports


@dataclass(frozen=True)
class Launch:
    """What to execute."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


def kind_of(image: str) -> str:
    """``python``, ``vllm`` or ``valkey``.

    Raises:
        PlatformError: the sandbox cannot run this image.
    """
    repository = image.partition("@")[0]
    last = repository.rpartition("/")[2].partition(":")[0]
    if last == "python":
        return "python"
    if last == "vllm-openai":
        return "vllm"
    if last == "valkey":
        return "valkey"
    raise PlatformError(
        f"Failed to pull image {image!r}: the sandbox runs stock Python (…/python), vLLM (…/vllm-openai) and Valkey (…/valkey) images only; use one of them, or a real account"
    )


def launch(
    container: Container, rootfs: Path, ports: Mapping[int, int], settings: Settings
) -> Launch:
    """How to run ``container`` with its files under ``rootfs`` and its ``ports`` mapped.

    Raises:
        PlatformError: the image or the command cannot run in the sandbox.
    """
    kind = kind_of(container.image)
    rewrite = Rewrite(rootfs, [mount.path for mount in container.mounts], ports)
    command = [rewrite.word(word) for word in container.command]
    arguments = rewrite.arguments(container.arguments)
    environment = rewrite.environment(container.environment)
    if kind == "vllm":
        argv = _vllm_argv(container.name, [*command, *arguments])
        environment |= {
            f"{PREFIX}MODEL_LOAD_SECONDS": str(settings.model_load_seconds),
            f"{PREFIX}TOKEN_DELAY_SECONDS": str(settings.token_delay_seconds),
        }
    elif kind == "valkey":
        argv = _valkey_argv(container.name, [*command, *arguments])
    else:
        argv = _python_argv(
            container.name, rewrite.arguments([*container.command, *container.arguments])
        )
        if container.names_file:
            environment[NAMES] = container.names_file
        own = [
            p for p in container.ports if f"prometheus:{p}" not in container.environment.values()
        ]
        if len(own) == 1 and "PORT" not in environment:
            environment["PORT"] = str(ports[own[0]])
    image = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
        "LANG": "C.UTF-8",
        "HOME": str(rootfs),
        "TMPDIR": str(rootfs / "tmp"),
    }
    gpu = {"NVIDIA_VISIBLE_DEVICES": "all"} if container.has_gpu else {}
    return Launch(argv, image | gpu | environment)


class Rewrite:
    """Paths and ports of a container in terms of this machine."""

    def __init__(self, rootfs: Path, mounts: Iterable[str], ports: Mapping[int, int]) -> None:
        self._rootfs = rootfs
        self._mounts = sorted((path.rstrip("/") for path in mounts), key=len, reverse=True)
        self._ports = ports

    def word(self, value: str) -> str:
        """``value`` with a mount path at its beginning, or after ``--option=``, and local ports mapped."""
        option, equals, rest = value.partition("=") if value.startswith("--") else ("", "", value)
        for mount in self._mounts:
            if rest == mount or rest.startswith(f"{mount}/"):
                rest = f"{self._rootfs}{rest}"
                break
        rest = _LOCAL.sub(lambda m: f"{m[1]}{m[2]}{self.port(m[3])}", rest)
        if option == "--port":
            rest = self.port(rest)
        return f"{option}{equals}{rest}"

    def port(self, declared: str) -> str:
        """The port of this machine that stands for the ``declared`` one; itself if there is none."""
        return str(self._ports.get(int(declared), declared)) if declared.isdigit() else declared

    def arguments(self, words: Iterable[str]) -> list[str]:
        """Every argument, also the number after ``--port``."""
        result: list[str] = []
        for word in words:
            after_port = bool(result) and result[-1] == "--port"
            result.append(self.port(word) if after_port else self.word(word))
        return result

    def environment(self, declared: Mapping[str, str]) -> dict[str, str]:
        """Every variable, also the number in ``PORT`` and ``…_PORT``, and every text in a JSON object."""
        return {name: self._value(name, value) for name, value in declared.items()}

    def _value(self, name: str, value: str) -> str:
        if name == "PORT" or name.endswith("_PORT"):
            return self.port(value)
        if scraped := _SCRAPED.fullmatch(value):
            return f"{scraped[1]}{self.port(scraped[2])}"
        if value.startswith("{"):
            with contextlib.suppress(ValueError):
                return json.dumps(self._within(json.loads(value)))
        return self.word(value)

    def _within(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """Every text in a JSON value."""
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return {name: self._within(each) for name, each in members.items()}
        if isinstance(value, list):
            return [self._within(each) for each in cast("list[Any]", value)]
        return self.word(value) if isinstance(value, str) else value


def _vllm_argv(name: str, words: list[str]) -> tuple[str, ...]:
    for command in _VLLM_COMMANDS:
        if tuple(words[: len(command)]) == command:
            words = words[len(command) :]
            break
    else:
        if words and not words[0].startswith("-") and "/" not in words[0]:
            raise PlatformError(_cannot_execute(name, words[0], "`vllm serve`"))
    return (sys.executable, "-m", "portway.sandbox.dataplane.model_server", *words)


def _valkey_argv(name: str, words: list[str]) -> tuple[str, ...]:
    if words and words[0] == "valkey-server":
        words = words[1:]
    elif words and not words[0].startswith("-") and not words[0].endswith(".conf"):
        raise PlatformError(_cannot_execute(name, words[0], "`valkey-server`"))
    return (sys.executable, "-m", "portway.sandbox.dataplane.valkey_server", *words)


def _python_argv(name: str, words: list[str]) -> tuple[str, ...]:
    if not words or not _PYTHON.fullmatch(words[0]):
        raise PlatformError(_cannot_execute(name, words[0] if words else "", "`python …`"))
    options: list[str] = []
    rest = words[1:]
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c"):
        options.append(rest.pop(0))
    launcher = Path(__file__).with_name("loopback.py")
    return (sys.executable, "-u", *options, str(launcher), *rest)


def _cannot_execute(name: str, word: str, what: str) -> str:
    return f'container {name!r}: exec: "{word}": executable file not found in $PATH (in this image the sandbox runs {what} only)'
