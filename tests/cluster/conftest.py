"""One real control plane, shared by the tests here; built first where there is Go and it is not built."""

from collections.abc import Generator

import psutil
import pytest

from portway.engine.go_tool import find_go
from portway.sandbox.controlplane.cluster import RealCluster
from portway.sandbox.controlplane.objects import Ref
from portway.sandbox.controlplane.programs import Programs, ensure_programs, find_programs
from portway.sandbox.controlplane.server import ServerApi
from portway.sandbox.layout import Layout
from support.live_cluster import Cluster, can_build
from support.live_stack import MOST_NODES, STACK, STACK_FILE, cluster_of, parts, placement
from support.openai_clients import close_clients
from support.sandbox_project import SandboxProject, start, stop
from support.waiting import eventually


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


@pytest.fixture(scope="session")
def project(
    programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Generator[SandboxProject]:
    """A sandbox with the real Kubernetes, whose node pools have two nodes at most."""
    del programs
    into = tmp_path_factory.mktemp("real") / "project"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PORTWAY_SANDBOX_MOST_NODES", str(MOST_NODES))
        files = {STACK_FILE: placement(surge=1)}
        running = start(into, files, options=("--kubernetes", "real"))
        try:
            yield running
        finally:
            pids = [each.pid for each in parts(running).values()]
            stop(running)
            assert len(pids) == 5
            assert not [pid for pid in pids if psutil.pid_exists(pid)]


@pytest.fixture(scope="session")
def deployed(project: SandboxProject) -> SandboxProject:
    """The example's stack, up: its pod asks for the extended resource, and a rollout adds first."""
    made = project.pulumi("stack", "select", "--create", STACK)
    assert made.returncode == 0, made.stderr
    done = project.pulumi("up", "--yes", "--skip-preview", "--stack", STACK)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return project


@pytest.fixture
def own(project: SandboxProject) -> Generator[ServerApi]:
    """A namespace of its own in the running cluster, gone afterwards."""
    with cluster_of(project).api() as api:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "small"}}
        api.apply(namespace, field_manager="test")
        account = Ref("v1", "ServiceAccount", "default", "small")
        assert eventually(lambda: api.get(account) is not None)
        yield api
        api.delete(Ref("v1", "Namespace", "small"))
        assert eventually(lambda: api.get(Ref("v1", "Namespace", "small")) is None, 60)
