"""The official installer, from a server on loopback."""

import socket
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from portway.engine.installer import fetch_script, install
from portway.engine.progress import silent
from portway.errors import Missing


@pytest.fixture
def served() -> Generator[tuple[str, dict[str, bytes]]]:
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(pages[self.path])

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", pages
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_script_is_fetched_when_it_is_reachable(served: tuple[str, dict[str, bytes]]) -> None:
    url, pages = served
    pages["/install.sh"] = b"#!/bin/sh\n"
    assert fetch_script(f"{url}/install.sh") == b"#!/bin/sh\n"


def test_a_proxys_sorry_page_is_not_a_script(served: tuple[str, dict[str, bytes]]) -> None:
    url, pages = served
    pages["/install.sh"] = b"<html>blocked</html>"
    assert fetch_script(f"{url}/install.sh") is None


def test_a_host_that_never_answers_does_not_hold_anyone_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_host:
        url = f"http://127.0.0.1:{silent_host.getsockname()[1]}/"
        assert fetch_script(url, within_seconds=0.2) is None


def test_a_refused_connection_means_offline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert fetch_script(f"http://127.0.0.1:{port}/") is None


def test_the_installer_gets_the_version_and_a_root_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    install(b'#!/bin/sh\necho "$@"\n', tmp_path, log, silent)
    assert log.read_text() == f"--no-edit-path --install-root {tmp_path} --version 3.259.0\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["install.log"]


def test_a_failed_installer_names_its_log(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    with pytest.raises(Missing) as failed:
        install(b"#!/bin/sh\nexit 4\n", tmp_path, log, silent)
    assert str(failed.value) == f"the official installer ended with 4; see {log}"
