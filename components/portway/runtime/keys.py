"""Which API keys are valid now. Every key in the document is, so that keys can be rotated."""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from typing import Protocol

from .config import Config
from .errors import WireError, bad_key, unavailable
from .jsons import as_list, as_object, decode
from .log import write_event

REFRESH_SECONDS = 60.0
"""How old a document may be before it is read again (a changed file is read at once)."""

STALE_SECONDS = 900.0
"""How long the last good document is used while its store does not answer."""


class BadKeys(Exception):
    """A key document that cannot be used. Its text never holds a key."""


class Keys(Protocol):
    """Decides whether a request may pass."""

    def check(self, authorization: str | None) -> None:
        """Return when the header holds a valid key.

        Raises:
            WireError: 401 when it does not; 503 when no usable key document is at hand.
        """
        ...


class PlatformKeys:
    """The platform authenticated the caller before the request came here."""

    def check(self, authorization: str | None) -> None:
        """Let everybody pass who got here."""


def parse_keys(data: bytes) -> tuple[bytes, ...]:
    """The digests of the keys in a document `{"keys": ["...", ...]}`.

    Raises:
        BadKeys: it is not such a document, or it holds no key.
    """
    try:
        document = as_object(decode(data))
    except ValueError:
        document = None
    keys = as_list(document.get("keys")) if document is not None else None
    if not keys or not all(isinstance(key, str) and key.strip() for key in keys):
        raise BadKeys('the key document must be JSON such as {"keys": ["<key>", "<key>"]}')
    return tuple(_digest(str(key).strip()) for key in keys)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def presented_key(authorization: str | None) -> str | None:
    """The key in an `Authorization: Bearer <key>` header."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


class DocumentKeys:
    """Keys read from a document that may change while the process runs.

    `read` returns the document's bytes; `version` returns something that changes when the
    document surely did. When reading fails, the last good document counts for `STALE_SECONDS`.
    """

    def __init__(
        self,
        read: Callable[[], bytes],
        version: Callable[[], object] = lambda: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._version = version
        self._clock = clock
        self._lock = threading.Lock()
        self._digests: tuple[bytes, ...] = ()
        self._seen: object = None
        self._good_at = float("-inf")
        self._tried_at = float("-inf")

    def load(self) -> None:
        """Read the document now.

        Raises:
            BadKeys: it cannot be read or used.
        """
        seen = self._version()
        try:
            digests = parse_keys(self._read())
        except OSError as error:
            raise BadKeys(f"the key document cannot be read: {error.strerror}") from error
        self._digests, self._seen = digests, seen
        self._good_at = self._tried_at = self._clock()

    def check(self, authorization: str | None) -> None:
        """Compare with every key in constant time; see `Keys.check`."""
        digests = self._current()
        presented = _digest(presented_key(authorization) or "")
        matched = False
        for digest in digests:
            matched |= hmac.compare_digest(presented, digest)
        if not matched or presented_key(authorization) is None:
            raise bad_key()

    def _current(self) -> tuple[bytes, ...]:
        with self._lock:
            now = self._clock()
            if now - self._tried_at >= REFRESH_SECONDS or self._version() != self._seen:
                self._refresh(now)
            if now - self._good_at > STALE_SECONDS:
                raise unavailable(
                    "API keys cannot be checked at the moment.", code="keys_unavailable"
                )
            return self._digests

    def _refresh(self, now: float) -> None:
        try:
            self.load()
        except (BadKeys, WireError) as error:
            self._tried_at, self._seen = now, self._version()
            write_event("keys_not_refreshed", "ERROR", reason=str(error))


def file_keys(path: str) -> DocumentKeys:
    """Keys from a file; a changed modification time, size or inode makes it read again."""
    from pathlib import Path  # noqa: PLC0415 - on Lambda keys are in no file

    file = Path(path)

    def version() -> object:
        try:
            stat = file.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    return DocumentKeys(file.read_bytes, version)


def open_keys(config: Config) -> Keys:
    """The keys that the configuration names, read once so that a fault shows at start.

    Raises:
        BadKeys: the document cannot be read or used.
    """
    if config.auth == "iam":
        return PlatformKeys()
    if config.keys_file is not None:
        keys = file_keys(config.keys_file)
    else:
        from .secrets_manager import open_secrets, secret_reader  # noqa: PLC0415 - only on AWS

        assert config.keys_secret is not None
        assert config.aws_region is not None
        keys = DocumentKeys(secret_reader(config.keys_secret, open_secrets(config.aws_region)))
    keys.load()
    return keys
