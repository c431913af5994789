"""How long `portway check` and `portway plan` take beside a preview by the real engine.

Run from the project: ``python benchmarks/bench_cli.py [--runs N] [--preview STACK]``. Prints the
median wall time of each command and its ratio to the preview, which is the time from the start of
``pulumi preview`` to its end, in the environment that ``portway sandbox env`` prints.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
STACK = "chat.prod.cloud-run"
BAD_SPEC = "name: Chat_1\nmodel: no-such-model\nscaling: {maximum: 3}\nresidency: mars\n"
PORTWAY = (str(Path(sys.executable).with_name("portway")),)


def median_seconds(
    command: Sequence[str],
    *,
    runs: int,
    folder: Path = PROJECT,
    env: Mapping[str, str] | None = None,
    expected: int = 0,
) -> float:
    """Median wall time in seconds of ``command``, after one unmeasured run; checks its exit code."""
    times: list[float] = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        ran = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        times.append(time.perf_counter() - begun)
        if ran.returncode != expected:
            sys.exit(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return statistics.median(times[1:])


def bad_project(folder: Path) -> Path:
    """A copy of the project's stacks in which every value of the spec is wrong."""
    shutil.copy(PROJECT / "Pulumi.yaml", folder)
    shutil.copytree(PROJECT / "stacks", folder / "stacks")
    (folder / "stacks" / "specs" / "chat.yaml").write_text(BAD_SPEC, encoding="utf-8")
    return folder


def sandbox_environment() -> dict[str, str] | None:
    """The environment of the embedded clouds; None where the verb cannot give one."""
    command = [*PORTWAY, "sandbox", "env", "--json"]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if ran.returncode:
        return None
    given: dict[str, Any] = json.loads(ran.stdout)
    kept = {name: value for name, value in os.environ.items() if name not in given["unset"]}
    return {**kept, **given["set"]}


def measured(runs: int) -> dict[str, float]:
    """Seconds by what was run."""
    with tempfile.TemporaryDirectory() as temporary:
        bad = bad_project(Path(temporary))
        return {
            "python -c pass": median_seconds((sys.executable, "-c", "pass"), runs=runs),
            "import pulumi": median_seconds((sys.executable, "-c", "import pulumi"), runs=runs),
            f"portway check {STACK}": median_seconds((*PORTWAY, "check", STACK), runs=runs),
            "portway check, a bad spec": median_seconds(
                (*PORTWAY, "check", STACK), runs=runs, folder=bad, expected=2
            ),
            f"portway plan {STACK}": median_seconds((*PORTWAY, "plan", STACK, "--json"), runs=runs),
        }


def preview_seconds(stack: str, runs: int) -> float | None:
    """Seconds of a preview by the real engine; None where no sandbox environment can be had."""
    env = sandbox_environment()
    if env is None:
        return None
    subprocess.run(
        ("pulumi", "stack", "init", stack), cwd=PROJECT, env=env, capture_output=True, check=False
    )
    command = ("pulumi", "preview", "--stack", stack, "--non-interactive")
    return median_seconds(command, runs=runs, env=env)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description="How long the pure verbs take beside a preview.")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--preview", metavar="STACK", default=STACK)
    arguments = parser.parse_args()
    preview = preview_seconds(arguments.preview, max(1, arguments.runs // 3))
    if preview is None:
        print("no preview: `portway sandbox env` gives no environment here", file=sys.stderr)
    print(f"{'what':<34} {'seconds':>8} {'of a preview':>13}")
    rows = measured(arguments.runs)
    if preview is not None:
        rows[f"pulumi preview {arguments.preview}"] = preview
    for name, seconds in rows.items():
        ratio = f"{seconds / preview:.1%}" if preview else "-"
        print(f"{name:<34} {seconds:>8.3f} {ratio:>13}")


if __name__ == "__main__":
    main()
