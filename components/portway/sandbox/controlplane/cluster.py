"""A real control plane for one sandbox: made, started, found again, ended.

Everything of it lies in ``.portway/kubernetes``; ``.portway/kubeconfig`` says that it was chosen and how it
is reached. Its processes are known by their command lines, which all name that folder: so they are found
whoever was killed, and nothing else is ever ended. What was deployed stays when they end.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from portway.engine.progress import Progress, phase, silent
from portway.errors import Missing
from portway.sandbox.controlplane.install import install
from portway.sandbox.controlplane.parts import (
    CONTEXT,
    LOOPBACK,
    Folder,
    Ports,
    commands,
    kubeconfig,
)
from portway.sandbox.controlplane.programs import KUBERNETES_VERSION, Programs
from portway.sandbox.controlplane.server import ServerApi
from portway.sandbox.layout import Layout

KUBECONFIG = "kubeconfig"
START_SECONDS = 90.0
# a part that cannot read its flags or its configuration ends within this
SETTLE_SECONDS = 1.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05
_USERS = ("admin", "controller-manager", "scheduler")
_STAGES = Path(__file__).with_name("stages.yaml")


@dataclass(frozen=True)
class RealCluster:
    """The control plane that belongs to one sandbox.

    Attributes:
        layout: the sandbox.
    """

    layout: Layout

    @property
    def folder(self) -> Folder:
        """Where it keeps its things."""
        return Folder(self.layout.root / "kubernetes")

    @property
    def kubeconfig(self) -> Path:
        """What programs reach it by; there from the first start until it is forgotten."""
        return self.layout.root / KUBECONFIG

    @property
    def is_chosen(self) -> bool:
        """Whether this sandbox's Kubernetes is the real one, running or not."""
        return self.kubeconfig.is_file() and self.folder.root.is_dir()

    def running(self) -> dict[str, psutil.Process]:
        """Its parts that run now, by name."""
        return {_name(words): process for process, words in _ours(self.folder.root)}

    def api(self) -> ServerApi:
        """Its API server, as its administrator.

        Raises:
            Missing: it does not answer.
        """
        return ServerApi.connect(self.kubeconfig, CONTEXT)

    def is_ready(self) -> bool:
        """Whether all of it runs and the API server answers."""
        if not self.kubeconfig.is_file() or len(self.running()) != len(_names()):
            return False
        try:
            with self.api() as api:
                return _is_ready(api)
        except Missing:
            return False

    def start(self, programs: Programs, progress: Progress = silent) -> bool:
        """Start what does not run, with everything installed; False when all of it ran already.

        Raises:
            Missing: a part of it does not start; shows the end of its log.
        """
        if self.is_ready():
            return False
        self.stop()
        text = f"starting Kubernetes {KUBERNETES_VERSION}"
        with phase(text, progress) as current:
            try:
                self._start(programs)
                current.detail = "installing custom resources and device classes"
                with ServerApi.connect(self.folder.kubeconfig("admin"), CONTEXT) as api:
                    install(api)
            except BaseException:
                self.stop()
                raise
        self._publish()
        return True

    def stop(self) -> list[int]:
        """End its processes; returns their ids. What was deployed stays."""
        ended = [process for process, _ in _ours(self.folder.root)]
        for process in ended:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(ended, timeout=STOP_SECONDS)
        return [process.pid for process in ended]

    def forget(self) -> None:
        """End it and remove it with everything that was deployed there."""
        self.stop()
        self.kubeconfig.unlink(missing_ok=True)
        shutil.rmtree(self.folder.root, ignore_errors=True)

    def log_file(self, part: str) -> Path:
        """Where ``part`` writes."""
        return self.layout.logs / f"{part}.log"

    def _start(self, programs: Programs) -> None:
        folder = self.folder
        folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._make_certificates(programs)
        ports = Ports(*_free_ports(3))
        for user in _USERS:
            _write(folder.kubeconfig(user), json.dumps(kubeconfig(folder, ports, user), indent=2))
        _write(folder.stages, _STAGES.read_text("utf-8"))
        wanted = commands(programs, folder, ports)
        deadline = time.monotonic() + START_SECONDS
        etcd = self._spawn("etcd", wanted["etcd"])
        _wait(lambda: _listens(ports.etcd), lambda: self._check("etcd", etcd), deadline)
        server = self._spawn("kube-apiserver", wanted["kube-apiserver"])

        def answers() -> bool:
            with (
                contextlib.suppress(Missing),
                ServerApi.connect(folder.kubeconfig("admin"), CONTEXT) as api,
            ):
                return _is_ready(api)
            return False

        _wait(answers, lambda: self._check("kube-apiserver", server), deadline)
        rest = {each: self._spawn(each, wanted[each]) for each in list(wanted)[2:]}
        deadline_to_fail = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline_to_fail:
            for name, process in rest.items():
                self._check(name, process)
            time.sleep(POLL_SECONDS)
        for process in (etcd, server, *rest.values()):
            # They are on their own now: an object that is dropped would warn that nobody waits for it.
            process.returncode = 0

    def _make_certificates(self, programs: Programs) -> None:
        if self.folder.pair("etcd")[1] and (self.folder.pki / "service-accounts.key").is_file():
            return  # the last file that is made is there
        made = subprocess.run(
            [str(programs.controlplane), "pki", str(self.folder.pki)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            raise Missing(f"the control plane's certificates cannot be made: {made.stderr.strip()}")

    def _spawn(self, name: str, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        environment = {"PATH": os.defpath, "HOME": str(self.folder.root)}
        with self.log_file(name).open("wb") as log:
            return subprocess.Popen(
                words, cwd=self.folder.root, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip

    def _check(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        code = process.poll()
        if code is None:
            return
        lines = self.log_file(name).read_text("utf-8", "replace").splitlines()[-5:]
        said = "\n  ".join(lines) or "it said nothing"
        raise Missing(
            f"{name} ended with {code} while it was starting; the end of its log:\n  {said}"
        )

    def _publish(self) -> None:
        """Say that the real cluster is in use; last, so that nobody meets one that is half made."""
        _write(self.kubeconfig, self.folder.kubeconfig("admin").read_text("utf-8"))


def _names() -> tuple[str, ...]:
    return ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


def _name(words: Sequence[str]) -> str:
    return "etcd" if Path(words[0]).name == "etcd" else words[1]


def _ours(root: Path) -> list[tuple[psutil.Process, list[str]]]:
    """Processes of the control plane in ``root``: the programs' names, and that folder in a flag."""
    found: list[tuple[psutil.Process, list[str]]] = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if len(words) < 3 or Path(words[0]).name not in ("etcd", "controlplane"):  # noqa: PLR2004 - program, part, a flag
                continue
            if any(f"={root}{os.sep}" in word for word in words[1:]):
                found.append((process, words))
        except psutil.Error:
            continue
    return [each for each in found if each[0].status() != psutil.STATUS_ZOMBIE]


def _is_ready(api: ServerApi) -> bool:
    try:
        return api.client.get("/readyz").is_success
    except httpx.HTTPError:
        return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _wait(done: Callable[[], bool], check: Callable[[], None], deadline: float) -> None:
    while not done():
        check()
        if time.monotonic() > deadline:
            raise Missing(f"the control plane did not answer within {START_SECONDS:.0f} seconds; its logs: `portway sandbox logs`")  # fmt: skip
        time.sleep(POLL_SECONDS)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(text, "utf-8")
    partial.replace(path)
