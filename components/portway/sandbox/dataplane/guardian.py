"""Ends the daemon's children when the daemon has ended, however it ended."""

import signal
import sys
from pathlib import Path

from portway.sandbox.dataplane.processes import sweep


def main() -> None:
    """Wait until the daemon's end of the pipe on stdin closes, then sweep the folder in argv."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    sweep(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
