"""Runs a Pulumi program, policy pack or plugin in the interpreter its author chose.

Started by the language host as a script, under an interpreter that may know nothing of Portway:
it imports the standard library and, for a program, the Pulumi SDK.

    program.py run --lifeline FD --monitor … --engine … ENTRY
    program.py plugin --lifeline FD [--module] TARGET ARGUMENT…
"""

import argparse
import asyncio
import logging
import os
import runpy
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import NoReturn

SHOWN = 32
"""Exit code that tells the host: the failure has been shown already."""


def main(arguments: list[str]) -> NoReturn:
    """Do what the host asked and end with the outcome's exit code."""
    if sys.path and sys.path[0] == str(Path(__file__).parent):
        sys.path.pop(0)
    mode, rest = arguments[0], arguments[1:]
    parser = argparse.ArgumentParser(prog="program.py")
    parser.add_argument("--lifeline", type=int, required=True)
    if mode == "plugin":
        parser.add_argument("--module", action="store_true")
    else:
        for name in ("monitor", "engine", "project", "stack", "organization", "root", "pwd"):
            parser.add_argument(f"--{name}", default="")
        parser.add_argument("--parallel", type=int, default=0)
        parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("target")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(rest)
    _follow(options.lifeline)
    sys.argv = [options.target, *options.arguments]
    if mode == "plugin":
        _run_plugin(options.target, module=options.module)
        sys.exit(0)
    sys.exit(_run_program(options))


def _follow(lifeline: int) -> None:
    """End this process when the host that holds the other end of ``lifeline`` is gone."""

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_plugin(target: str, *, module: bool) -> None:
    if module:
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(target, run_name="__main__")


def _run_program(options: argparse.Namespace) -> int:
    try:
        import pulumi  # noqa: PLC0415 - the author's environment may lack it
        import pulumi.runtime  # noqa: PLC0415 - as above
    except ImportError:
        traceback.print_exc()
        sys.stderr.write(
            f"\nThe Pulumi SDK is not installed for {sys.executable}. Install the program's "
            "requirements into the environment that `virtualenv` names in Pulumi.yaml.\n"
        )
        return 1
    runtime = pulumi.runtime
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    runtime.configure(
        runtime.Settings(
            monitor=options.monitor,
            engine=options.engine,
            project=options.project,
            stack=options.stack,
            organization=options.organization,
            root_directory=options.root,
            parallel=options.parallel,
            dry_run=options.dry_run,
        )
    )
    os.chdir(options.pwd)
    sys.path.insert(0, options.pwd)
    # A failed program leaves futures nobody awaited; asyncio would warn about each of them.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def run() -> None:
        runpy.run_path(options.target, run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(runtime.run_in_stack(run))
    except Exception as error:  # noqa: BLE001 - whatever the program raised is shown to its author
        pulumi.log.error(described(error, Path(options.pwd)))
        return SHOWN
    finally:
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def described(error: Exception, program: Path) -> str:
    """What to show for ``error``: a sentence for one meant for users, else its traceback.

    Meant for users are Pulumi's ``RunError`` and every exception with an integer ``exit_code``.
    """
    if type(error).__name__ == "RunError" or isinstance(getattr(error, "exit_code", None), int):
        return str(error)
    frames = _from_the_program(error.__traceback__, program)
    text = "".join(traceback.format_exception(type(error), error, frames))
    return f"Program failed with an unhandled exception:\n{text}"


def _from_the_program(frames: TracebackType | None, program: Path) -> TracebackType | None:
    """``frames`` from the first one in the program's own folder on: ours and the SDK's left out."""
    here = frames
    while here is not None:
        if Path(here.tb_frame.f_code.co_filename).is_relative_to(program):
            return here
        here = here.tb_next
    return frames


if __name__ == "__main__":
    main(sys.argv[1:])
