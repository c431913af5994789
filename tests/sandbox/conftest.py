"""One running sandbox with the example service on all three targets, shared by the tests here."""

from collections.abc import Generator

import pytest

from support.openai_clients import close_clients
from support.sandbox_project import STACKS, SandboxProject, start, stop


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[SandboxProject]:
    project = start(tmp_path_factory.mktemp("sandbox") / "project")
    yield project
    stop(project)


@pytest.fixture(scope="session")
def deployed(running: SandboxProject) -> SandboxProject:
    """The example service, up on all three targets by plain ``pulumi up``."""
    for stack in STACKS:
        made = running.pulumi("stack", "init", stack)
        assert made.returncode == 0, made.stderr
        done = running.pulumi("up", "--yes", "--stack", stack)
        assert done.returncode == 0, f"{stack}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return running


@pytest.fixture(autouse=True)
def openai_clients_end_with_the_test() -> Generator[None]:
    yield
    close_clients()
