"""The stand-in for Valkey's server: the commands of ``valkey_database`` over RESP2, kept in a file.

It takes ``valkey-server``'s own arguments: a configuration file, then ``--name value``. Simulated:
memory limits and eviction, snapshots, replication, ACLs and TLS. It listens on loopback only.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from portway.sandbox.dataplane.valkey_database import CommandError, Database, Reply, Words

DEFAULT_PORT = 6379
MAX_WORDS, MAX_WORD_BYTES = 1 << 16, 16 << 20
_HONOURED = {"port", "dir", "requirepass", "appendonly", "appendfsync", "appendfilename"}
_ACCEPTED = {
    "bind", "protected-mode", "save", "maxmemory", "maxmemory-policy", "daemonize", "loglevel",
    "timeout", "tcp-keepalive", "databases", "io-threads", "auto-aof-rewrite-percentage",
    "auto-aof-rewrite-min-size", "no-appendfsync-on-rewrite", "aof-use-rdb-preamble",
}  # fmt: skip


class BadConfig(Exception):
    """Arguments with which a real server would not start: its own sentences."""


def read_config(arguments: Sequence[str]) -> dict[str, str]:
    """The settings of a file and of arguments, of which the last of a name counts.

    Raises:
        BadConfig: the file cannot be read, or a directive is not known.
    """
    lines: list[str] = []
    rest = list(arguments)
    if rest and not rest[0].startswith("--"):
        file = rest.pop(0)
        try:
            lines = Path(file).read_text("utf-8").splitlines()
        except OSError as error:
            raise BadConfig(
                f"Fatal error, can't open config file '{file}': {error.strerror}"
            ) from None
    while rest:
        name = rest.pop(0)
        values: list[str] = []
        while rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        lines.append(f"{name.removeprefix('--')} {' '.join(values)}")
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, _, value = line.strip().partition(" ")
        if not name or name.startswith("#"):
            continue
        if name.lower() not in _HONOURED | _ACCEPTED:
            raise BadConfig(
                "*** FATAL CONFIG FILE ERROR ***\nReading the configuration file, at line "
                f"{number}\n>>> '{line.strip()}'\nBad directive or wrong number of arguments"
            )
        found[name.lower()] = value.strip().strip('"')
    return found


class AppendOnly:
    """The append-only file: every write, each command's writes whole or not at all."""

    def __init__(self, path: Path, *, always: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._always = always
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def load(self, database: Database) -> None:
        """Do again what the file has; a write that was cut off at its end is removed."""
        data = self._path.read_bytes()
        place, kept, group = 0, 0, list[Words]()
        while (found := parse(data, place)) is not None:
            words, place = found
            if words[0] == b"MULTI":
                group = []
            elif words[0] == b"EXEC":
                for each in group:
                    database.run(each)
                kept = place
            else:
                group.append(words)
        os.truncate(self._path, kept)
        database.writes.clear()

    def keep(self, writes: Sequence[Words]) -> None:
        """Append the writes of one command."""
        whole = [[b"MULTI"], *writes, [b"EXEC"]]
        os.write(self._file, b"".join(command(words) for words in whole))
        if self._always:
            os.fsync(self._file)


class Server:
    """One server process."""

    def __init__(self, config: dict[str, str]) -> None:
        self._password = config.get("requirepass") or None
        self._database = Database()
        self._kept: AppendOnly | None = None
        if config.get("appendonly") == "yes":
            path = Path(config.get("dir") or ".") / (
                config.get("appendfilename") or "appendonly.aof"
            )
            self._kept = AppendOnly(path, always=config.get("appendfsync") == "always")
            self._kept.load(self._database)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        admitted = self._password is None
        data = b""
        try:
            while more := await reader.read(1 << 16):
                data += more
                place = 0
                while (found := parse(data, place)) is not None:
                    words, place = found
                    answer, admitted = self._answer(words, admitted=admitted)
                    writer.write(answer)
                data = data[place:]
                await writer.drain()
        except (CommandError, OSError) as error:
            if isinstance(error, CommandError):
                writer.write(f"-{error}\r\n".encode())
        finally:
            writer.close()

    def _answer(self, words: Words, *, admitted: bool) -> tuple[bytes, bool]:
        try:
            if words[0].upper() == b"AUTH":
                self._authenticate(words)
                return b"+OK\r\n", True
            if not admitted:
                return b"-NOAUTH Authentication required.\r\n", False
            answer = reply(self._database.run(words))
        except CommandError as error:
            answer = f"-{error}\r\n".encode()
        writes, self._database.writes = self._database.writes, []
        if writes and self._kept is not None:
            self._kept.keep(writes)
        return answer, admitted

    def _authenticate(self, words: Words) -> None:
        if self._password is None:
            raise CommandError(
                "ERR AUTH <password> called without any password configured for the default user. "
                "Are you sure your configuration is correct?"
            )
        if words[1:] not in ([self._password.encode()], [b"default", self._password.encode()]):
            raise CommandError("WRONGPASS invalid username-password pair or user is disabled.")


def parse(data: bytes, place: int) -> tuple[list[bytes], int] | None:
    """The command at ``place`` and where the next begins; None when it is not whole yet.

    Raises:
        CommandError: it is no array of bulk strings.
    """
    count, place = _header(data, place, b"*", "invalid multibulk length", MAX_WORDS)
    words: list[bytes] = []
    if place < 0:
        return None
    for _ in range(count):
        length, start = _header(data, place, b"$", "invalid bulk length", MAX_WORD_BYTES)
        if start < 0 or len(data) < start + length + 2:
            return None
        place = start + length + 2
        words.append(data[start : start + length])
    return (words, place) if words else None


def _header(data: bytes, place: int, kind: bytes, trouble: str, most: int) -> tuple[int, int]:
    """The number in a header line and the place after it; -1 when the line is not whole."""
    end = data.find(b"\r\n", place)
    if end < 0:
        return 0, -1
    if data[place : place + 1] != kind:
        raise CommandError(
            f"ERR Protocol error: expected '{kind.decode()}', got '{chr(data[place])}'"
        )
    digits = data[place + 1 : end]
    if not digits.isdigit() or int(digits) > most:
        raise CommandError(f"ERR Protocol error: {trouble}")
    return int(digits), end + 2


def command(words: Words) -> bytes:
    """A command as it travels."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def reply(value: Reply) -> bytes:
    """A reply as it travels."""
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%s\r\n" % (len(value), value)
    return b"*%d\r\n" % len(value) + b"".join(reply(each) for each in value)


async def _serve(config: dict[str, str]) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = Server(config)
    port = int(config.get("port") or DEFAULT_PORT)
    async with await asyncio.start_server(server.serve, "127.0.0.1", port):
        sys.stdout.write("* Ready to accept connections tcp\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    """Serve until SIGTERM; 1 for arguments that a real server refuses, or a port that is taken."""
    try:
        asyncio.run(_serve(read_config(sys.argv[1:])))
    except (BadConfig, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
