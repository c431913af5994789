"""Valkey's data and commands, as many as a counter needs: strings of bytes in hashes and sets.

Scripts run in real Lua 5.1. What is not known is refused as a Valkey that lacks the command would.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lupa import lua51

Reply = bytes | int | None | list[Any]
Words = Sequence[bytes]

_INTEGER = re.compile(rb"-?(0|[1-9][0-9]{0,18})")
_LARGEST = 2**63 - 1
_WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
_NOT_INTEGER = "ERR value is not an integer or out of range"


class CommandError(Exception):
    """An error reply; its text begins with its code."""


class Database:
    """Database 0. ``writes`` has the commands that changed something since it was last emptied."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._values: dict[bytes, dict[bytes, bytes] | set[bytes]] = {}
        self._expires: dict[bytes, int] = {}
        runtime: Any = lua51.LuaRuntime
        self._lua: Any = runtime(encoding=None, unpack_returned_tuples=True)
        self._lua.execute(_CLOSED)
        self._scripts: dict[bytes, Any] = {}
        self.writes: list[Words] = []
        self._commands: Mapping[bytes, tuple[int, Callable[[Words], Reply]]] = {
            b"PING": (-1, lambda words: words[1] if len(words) > 1 else b"PONG"),
            b"EVAL": (-3, self._eval),
            b"DEL": (-2, self._del),
            b"EXPIREAT": (3, self._expireat),
            b"TTL": (2, self._ttl),
            b"HGET": (3, lambda words: self._hash(words[1]).get(words[2])),
            b"HGETALL": (2, self._hgetall),
            b"HINCRBY": (4, self._hincrby),
            b"SADD": (-3, self._sadd),
            b"SREM": (-3, self._srem),
            b"SISMEMBER": (3, lambda words: int(words[2] in self._set(words[1]))),
            b"SMEMBERS": (2, lambda words: sorted(self._set(words[1]))),
        }

    def run(self, words: Words) -> Reply:
        """Run one command.

        Raises:
            CommandError: it is not known, its arguments are wrong, or its key holds something else.
        """
        name = words[0].upper()
        if name not in self._commands:
            first = " ".join(f"'{word.decode('latin-1')[:128]}'" for word in words[1:])
            shown = words[0].decode("latin-1")[:128]
            raise CommandError(f"ERR unknown command '{shown}', with args beginning with: {first} ")
        arity, command = self._commands[name]
        if len(words) != arity if arity > 0 else len(words) < -arity:
            lower = name.decode().lower()
            raise CommandError(f"ERR wrong number of arguments for '{lower}' command")
        return command(words)

    def _value(self, key: bytes) -> dict[bytes, bytes] | set[bytes] | None:
        if key in self._expires and self._expires[key] <= self._now():
            self._values.pop(key, None)
            self._expires.pop(key, None)
        return self._values.get(key)

    def _hash(self, key: bytes) -> dict[bytes, bytes]:
        value = self._value(key)
        if isinstance(value, set):
            raise CommandError(_WRONG_TYPE)
        return value if value is not None else {}

    def _set(self, key: bytes) -> set[bytes]:
        value = self._value(key)
        if isinstance(value, dict):
            raise CommandError(_WRONG_TYPE)
        return value if value is not None else set()

    def _del(self, words: Words) -> Reply:
        gone = [key for key in words[1:] if self._value(key) is not None]
        for key in gone:
            self._values.pop(key, None)
            self._expires.pop(key, None)
        self._note(words, changed=bool(gone))
        return len(gone)

    def _expireat(self, words: Words) -> Reply:
        when = _integer(words[2])
        found = self._value(words[1]) is not None
        if found:
            self._expires[words[1]] = when
        self._note(words, changed=found)
        return int(found)

    def _ttl(self, words: Words) -> Reply:
        if self._value(words[1]) is None:
            return -2
        when = self._expires.get(words[1])
        return -1 if when is None else max(round(when - self._now()), 0)

    def _hgetall(self, words: Words) -> Reply:
        return [part for pair in self._hash(words[1]).items() for part in pair]

    def _hincrby(self, words: Words) -> Reply:
        values, more = self._hash(words[1]), _integer(words[3])
        held = values.get(words[2], b"0")
        if not _INTEGER.fullmatch(held):
            raise CommandError("ERR hash value is not an integer")
        after = int(held) + more
        if abs(after) > _LARGEST:
            raise CommandError("ERR increment or decrement would overflow")
        values[words[2]] = b"%d" % after
        self._values[words[1]] = values
        self._note(words, changed=True)
        return after

    def _sadd(self, words: Words) -> Reply:
        members = self._set(words[1])
        added = set(words[2:]) - members
        self._values[words[1]] = members | added
        self._note(words, changed=bool(added))
        return len(added)

    def _srem(self, words: Words) -> Reply:
        members = self._set(words[1])
        gone = members & set(words[2:])
        members -= gone
        if gone and not members:
            self._values.pop(words[1], None)
            self._expires.pop(words[1], None)
        self._note(words, changed=bool(gone))
        return len(gone)

    def _note(self, words: Words, *, changed: bool) -> None:
        if changed:
            self.writes.append(tuple(words))

    def _eval(self, words: Words) -> Reply:
        keys = _integer(words[2])
        if keys < 0:
            raise CommandError("ERR Number of keys can't be negative")
        if keys > len(words) - 3:
            raise CommandError("ERR Number of keys can't be greater than number of args")
        names, arguments = words[3 : 3 + keys], words[3 + keys :]
        try:
            script = self._scripts.get(words[1])
            if script is None:
                made = self._lua.eval(b"function(KEYS, ARGV, redis) " + words[1] + b"\nend")
                script = self._scripts[words[1]] = made
            table = self._lua.table_from
            redis = table({b"call": self._called})
            return _from_lua(script(table(list(names)), table(list(arguments)), redis))
        except CommandError as error:
            raise CommandError(f"{error} script: on @user_script:1.") from None
        except (lua51.LuaError, lua51.LuaSyntaxError) as error:
            said = str(error).splitlines()[0][:200]
            raise CommandError(f"ERR Error running script: {said}") from None

    def _called(self, *words: Any) -> Any:  # noqa: ANN401 - Lua's values
        """``redis.call``: nil is false in Lua, and a list a table."""
        reply = self.run([_argument(word) for word in words])
        if reply is None:
            return False
        return self._lua.table_from(reply) if isinstance(reply, list) else reply


# Scripts see Lua's pure libraries only, as Valkey's do.
_CLOSED = b"os=nil io=nil require=nil package=nil dofile=nil loadfile=nil python=nil debug=nil"


def _integer(word: bytes) -> int:
    if not _INTEGER.fullmatch(word) or abs(int(word)) > _LARGEST:
        raise CommandError(_NOT_INTEGER)
    return int(word)


def _argument(value: Any) -> bytes:  # noqa: ANN401 - Lua's values
    if isinstance(value, bytes):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return b"%.17g" % value
    raise CommandError("ERR Command arguments must be strings or integers")


def _from_lua(value: Any) -> Reply:  # noqa: ANN401 - Lua's values
    if value is None or value is False:
        return None
    if value is True:
        return 1
    if isinstance(value, bytes):
        return value
    if isinstance(value, int | float):
        return int(value)
    return [_from_lua(each) for each in value.values()]
