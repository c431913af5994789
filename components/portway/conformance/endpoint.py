"""The endpoint that is asked: one address, one key, one model."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from time import monotonic, sleep
from typing import Any, Final

import httpx

CHAT: Final = "/v1/chat/completions"
MODELS: Final = "/v1/models"
_BUSY: Final = frozenset({429, 503})
_TRIES: Final = 4
_LONGEST_WAIT_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Answer:
    """One whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> object:
        """The body as JSON; raises ValueError where it is none."""
        parsed: object = json.loads(self.body)
        return parsed


@dataclass(frozen=True)
class Stream:
    """One streamed answer, read to its end.

    Attributes:
        events: the text after ``data: `` of each event, the last one included.
        first_event_seconds: from the request until the first event.
    """

    answer: Answer
    events: tuple[str, ...]
    first_event_seconds: float

    @property
    def chunks(self) -> tuple[dict[str, Any], ...]:
        """Every event but the last, parsed."""
        return tuple(json.loads(event) for event in self.events if event != "[DONE]")


class Endpoint:
    """Asks one service; use it as a context. Several threads may ask at once."""

    def __init__(self, url: str, key: str, model: str, timeout_seconds: float = 60.0) -> None:
        """``url`` with or without ``/v1`` at its end."""
        self.url = url.rstrip("/").removesuffix("/v1")
        self.key = key
        self.model = model
        self._client = httpx.Client(
            timeout=timeout_seconds, limits=httpx.Limits(max_connections=32), trust_env=False
        )

    def __enter__(self) -> "Endpoint":
        """Open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self._client.close()

    def without_key(self, text: str) -> str:
        """``text`` with the key taken out."""
        return text.replace(self.key, "<key>") if self.key else text

    def chat(self, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """The smallest request that is answered, with fields replaced; None leaves a field out."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": "Say hello in a few words."}],
            "max_tokens": 16,
            **fields,
        }
        return {name: value for name, value in body.items() if value is not None}

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        authorization: str | None = "Bearer {key}",
        patient: bool = True,
    ) -> Answer:
        """One answer.

        Args:
            method: of HTTP.
            path: below the address.
            body: sent as JSON; ``content`` is sent as it is.
            content: instead of ``body``.
            headers: beside the usual ones.
            authorization: the header, with ``{key}`` in it; None for none.
            patient: whether an answer of 429 or 503 is waited out.
        """
        given = self._headers(headers, authorization)
        data = content if body is None else json.dumps(body).encode()
        attempt = 1
        while True:
            response = self._client.request(
                method, f"{self.url}{path}", content=data, headers=given
            )
            if not (patient and response.status_code in _BUSY) or attempt == _TRIES:
                break
            attempt += 1
            sleep(_wait(response))
        return Answer(response.status_code, _lower(response.headers), response.content)

    def post(self, body: object, **options: Any) -> Answer:  # noqa: ANN401 - of ask
        """A chat request, whole."""
        return self.ask("POST", CHAT, body, **options)

    def stream(self, **fields: Any) -> Stream:  # noqa: ANN401 - any JSON
        """A chat request, streamed and read to its end."""
        began, first = monotonic(), 0.0
        with self.opened(**fields) as response:
            pieces: list[bytes] = []
            for piece in response.iter_raw():
                first = first or monotonic() - began
                pieces.append(piece)
            answer = Answer(response.status_code, _lower(response.headers), b"".join(pieces))
        return Stream(answer, tuple(events_of(answer.body)), first)

    @contextmanager
    def opened(self, **fields: Any) -> Generator[httpx.Response]:  # noqa: ANN401 - any JSON
        """A stream that is not read yet; leaving the block hangs up."""
        body = json.dumps(self.chat(**{"stream": True, **fields})).encode()
        given = self._headers({"accept-encoding": "identity"}, "Bearer {key}")
        request = self._client.build_request(
            "POST", f"{self.url}{CHAT}", content=body, headers=given
        )
        response = self._client.send(request, stream=True)
        for _ in range(_TRIES - 1):
            if response.status_code not in _BUSY:
                break
            response.close()
            sleep(_wait(response))
            response = self._client.send(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _headers(self, more: Mapping[str, str] | None, authorization: str | None) -> dict[str, str]:
        auth = (
            {} if authorization is None else {"authorization": authorization.format(key=self.key)}
        )
        return {"content-type": "application/json", **auth, **(more or {})}


def events_of(body: bytes) -> Iterator[str]:
    """The data of each event of a whole stream; comments are skipped.

    Raises:
        ValueError: the body is no stream of server-sent events.
    """
    if not body.endswith(b"\n\n"):
        raise ValueError("the stream does not end with an empty line")
    for block in body.decode("utf-8")[:-2].split("\n\n"):
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        if not lines:
            continue
        if len(lines) != 1 or not lines[0].startswith("data: "):
            raise ValueError(f"an event is {block[:60]!r}, not one line of data")
        yield lines[0].removeprefix("data: ")


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _wait(response: httpx.Response) -> float:
    given = response.headers.get("retry-after", "1")
    return min(float(given) if given.isdigit() else 1.0, _LONGEST_WAIT_SECONDS)
