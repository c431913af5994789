"""The official client, closed when the test that opened it ends: its connections are no garbage."""

from contextlib import ExitStack

import openai

_open = ExitStack()


def openai_client(
    endpoint: str, api_key: str, *, max_retries: int = 0, timeout_seconds: float = 60.0
) -> openai.OpenAI:
    """A client of ``endpoint``, without ``/v1``."""
    return _open.enter_context(
        openai.OpenAI(
            base_url=f"{endpoint}/v1",
            api_key=api_key,
            max_retries=max_retries,
            timeout=timeout_seconds,
        )
    )


def close_clients() -> None:
    """End what was opened; new ones may be opened."""
    _open.close()
