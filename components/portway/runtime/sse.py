"""Server-sent events: reading an upstream's, writing ours."""

from collections.abc import Iterable, Iterator

from .jsons import encode

DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": ping\n\n"


def event(value: object) -> bytes:
    """One event with a JSON value."""
    return b"data: " + encode(value) + b"\n\n"


def events(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event in a stream that arrives in arbitrary pieces."""
    data: list[bytes] = []
    for line in _lines(pieces):
        if not line:
            if data:
                yield b"\n".join(data)
            data = []
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *complete, rest = (rest + piece).split(b"\n")
        for line in complete:
            yield line.removesuffix(b"\r")
