"""Noticing that a client hung up, whatever else happens to its socket."""

import selectors
import socket
import threading

from portway.runtime.pump import Cancellation
from portway.runtime.watcher import Watcher


def test_a_client_that_closes_is_noticed_and_one_that_sends_is_not() -> None:
    watcher = Watcher()
    near, far = socket.socketpair()
    other_near, other_far = socket.socketpair()
    with near, far, other_near, other_far:
        gone, busy = Cancellation(), Cancellation()
        noticed = threading.Event()
        gone.listen(noticed.set)
        watcher.watch(other_near, busy)
        other_far.sendall(b"next request")
        watcher.watch(near, gone)
        far.close()
        assert noticed.wait(10)
        assert not busy.done
        watcher.unwatch(near)
        watcher.unwatch(other_near)
        watcher.close()


def test_a_socket_closed_since_it_was_selected_does_not_end_the_watch() -> None:
    watcher = Watcher()
    near, far = socket.socketpair()
    with far:
        cancellation = Cancellation()
        watcher.watch(near, cancellation)
        stale = selectors.SelectorKey(near, near.fileno(), selectors.EVENT_READ, cancellation)
        watcher.unwatch(near)
        near.close()
        assert watcher.look(stale) is False
    watcher.close()


def test_a_client_that_asked_again_and_waits_is_still_watched_and_keeps_nobody_waiting() -> None:
    watcher = Watcher()
    near, far = socket.socketpair()
    near.settimeout(5)
    with near:
        first, second = Cancellation(), Cancellation()
        gone = threading.Event()
        second.listen(gone.set)
        watcher.watch(near, first)
        watcher.unwatch(near)
        watcher.watch(near, second)
        # What it sent was selected while the first answer went out, and has been read since.
        again = selectors.SelectorKey(near, near.fileno(), selectors.EVENT_READ, second)
        assert watcher.look(again) is False
        far.close()
        assert gone.wait(10)
        watcher.close()
