"""One real control plane, shared by the tests here; built first where there is Go and it is not built."""

from collections.abc import Generator

import psutil
import pytest

from portway.engine.go_tool import find_go
from portway.sandbox.controlplane.cluster import RealCluster
from portway.sandbox.controlplane.programs import Programs, ensure_programs, find_programs
from portway.sandbox.layout import Layout
from support.live_cluster import Cluster, can_build
from support.openai_clients import close_clients


@pytest.fixture(scope="session")
def programs() -> Programs:
    if find_programs() is None and not can_build(find_go()):
        pytest.skip("there is no Go 1.26 to build a control plane with")
    return ensure_programs()


@pytest.fixture(scope="session")
def cluster(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    layout = Layout(tmp_path_factory.mktemp("cluster") / ".portway")
    layout.create()
    real = RealCluster(layout)
    assert real.start(programs)
    try:
        with real.api() as api:
            yield Cluster(api, real)
    finally:
        ended = real.stop()
        assert len(ended) == 5
        assert not [pid for pid in ended if psutil.pid_exists(pid)]


@pytest.fixture(autouse=True)
def openai_clients_end_with_the_test() -> Generator[None]:
    yield
    close_clients()
