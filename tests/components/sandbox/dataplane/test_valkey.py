"""The stand-in for Valkey: its commands, its scripts, its file, its protocol."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from portway.runtime.meter_valkey import RESERVE, SETTLE
from portway.runtime.resp import Connection, ReplyError
from portway.sandbox.dataplane.context import free_port
from portway.sandbox.dataplane.valkey_database import CommandError, Database, Reply
from portway.sandbox.dataplane.valkey_server import (
    AppendOnly,
    BadConfig,
    command,
    parse,
    read_config,
    reply,
)
from support.databases import PASSWORD, valkey_process


class Shell:
    """Runs commands as text on a database whose clock stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.database = Database(lambda: self.now)

    def __call__(self, *words: str | int) -> Reply:
        return self.database.run([str(word).encode() for word in words])


@pytest.fixture
def run() -> Shell:
    return Shell()


def test_hashes_count_and_sets_remember(run: Shell) -> None:
    assert (run("HINCRBY", "h", "n", 5), run("hincrby", "h", "n", -7)) == (5, -2)
    assert (run("HGET", "h", "n"), run("HGET", "h", "m"), run("HGET", "x", "n")) == (
        b"-2",
        None,
        None,
    )
    assert run("HGETALL", "h") == [b"n", b"-2"]
    assert (run("SADD", "s", "a", "b"), run("SADD", "s", "a")) == (2, 0)
    assert (run("SISMEMBER", "s", "a"), run("SISMEMBER", "s", "c")) == (1, 0)
    assert (run("SREM", "s", "a", "c"), run("SMEMBERS", "s")) == (1, [b"b"])
    assert (run("DEL", "h", "s", "x"), run("HGETALL", "h")) == (2, [])
    assert run("PING") == b"PONG"


def test_keys_end_when_their_time_is_over(run: Shell) -> None:
    run("SADD", "s", "a")
    assert (run("TTL", "s"), run("EXPIREAT", "s", 1060), run("TTL", "s")) == (-1, 1, 60)
    run.now = 1060
    assert (run("SMEMBERS", "s"), run("TTL", "s"), run("EXPIREAT", "s", 2000)) == ([], -2, 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["FLY", "x"], "ERR unknown command 'FLY', with args beginning with: 'x' "),
        (["HGET", "h"], "ERR wrong number of arguments for 'hget' command"),
        (["SADD", "h", "a"], "WRONGTYPE Operation against a key holding the wrong kind of value"),
        (["HINCRBY", "h", "n", "x"], "ERR value is not an integer or out of range"),
        (["HINCRBY", "h", "n", str(2**63)], "ERR value is not an integer or out of range"),
        (["HINCRBY", "h", "n", str(2**63 - 1)], "ERR increment or decrement would overflow"),
        (["EVAL", "return 1", "2", "k"], "ERR Number of keys can't be greater than number of args"),
        (["EVAL", "return 1", "-1"], "ERR Number of keys can't be negative"),
    ],
)
def test_errors_are_the_servers_own(run: Shell, words: list[str], said: str) -> None:
    run("HINCRBY", "h", "n", 1)
    with pytest.raises(CommandError) as caught:
        run(*words)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("return 7.9", 7),
        ("return 'x'", b"x"),
        ("return nil", None),
        ("return false", None),
        ("return true", 1),
        ("return {1, 'a', {2}}", [1, b"a", [2]]),
        ("return KEYS[1] .. ARGV[1] .. #ARGV", b"kv1"),
        ("return redis.call('HGET', KEYS[1], 'n')", None),
        (
            "redis.call('HINCRBY', KEYS[1], 'n', 3) return redis.call('HGETALL', KEYS[1])",
            [b"n", b"3"],
        ),
        ("return tostring(os) .. tostring(io) .. tostring(python)", b"nilnilnil"),
    ],
)
def test_scripts_run_in_lua(run: Shell, script: str, answer: Reply) -> None:
    assert run("EVAL", script, 1, "k", "v") == answer


@pytest.mark.parametrize("script", ["return (", "return nothing.at_all", "redis.call('FLY')"])
def test_a_script_that_fails_is_an_error(run: Shell, script: str) -> None:
    with pytest.raises(CommandError, match=r"^ERR "):
        run("EVAL", script, 0)


def test_the_meters_scripts_reserve_once_within_limits_and_settle_once(run: Shell) -> None:
    def reserve(token: str, amount: int) -> Reply:
        return run("EVAL", RESERVE, 2, "h", "s", token, 9000, "tokens", amount, 100, "n", 1, "")

    changes = ("tokens", -40, "n", 0, "m", 0)
    assert [reserve("a", 60), reserve("a", 60), reserve("b", 41), reserve("b", 40)] == [
        b"", b"", b"tokens", b"",
    ]  # fmt: skip
    assert run("HGETALL", "h") == [b"tokens", b"100", b"n", b"2"]
    settle = [run("EVAL", SETTLE, 2, "h", "s", "a", 9000, *changes, "b") for _ in range(2)]
    assert settle == [1, 0]
    assert run("HGET", "h", "tokens") == b"60"
    assert (run("SMEMBERS", "s"), run("TTL", "h")) == ([], 8000)


def written(path: Path, *commands: Sequence[str]) -> AppendOnly:
    kept, database = AppendOnly(path, always=True), Database()
    for words in commands:
        database.writes.clear()
        database.run([word.encode() for word in words])
        kept.keep(database.writes)
    return kept


def test_a_restarted_server_has_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "data" / "a.aof"
    script = "redis.call('HINCRBY', 'h', 'n', 2) redis.call('SADD', 's', 'a')"
    written(path, ["HINCRBY", "h", "n", "5"], ["EVAL", script, "0"])
    again = Database()
    AppendOnly(path, always=False).load(again)
    assert (again.run([b"HGET", b"h", b"n"]), again.run([b"SMEMBERS", b"s"])) == (b"7", [b"a"])
    assert not again.writes


def test_every_cut_of_the_file_leaves_whole_commands(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    script = "redis.call('HINCRBY', 'h', 'n', 1) redis.call('HINCRBY', 'h', 'm', 1)"
    written(path, ["EVAL", script, "0"], ["EVAL", script, "0"])
    data = path.read_bytes()
    for length in range(0, len(data) + 1, 7):
        path.write_bytes(data[:length])
        database = Database()
        AppendOnly(path, always=False).load(database)
        both = [database.run([b"HGET", b"h", name]) for name in (b"n", b"m")]
        assert both[0] == both[1]
        assert len(data[:length]) >= path.stat().st_size


@pytest.mark.parametrize("value", [None, -3, b"", b"a\r\nb", [1, None, [b"x"]]])
def test_replies_of_every_kind_travel(value: Reply) -> None:
    assert reply(value).endswith(b"\r\n")


def test_commands_are_read_whole_however_they_arrive() -> None:
    words = [b"SET", b"", b"a\r\nb"]
    data = command(words)
    assert parse(data + b"*1", 0) == (words, len(data))
    assert all(parse(data[:length], 0) is None for length in range(len(data)))


@pytest.mark.parametrize("data", [b"GET a\r\n", b"*x\r\n", b"*1\r\n+OK\r\n", b"*1\r\n$-1\r\n"])
def test_what_is_no_command_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(CommandError, match=r"^ERR Protocol error"):
        parse(data, 0)


def test_the_last_setting_of_a_name_counts(tmp_path: Path) -> None:
    file = tmp_path / "valkey.conf"
    file.write_text("# a comment\n\nrequirepass one\nport 1\n")
    found = read_config([str(file), "--port", "2", "--save", "", "--appendonly", "yes"])
    assert found == {"requirepass": "one", "port": "2", "save": "", "appendonly": "yes"}


def test_a_setting_that_is_not_known_and_a_file_that_is_not_there_are_fatal(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="at line 1\n>>> 'fly high'"):
        read_config(["--fly", "high"])
    with pytest.raises(BadConfig, match="can't open config file"):
        read_config([str(tmp_path / "none.conf")])


def test_nobody_gets_in_without_the_password_and_nothing_is_lost_by_a_kill(tmp_path: Path) -> None:
    port = free_port()
    with valkey_process(tmp_path, port):
        with pytest.raises(ReplyError, match="WRONGPASS"):
            Connection(("127.0.0.1", port), "wrong", 5)
        stranger = Connection(("127.0.0.1", port), None, 5)
        with pytest.raises(ReplyError, match="NOAUTH"):
            stranger.call(["HGET", "h", "n"])
        stranger.close()
        friend = Connection(("127.0.0.1", port), PASSWORD, 5)
        assert friend.call(["HINCRBY", "h", "n", 5]) == 5
        friend.close()
    with valkey_process(tmp_path, port):
        friend = Connection(("127.0.0.1", port), PASSWORD, 5)
        assert friend.call(["HGET", "h", "n"]) == b"5"
        friend.close()
