"""The meter's counters in Valkey: one hash for each month, changed by two Lua scripts only.

`portway:{<service>}:<month>` has `requests`, `tokens` and `micro_usd`; the set
`portway:{<service>}:<month>:open` has the tokens of reservations that are not settled. Valkey runs
one script at a time. What it promises after a crash is its own setting: with
`appendfsync always` nothing that was answered is lost, with `everysec` a second of it may be.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from .meter_amounts import Amounts, expires_at
from .meter_store import StoreAway
from .resp import Pool, ReplyError

RESERVE = """
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then return '' end
for i = 3, #ARGV, 3 do
  local used = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0')
  if ARGV[i + 2] ~= '' and used + tonumber(ARGV[i + 1]) > tonumber(ARGV[i + 2]) then
    return ARGV[i]
  end
end
for i = 3, #ARGV, 3 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIREAT', KEYS[1], ARGV[2])
redis.call('EXPIREAT', KEYS[2], ARGV[2])
return ''
""".strip()
"""KEYS: hash, set. ARGV: token, expiry, then name, amount, limit or '' for each counter."""

SETTLE = """
if redis.call('SREM', KEYS[2], ARGV[1]) == 0 then return 0 end
for i = 3, 8, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = 9, #ARGV do redis.call('SREM', KEYS[2], ARGV[i]) end
return 1
""".strip()
"""KEYS: hash, set. ARGV: token, expiry, then name and change of three counters, other tokens."""


class ValkeyStore:
    """See `Store`."""

    def __init__(self, service: str, address: tuple[str, int], password_file: str | None) -> None:
        self._service = service
        file = Path(password_file) if password_file is not None else None
        self._pool = Pool(address, file)

    def reserve(
        self, month: str, token: str, amounts: Amounts, limits: Mapping[str, int]
    ) -> str | None:
        """See `Store.reserve`."""
        arguments: list[str | int] = []
        for name, value in amounts.named().items():
            arguments += [name, value, limits.get(name, "")]
        return self._run(RESERVE, month, token, arguments) or None

    def settle(self, month: str, token: str, change: Amounts, others: Sequence[str]) -> None:
        """See `Store.settle`."""
        arguments: list[str | int] = []
        for name, value in change.named().items():
            arguments += [name, value]
        self._run(SETTLE, month, token, [*arguments, *others])

    def close(self) -> None:
        """See `Store.close`."""
        self._pool.close()

    def _run(self, script: str, month: str, token: str, arguments: list[str | int]) -> str:
        key = f"portway:{{{self._service}}}:{month}"
        command = ["EVAL", script, 2, key, f"{key}:open", token, expires_at(month), *arguments]
        try:
            reply = self._pool.call(command)
        except ReplyError as error:
            raise StoreAway(f"Valkey: {error}") from None
        except OSError as error:
            raise StoreAway(f"Valkey: {error.strerror or type(error).__name__}") from None
        except UnicodeError:
            raise StoreAway("Valkey: the password file is not UTF-8 text") from None
        return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else ""
