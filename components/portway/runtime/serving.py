"""An application behind the HTTP server, from its port to the signal that ends it."""

import signal
import sys

from .config import EXIT_BAD_CONFIG
from .exchange import Application, Serving
from .http_server import HttpServer
from .log import write_event


def serve_until_told(app: Application, config: Serving, **told: str | None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. `told` is logged once it listens."""
    try:
        server = HttpServer(app, config)
    except OSError as error:
        sys.stderr.write(
            f"portway runtime: cannot listen on {config.bind}:{config.port}: {error.strerror}\n"
        )
        return EXIT_BAD_CONFIG

    def stop(number: int, frame: object) -> None:
        del number, frame
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    write_event("serving", "INFO", **told, address="{}:{}".format(*server.address))
    server.serve()
    return 0
