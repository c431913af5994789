"""Asyncio servers for tests whose client blocks, such as the AWS SDK."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from portway.sandbox.dataplane.front import Front, Handler


@contextmanager
def listening(handler: Handler) -> Generator[str]:
    """The address of a front with ``handler``, served by a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    front = Front(handler)
    try:
        port = asyncio.run_coroutine_threadsafe(front.listen(), loop).result(10)
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(front.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
