"""Children never outlive the process that started them, however it ends."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from portway.sandbox.dataplane.processes import Processes, recorded, records, sweep

PARENT = """
import asyncio, sys
from pathlib import Path
from portway.sandbox.dataplane.processes import Processes

async def main():
    run = Path(sys.argv[1])
    processes = Processes(run)
    await processes.guard()
    code = "import subprocess, sys, time; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True); time.sleep(600)"
    child = await processes.spawn([sys.executable, "-c", code], {}, run, run / "child.log")
    print(child.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def ended(pid: int) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_a_killed_parent_takes_its_children_and_theirs_along(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    log = tmp_path / "child.log"
    while not log.read_text().strip():
        time.sleep(0.02)
    grandchild = int(log.read_text())
    assert recorded(tmp_path) == [child]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert ended(child)
    assert ended(grandchild)


def test_a_child_runs_with_its_environment_only_and_its_record_ends_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        processes = Processes(tmp_path)
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        argv = [sys.executable, "-c", code]
        child = await processes.spawn(argv, {"A": "b"}, tmp_path, tmp_path / "log")
        assert await child.wait() == 0
        assert not child.alive
        assert child.memory_bytes() == 0

    asyncio.run(main())
    seen = json.loads((tmp_path / "log").read_text())
    assert seen.keys() <= {"A", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}
    assert list(records(tmp_path).iterdir()) == []


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    async def main() -> int:
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
        child = await Processes(tmp_path).spawn(
            [sys.executable, "-c", code], {}, tmp_path, tmp_path / "log"
        )
        while not (tmp_path / "log").read_text():
            await asyncio.sleep(0.02)
        await child.stop(0.2)
        return await child.wait()

    assert asyncio.run(main()) == -signal.SIGKILL


def test_a_record_of_another_process_with_the_same_id_ends_nothing(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        Processes(tmp_path)
        (records(tmp_path) / str(stranger.pid)).write_text("12345.0")
        (records(tmp_path) / "999999999").write_text("1.0")
        assert sweep(tmp_path) == []
        assert stranger.poll() is None
        assert list(records(tmp_path).iterdir()) == []
    finally:
        stranger.kill()
        stranger.wait()
