"""One migration of a service at a time, and nobody acts on what another has taken over."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from portway.errors import Missing
from portway.portability.lease import Busy, Fenced, Lease, take

WHAT = "chat.prod"


def held(folder: Path, **changed: Any) -> None:
    """A lease of somebody else, found in ``folder``."""
    take(folder, WHAT)
    file = folder / "lease.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


def ended_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_lease_is_held_by_one(tmp_path: Path) -> None:
    with take(tmp_path / "l", WHAT) as lease:
        lease.check()
        with pytest.raises(Busy, match=rf"migrated by process {os.getpid()} on .*Nothing was done"):
            take(tmp_path / "l", WHAT)
    with take(tmp_path / "l", WHAT) as again:
        assert again.token > lease.token, "tokens only grow"


def test_the_lease_of_a_process_that_is_gone_is_taken_over(tmp_path: Path) -> None:
    held(tmp_path, pid=ended_process())
    assert take(tmp_path, WHAT).token == 2


def test_a_process_id_that_was_used_again_is_nobody(tmp_path: Path) -> None:
    held(tmp_path, started=1.0)
    assert take(tmp_path, WHAT).token == 2


def test_another_machine_is_believed_to_be_at_work(tmp_path: Path) -> None:
    held(tmp_path, host="elsewhere", pid=1)
    with pytest.raises(Busy, match=r"cannot be seen from here.*remove .*lease\.json"):
        take(tmp_path, WHAT)


def test_whoever_was_replaced_does_nothing_more(tmp_path: Path) -> None:
    first = take(tmp_path, WHAT)
    (tmp_path / "lease.json").unlink()  # a person was sure that it had ended
    second = take(tmp_path, WHAT)
    second.check()
    with pytest.raises(Fenced, match="is no longer ours"):
        first.check()
    first.release()
    second.check()


def test_a_lease_that_was_removed_is_nobodys(tmp_path: Path) -> None:
    lease = take(tmp_path, WHAT)
    (tmp_path / "lease.json").unlink()
    with pytest.raises(Fenced, match="held by nobody"):
        lease.check()


def test_of_many_who_want_it_at_once_one_gets_it(tmp_path: Path) -> None:
    held(tmp_path, pid=ended_process(), host=socket.gethostname())
    got: list[Lease] = []
    refused: list[Busy] = []

    def want() -> None:
        try:
            got.append(take(tmp_path, WHAT))
        except Busy as error:
            refused.append(error)

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)


def test_a_damaged_lease_is_told(tmp_path: Path) -> None:
    take(tmp_path, WHAT)
    (tmp_path / "lease.json").write_text("{")
    with pytest.raises(Missing, match=r"lease\.json is damaged"):
        take(tmp_path, WHAT)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Missing, match=r"the lease of chat.prod cannot be written"):
        take(tmp_path / "file" / "l", WHAT)
