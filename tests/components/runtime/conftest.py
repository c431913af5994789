from pathlib import Path

import pytest

from portway.bundle import runtime_archive


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runtime_archive(tmp_path_factory.mktemp("bundle")).path
