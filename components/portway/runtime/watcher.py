"""Notices clients that hang up while their answer is being made."""

import select
import selectors
import socket
import threading

from .pump import Cancellation


class Watcher:
    """One thread over all connections whose client is waiting."""

    def __init__(self) -> None:
        # epoll and kqueue accept registrations from other threads while this one waits.
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def watch(self, sock: socket.socket, cancellation: Cancellation) -> None:
        """Cancel when the client closes its side. Nobody else may read from it meanwhile."""
        with self._lock:
            self._selector.register(sock, selectors.EVENT_READ, cancellation)

    def unwatch(self, sock: socket.socket) -> None:
        """Watch no more; harmless when nothing was watched."""
        with self._lock:
            self._forget(sock)

    def close(self) -> None:
        """End the thread."""
        self._wake.close()
        self._thread.join()
        self._selector.close()
        self._woken.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                with self._lock:
                    gone = self.look(key)
                if gone:
                    key.data.cancel()

    def look(self, key: selectors.SelectorKey) -> bool:
        """Whether a selected socket's client is gone, if it is still being watched."""
        # By descriptor: the socket itself may have been closed since it was selected.
        current = self._selector.get_map().get(key.fd)
        if current is None or current.data is not key.data:
            return False
        sock = key.fileobj
        assert isinstance(sock, socket.socket)
        if not _is_readable(key.fd):
            return False
        # With more bytes from the client (pipelining) there is nothing left to notice either.
        self._forget(sock)
        return _hung_up(sock)

    def _forget(self, sock: socket.socket) -> None:
        try:
            self._selector.unregister(sock)
        except (KeyError, ValueError):
            return


def _is_readable(descriptor: int) -> bool:
    """Whether a read would not wait.

    What was selected may have been the bytes of a request that has been read since: a client that asks
    again before it is no longer watched, on a socket that is being watched anew. Waiting for that
    client here would keep every other request waiting too.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _hung_up(sock: socket.socket) -> bool:
    try:
        return not sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
