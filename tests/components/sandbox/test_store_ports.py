"""Ports that the embedded clouds keep: the same for each owner, and never one that a connection borrows."""

import socket
from pathlib import Path

import pytest

from portway.errors import Missing
from portway.sandbox import store
from portway.sandbox.store import KEPT_PORTS, Store


def test_an_owner_keeps_its_port_and_no_outgoing_connection_can_be_lent_it(tmp_path: Path) -> None:
    kept = Store(tmp_path / "cloud.db")
    ports = {owner: kept.port(owner) for owner in ("a", "b", "c")}
    assert {owner: Store(tmp_path / "cloud.db").port(owner) for owner in ports} == ports
    assert len(set(ports.values())) == 3
    assert set(ports.values()) <= set(KEPT_PORTS)
    assert KEPT_PORTS.stop <= 32_768, "Linux lends ports from there on"


def test_a_port_on_which_somebody_listens_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(store, "KEPT_PORTS", range(port, port + 1))
        with pytest.raises(Missing, match="no loopback port"):
            Store(tmp_path / "cloud.db").port("a")
