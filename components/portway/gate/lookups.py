"""Runs a program for the gate: what it looks up elsewhere is not known, and no failure.

Outputs of another stack (``StackReference``) and resources that are only read (``get``) need a login or
a cloud; a gate has neither. The engine would end the preview there, before anything was judged. So the
requests are answered here, with nothing but what the program itself said; every other property is
unknown, and rules treat it as they treat whatever is known only after deployment.
"""

import os
import runpy
import sys
from pathlib import Path
from typing import Any, Final

ENTRY: Final = "__portway_gate__.py"
"""The program that the engine starts instead of the author's."""

SEEN: Final = "__portway_looked_up__"
"""The file beside it that says what was looked up: a type and a name in each line."""


def entry_text(main: str | None) -> str:
    """The program that runs the author's: ``main`` of the project, or the project's folder."""
    return f"from portway.gate.lookups import run\n\nrun(__file__, {main or '.'!r})\n"


def run(entry: str, main: str) -> None:
    """Run the program at ``main``, beside ``entry``, as the engine would."""
    import pulumi.runtime.settings as settings  # noqa: PLC0415, PLR0402 - only the program's process has it

    seen = Path(entry).with_name(SEEN)
    settings.SETTINGS.monitor = Unseeing(settings.get_monitor(), seen)  # pyright: ignore[reportAttributeAccessIssue] - a stub by its shape
    program = Path(entry).parent / main
    folder = program if program.is_dir() else program.parent
    os.chdir(folder)
    sys.path[:] = [str(folder), *(one for one in sys.path if one != str(Path(entry).parent))]
    sys.argv[0] = str(program)
    runpy.run_path(str(program), run_name="__main__")


class Unseeing:
    """The engine's resource monitor, but reading answers with what the program said itself."""

    def __init__(self, monitor: Any, seen: Path) -> None:  # noqa: ANN401 - generated gRPC stub
        """Everything but reads goes to ``monitor``; what is read is named in ``seen``."""
        self._monitor = monitor
        self._seen = seen

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        """Any other call."""
        return getattr(self._monitor, name)

    def ReadResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - the stub's own name
        """A resource of which nothing is known but its id and what the program gave."""
        from pulumi.runtime.proto import resource_pb2  # noqa: PLC0415 - only the program's process has it

        with self._seen.open("a", encoding="utf-8") as file:
            file.write(f"{request.type} {request.name}\n")
        return resource_pb2.ReadResourceResponse(
            urn=_urn(request), id=request.id, properties=request.properties
        )


def _urn(request: Any) -> str:  # noqa: ANN401 - generated message
    import pulumi  # noqa: PLC0415 - only the program's process has it

    parent = request.parent.split("::")[2] + "$" if request.parent else ""
    if parent.startswith("pulumi:pulumi:Stack$"):
        parent = ""
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{parent}{request.type}::{request.name}"
