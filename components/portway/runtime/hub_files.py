"""The files of a repository of model weights on the hub: which are wanted, and their bytes.

The hub lists a revision's files with their sizes and digests: SHA-256 of the large ones, Git's object
id of the others (Hugging Face Hub API, "Get the list of files of a repository").
"""

import hashlib
import re
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urljoin, urlsplit

from .jsons import as_list, as_object, as_text, decode
from .origin import Origin, Reply
from .pump import Cancellation

HUB = "https://huggingface.co"
MISTRAL = "mistral"
PATIENCE_SECONDS = 30.0
"""How long a server may take for each piece of an answer."""

MOST_TRIES = 5
"""How often one question is repeated."""

_MOST_REDIRECTS = 5
_MOST_LISTED_BYTES = 16 << 20
_OK, _PARTIAL = 200, 206
_GIT_DIGITS = 40
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_OTHER_FORMATS = (".bin", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".pt", ".pth")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')


class CopyFailed(Exception):
    """Why the weights could not be copied, in a sentence; `again` where it may pass."""

    def __init__(self, said: str, *, again: bool = False) -> None:
        super().__init__(said)
        self.again = again


class Digest(Protocol):
    """What `hashlib` gives."""

    def update(self, data: bytes, /) -> None: ...  # noqa: D102
    def hexdigest(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class SourceFile:
    """One file to copy.

    Attributes:
        name: its name in the folder.
        url: where its bytes are.
        size: in bytes; None where only its digest is known.
        digest: 64 hexadecimal digits of SHA-256, or 40 of Git's object id, which counts the size too;
            "" where nobody has told.
    """

    name: str
    url: str
    size: int | None
    digest: str

    def digesting(self) -> Digest:
        """An empty digest of the kind that the file has."""
        if len(self.digest) == _GIT_DIGITS:
            return hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)
        return hashlib.sha256()


def wanted(files: Iterable[SourceFile], weights_format: str) -> tuple[SourceFile, ...]:
    """What vLLM reads of a repository, the largest first.

    The files of the repository's own folder, without weights in another format than safetensors. A
    repository that has them in Mistral's format too (`consolidated…`) keeps the same weights twice:
    only those of `weights_format` are taken.

    Raises:
        CopyFailed: no weights are among them.
    """
    taken = [each for each in files if _is_wanted(each.name, weights_format)]
    if not any(each.name.endswith(".safetensors") for each in taken):
        raise CopyFailed(
            f"the repository has no weights as safetensors in the format {weights_format}"
        )
    return tuple(sorted(taken, key=lambda each: (-(each.size or 0), each.name)))


def _is_wanted(name: str, weights_format: str) -> bool:
    if "/" in name or name.startswith(".") or name.endswith(_OTHER_FORMATS):
        return False
    if name.endswith(".safetensors"):
        return name.startswith("consolidated") == (weights_format == MISTRAL)
    return True


class Hub:
    """A hub at `address`. Its answers may lead elsewhere, as to the store of large files."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._lock = threading.Lock()
        self._origins: dict[str, Origin] = {}

    def close(self) -> None:
        """Close what is idle, of every server that was asked."""
        for origin in self._origins.values():
            origin.close()

    def files(self, repository: str, revision: str) -> tuple[SourceFile, ...]:
        """All files of a revision.

        Raises:
            CopyFailed: there is none, or the hub does not answer.
        """
        found: list[SourceFile] = []
        at = f"{self._address}/api/models/{quote(repository)}/tree/{quote(revision)}?recursive=true"
        while at:
            with closing(self._asked(at, {})) as reply:
                link = _NEXT.search(reply.headers.get("link", ""))
                try:
                    listed = as_list(decode(reply.read(_MOST_LISTED_BYTES)))
                except (OSError, ValueError):
                    listed = None
            if listed is None:
                raise CopyFailed(f"{urlsplit(at).netloc} listed no files of {repository}")
            base = f"{self._address}/{quote(repository)}/resolve/{quote(revision)}"
            found += [one for item in listed for one in _file(item, base)]
            at = urljoin(at, link[1]) if link else ""
        return tuple(found)

    def read(self, file: SourceFile) -> Generator[bytes, None, None]:
        """The file's bytes as they arrive; a connection that breaks is taken up where it broke. Close it.

        Raises:
            CopyFailed: they do not come.
        """
        received, tries = 0, 0
        while True:
            try:
                headers = {"range": f"bytes={received}-"} if received else {}
                with closing(self._asked(file.url, headers)) as reply:
                    if received and reply.status != _PARTIAL:
                        raise CopyFailed(f"{file.name}: its server cannot go on in the middle")
                    for piece in reply.pieces():
                        received, tries = received + len(piece), 0
                        yield piece
            except (OSError, ValueError) as error:
                tries += 1
                if tries > MOST_TRIES:
                    said = (
                        f"{file.name}: the connection broke {tries} times ({type(error).__name__})"
                    )
                    raise CopyFailed(said) from None
                time.sleep(pause_seconds(tries))
            else:
                return

    def _asked(self, url: str, headers: dict[str, str]) -> Reply:
        tries = 0
        while True:
            try:
                reply = self._followed(url, headers)
            except (OSError, ValueError) as error:
                failed = CopyFailed(
                    f"{urlsplit(url).netloc} does not answer ({type(error).__name__})", again=True
                )
            else:
                if reply.status in {_OK, _PARTIAL}:
                    return reply
                failed = _refused(url, reply)
            tries += 1
            if not failed.again or tries > MOST_TRIES:
                raise failed from None
            time.sleep(pause_seconds(tries))

    def _followed(self, url: str, headers: dict[str, str]) -> Reply:
        for _ in range(_MOST_REDIRECTS):
            parts = urlsplit(url)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            told = {"user-agent": "portway-weights-copy", **headers}
            origin = self._origin(f"{parts.scheme}://{parts.netloc}")
            reply = origin.ask("GET", path, None, told, Cancellation())
            if reply.status not in _REDIRECTS:
                return reply
            leads = reply.headers.get("location")
            with closing(reply):
                reply.read()
            if leads is None:
                raise ValueError("a redirect leads nowhere")
            url = urljoin(url, leads)
        raise ValueError("too many redirects")

    def _origin(self, address: str) -> Origin:
        with self._lock:
            if address not in self._origins:
                self._origins[address] = Origin(address, PATIENCE_SECONDS)
            return self._origins[address]


def pause_seconds(tried: int) -> float:
    """How long to wait before trying once more: 1 s, and twice as long each time."""
    return float(2 ** (tried - 1))


def _refused(url: str, reply: Reply) -> CopyFailed:
    with closing(reply):
        status = reply.status
        code = reply.headers.get("x-error-code", "")
    where = urlsplit(url)
    said = f"{where.netloc} answers {status} {code}".rstrip() + f" for {where.path}"
    if status in {401, 403}:
        said += "; the repository wants an account: put its files into a bucket (placement.options.weights)"
    return CopyFailed(said, again=status in _AGAIN)


def _file(item: object, base: str) -> Iterator[SourceFile]:
    found = as_object(item) or {}
    name, size = as_text(found.get("path")), found.get("size")
    large = as_object(found.get("lfs")) or {}
    digest = as_text(large.get("oid")) or as_text(found.get("oid"))
    if found.get("type") == "file" and name and digest and isinstance(size, int):
        yield SourceFile(name, f"{base}/{quote(name)}", size, digest)
