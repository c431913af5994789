"""How long the function takes from the start of its process to its first request, beside bare Python.

Run from the project: ``python benchmarks/bench_cold_start.py [--runs N]``. Starts the very zip that is
deployed, as Lambda does, against a Runtime API that only notes when it is asked for work; the folder with
the code is read-only there, so that its bytecode is made at each start and kept at none. Prints wall and
processor time of a start, for each way to call Bedrock, and their ratio to an interpreter that does
nothing; beside them what making one client of the AWS SDK takes, which the runtime does without.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

from portway.bundle import runtime_archive

GOAL_SECONDS = 0.3
SDK = "import botocore.session as s; s.get_session().create_client('bedrock-runtime', 'eu-west-1')"
ENVIRONMENT = {
    "PORTWAY_SERVICE": "chat", "PORTWAY_MODEL": "gpt-oss-20b", "PORTWAY_MODEL_OWNER": "openai",
    "PORTWAY_MODEL_CREATED": "1", "PORTWAY_UPSTREAM": "bedrock:openai.gpt-oss-20b-1:0",
    "PORTWAY_AUTH": "iam", "PORTWAY_CONTEXT_TOKENS": "32768", "PORTWAY_MAX_OUTPUT_TOKENS": "4096",
    "PORTWAY_MAX_BODY_BYTES": "4194304", "PORTWAY_CONCURRENCY": "1", "PORTWAY_TIMEOUT_SECONDS": "60",
    "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


def started(
    command: list[str], folder: Path, env: Mapping[str, str], api: socket.socket | None
) -> tuple[float, float]:
    """Wall and processor seconds until the process asks ``api`` for work, or ends without one."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=dict(env), stdout=subprocess.DEVNULL)
    if api is not None:
        asked, _ = api.accept()
        with asked:
            asked.recv(1)
            wall = time.perf_counter() - begun
            process.kill()
            _, _, used = os.wait4(process.pid, 0)
    else:
        _, _, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
    process.returncode = 0
    return wall, used.ru_utime + used.ru_stime


def measured(
    command: list[str], folder: Path, env: Mapping[str, str], api: socket.socket | None, runs: int
) -> tuple[float, float]:
    """The medians, after one run that is not counted: it brings the files into memory."""
    found = [started(command, folder, env, api) for _ in range(runs + 1)][1:]
    return statistics.median(wall for wall, _ in found), statistics.median(cpu for _, cpu in found)


def main() -> int:
    """Measure, print, and return 1 where a start takes longer than the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs: int = parser.parse_args().runs
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    base = {**kept, **ENVIRONMENT}
    with_sdk = {**base, "PYTHONPATH": sysconfig.get_path("purelib")}
    with tempfile.TemporaryDirectory() as made, socket.create_server(("127.0.0.1", 0)) as api:
        folder = Path(made)
        with zipfile.ZipFile(runtime_archive().path) as archive:
            archive.extractall(folder)
        (folder / "run").chmod(0o755)
        lambda_ = {**base, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.getsockname()[1]}"}
        lambda_ |= {"LAMBDA_TASK_ROOT": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        wrapped = [str(folder / "run"), sys.executable, "/var/runtime/bootstrap.py"]
        native = {**lambda_, "PORTWAY_BEDROCK_API": "openai"}
        bare = measured([sys.executable, "-S", "-c", "pass"], folder, base, None, runs)
        rows = {
            "bare Python": bare,
            "AWS SDK's client alone": measured(
                [sys.executable, "-c", SDK], folder, with_sdk, None, runs
            ),
            "runtime, Converse": measured(wrapped, folder, lambda_, api, runs),
            "runtime, OpenAI endpoint": measured(wrapped, folder, native, api, runs),
        }
    print(f"{'':28}{'wall ms':>9}{'cpu ms':>9}{'x bare':>9}")
    for name, (wall, cpu) in rows.items():
        print(f"{name:28}{wall * 1000:9.0f}{cpu * 1000:9.0f}{cpu / bare[1]:9.1f}")
    late = [name for name, (_, cpu) in rows.items() if "runtime" in name and cpu > GOAL_SECONDS]
    print(
        f"goal: {GOAL_SECONDS * 1000:.0f} ms of processor time; over it: {', '.join(late) or 'none'}"
    )
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())
