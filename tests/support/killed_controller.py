"""``portway``, which kills itself at one record of its journal.

``python killed_controller.py MOMENT:STEP migrate …``, where MOMENT is

- ``before``: the record that ``STEP`` is begun is about to be written;
- ``begun``: it is on the disk, and nothing of the step was tried;
- ``untold``: the step was done, and the record of that is about to be written.
"""

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from portway.cli.app import main
from portway.portability.journal import Journal
from portway.portability.migration import Kind, Record

_ENDS = {"before": Kind.INTENT, "begun": Kind.INTENT, "untold": Kind.DONE}
_append = Journal.append


def armed(moment: str, at: str) -> None:
    """From now on the process dies at that record."""

    def append(
        self: Journal, kind: Kind, token: int, step: str = "", data: Mapping[str, Any] | None = None
    ) -> Record:
        strikes = (kind, step) == (_ENDS[moment], at)
        if strikes and moment != "begun":
            os.kill(os.getpid(), signal.SIGKILL)
        record = _append(self, kind, token, step, data)
        if strikes:
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    Journal.append = append


if __name__ == "__main__":
    armed(*sys.argv.pop(1).split(":"))
    main()
