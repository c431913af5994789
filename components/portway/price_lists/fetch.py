"""Price lists over HTTP: streamed, with retries, and never with credentials."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from portway.errors import Missing
from portway.price_lists.amazon import URL

TIMEOUT_SECONDS: Final = 60.0
_TRIES: Final = 3
_WAIT_SECONDS: Final = 1.0
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})


@contextmanager
def lines_of(address: str) -> Generator[Iterator[str]]:
    """The lines of a list: of a file, where ``address`` names no scheme, or over HTTP.

    Raises:
        Missing: it cannot be had; says what was tried.
    """
    if "://" not in address:
        try:
            with Path(address).open(encoding="utf-8") as file:
                yield file
        except (OSError, UnicodeError) as error:
            raise Missing(f"{address} cannot be read: {error}; get it from {URL}") from None
        return
    with _over_http(address) as lines:
        yield lines


@contextmanager
def _over_http(url: str) -> Generator[Iterator[str]]:
    """Line by line, because some lists are hundreds of megabytes; three tries."""
    transport = httpx.HTTPTransport(retries=_TRIES - 1)
    with httpx.Client(
        transport=transport, timeout=TIMEOUT_SECONDS, follow_redirects=True
    ) as client:
        response = _opened(client, url)
        try:
            yield response.iter_lines()
        except httpx.HTTPError as error:
            raise _missing(url, type(error).__name__) from None
        finally:
            response.close()


def _opened(client: httpx.Client, url: str) -> httpx.Response:
    why = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_WAIT_SECONDS * attempt)
        try:
            response = client.send(client.build_request("GET", url), stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _missing(url, f"{type(error).__name__}: {error}") from None
        if response.is_success:
            return response
        why = f"HTTP {response.status_code}"
        response.close()
        if response.status_code not in _AGAIN:
            break
    raise _missing(url, why)


def _missing(url: str, why: str) -> Missing:
    return Missing(
        f"{url} cannot be read ({why}); reach the internet, or give a folder with copies of the lists by --from"
    )
