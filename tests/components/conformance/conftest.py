"""The runtime as it is deployed, in front of the sandbox's stand-in for vLLM, and that stand-in alone."""

from collections.abc import Generator

import pytest

from portway.bundle import runtime_archive
from support.model_server import model_server
from support.runtime_process import KEY, MODEL, environment, started, write_keys

SERVED = "org/ministral"
ARGUMENTS = (
    "--model", SERVED, "--served-model-name", SERVED, MODEL, "--max-model-len", "4096",
    "--enable-auto-tool-choice", "--tool-call-parser", "mistral",
)  # fmt: skip


@pytest.fixture(scope="session")
def bare() -> Generator[str]:
    with model_server(ARGUMENTS, "--api-key", KEY) as url:
        yield url


@pytest.fixture(scope="session")
def conforming(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("conforming")
    archive = runtime_archive(folder / "bundle").path
    keys = write_keys(folder / "keys.json", KEY)
    with model_server(ARGUMENTS) as upstream:
        settings = environment(
            upstream, keys, PORTWAY_UPSTREAM_MODEL=SERVED, PORTWAY_CONTEXT_TOKENS="4096",
            PORTWAY_MAX_OUTPUT_TOKENS="2048", PORTWAY_MAX_BODY_BYTES="4194304", PORTWAY_CONCURRENCY="8",
        )  # fmt: skip
        with started(archive, settings) as process:
            yield process.serving().url
