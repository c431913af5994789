"""Starts the Python language host, without the SDK around the messages it speaks.

The engine starts a host twice an operation, and importing all of ``pulumi`` takes as long as
everything else a host does at its start. In this process, which never runs a program itself, the two
packages above the generated messages are left empty.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


def _leave_empty(*names: str) -> None:
    spec = find_spec("pulumi")
    if spec is None or spec.origin is None:
        sys.exit("pulumi-language-python: the Pulumi SDK is not installed for " + sys.executable)
    above = Path(spec.origin).parent.parent
    for name in names:
        module = ModuleType(name)
        module.__path__ = [str(above.joinpath(*name.split(".")))]
        sys.modules[name] = module


def main() -> None:
    """Serve the engine whose address is the last argument."""
    _leave_empty("pulumi", "pulumi.runtime")
    from portway.engine.language_host import (  # noqa: PLC0415 - after the packages are left empty
        serve,
    )

    serve(sys.argv[-1])


if __name__ == "__main__":
    main()
