"""Building the engine from its public Go modules, pinned by ``go/go.mod`` and ``go/go.sum``."""

import os
import shutil
from pathlib import Path

from portway.engine.go_tool import compile_modules, go_or_missing
from portway.engine.progress import Progress
from portway.engine.version import BUILT

_MODULES = Path(__file__).parent / "go"
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
# Without the stamp `pulumi version` prints nothing and the Automation API refuses the engine.
_STAMP = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{BUILT}"
_FLAGS = ("-v", "-trimpath", "-tags", "osusergo,grpcnotrace", "-ldflags", f"-s -w {_STAMP}")
_NEEDED_GIB = 4

RECIPE = " ".join((*_FLAGS, _PACKAGE))
"""What is built and how; a changed recipe is a new place in the cache."""


def build(into: Path, log: Path, progress: Progress) -> None:
    """Build ``into/bin/pulumi``: 3 to 7 minutes on 2 cores from nothing, seconds when cached.

    Raises:
        Missing: there is no Go, or the build failed; names ``log``, which has all of its output.
    """
    go = go_or_missing("build the engine")
    source = into / "src"
    shutil.copytree(_MODULES, source)
    command = [str(go), "build", *_FLAGS, "-o", f"{into / 'bin'}{os.sep}", _PACKAGE]
    took = f"building pulumi {BUILT} from its Go modules (3 to 7 minutes on 2 cores)"
    compile_modules(
        command, source, log, progress, what="the engine", took=took, needed_gib=_NEEDED_GIB
    )
    shutil.rmtree(source)
