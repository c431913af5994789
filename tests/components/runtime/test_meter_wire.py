"""How the meter's stores are reached: kept connections, tokens, broken replies, and who comes first."""

import json
import random
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from portway.runtime.google_token import AccessTokens
from portway.runtime.meter_amounts import Amounts
from portway.runtime.meter_firestore import FirestoreStore
from portway.runtime.meter_store import StoreAway
from portway.runtime.resp import Pool, ReplyError
from support.answering import Answer, Server, serving


@contextmanager
def pooled(answer: Answer, seconds: float = 2.0) -> Generator[tuple[Server, Pool]]:
    with serving(answer) as server, closing(Pool(server.address, None, seconds)) as pool:
        yield server, pool


class TestResp:
    @pytest.mark.parametrize(
        ("sent", "reply"),
        [
            (b"+OK\r\n", b"OK"),
            (b":-7\r\n", -7),
            (b"$-1\r\n", None),
            (b"$4\r\na\r\nb\r\n", b"a\r\nb"),
        ],
    )
    def test_replies_of_every_kind_are_read(self, sent: bytes, reply: object) -> None:
        with serving(lambda _: sent) as server, closing(Pool(server.address, None)) as pool:
            assert [pool.call(["PING"]), pool.call(["PING"])] == [reply, reply]
        assert server.connections == 1

    def test_an_error_leaves_the_connection_good(self) -> None:
        answers = iter([b"-ERR no\r\n", b":1\r\n"])
        with pooled(lambda _: next(answers)) as (server, pool):
            with pytest.raises(ReplyError, match="ERR no"):
                pool.call(["PING"])
            assert pool.call(["PING"]) == 1
        assert server.connections == 1

    @pytest.mark.parametrize(
        "sent", [b"HTTP/1.1 200 OK\r\n", b":x\r\n", b"*1\r\n:1\r\n", b"$9\r\nab"]
    )
    def test_what_is_no_reply_is_a_broken_connection(self, sent: bytes) -> None:
        answers = iter([sent])
        with (
            pooled(lambda _: next(answers, None), 0.2) as (_, pool),
            pytest.raises(OSError),  # noqa: PT011 - any of them
        ):
            pool.call(["PING"])

    def test_a_kept_connection_that_was_closed_is_replaced(self) -> None:
        answers = iter([b":1\r\n", None, b":2\r\n"])
        with pooled(lambda _: next(answers)) as (server, pool):
            assert [pool.call(["PING"]), pool.call(["PING"])] == [1, 2]
        assert server.connections == 2

    def test_a_server_that_is_silent_is_given_up(self) -> None:
        with pooled(lambda _: b"", 0.1) as (_, pool), pytest.raises(TimeoutError):
            pool.call(["PING"])


class Metadata:
    """A metadata server that counts, in place of an origin."""

    def __init__(self, status: int = 200, body: bytes | None = None) -> None:
        self.asked = 0
        self._status = status
        self._body = body

    def call(
        self, method: str, path: str, body: bytes | None, headers: object
    ) -> tuple[int, bytes]:
        assert (method, body, headers) == ("GET", None, {"metadata-flavor": "Google"})
        assert path.endswith("/service-accounts/default/token")
        self.asked += 1
        token = {"access_token": f"token-{self.asked}", "expires_in": 600}
        return self._status, self._body or json.dumps(token).encode()


class TestTokens:
    def test_a_token_is_used_until_a_minute_before_it_ends(self) -> None:
        now, server = [0.0], Metadata()
        origin: Any = server
        tokens = AccessTokens(origin, lambda: now[0])
        found: list[str] = []
        for seconds in (0, 539, 540, 541):
            now[0] = seconds
            found.append(tokens.get())
        assert found == ["token-1", "token-1", "token-2", "token-2"]
        tokens.forget()
        assert tokens.get() == "token-3"

    @pytest.mark.parametrize(("status", "body"), [(404, b"not found"), (200, b"{}"), (200, b"[]")])
    def test_a_server_that_gives_none_is_an_error(self, status: int, body: bytes) -> None:
        origin: Any = Metadata(status, body)
        with pytest.raises(OSError, match=rf"gave no token \({status}\)"):
            AccessTokens(origin).get()


class Turns:
    """Lets one of several threads go on at a time, in an order that a seed decides."""

    def __init__(self, seed: int, count: int) -> None:
        self._chance = random.Random(seed)
        self._condition = threading.Condition()
        self._waiting: set[int] = set()
        self._running = count
        self._turn: int | None = None

    def wait(self, number: int) -> None:
        with self._condition:
            self._waiting.add(number)
            self._pass()
            while self._turn != number:
                self._condition.wait()
            self._turn = None
            self._waiting.discard(number)

    def leave(self) -> None:
        with self._condition:
            self._running -= 1
            self._pass()

    def _pass(self) -> None:
        if self._turn is None and self._waiting and len(self._waiting) == self._running:
            self._turn = self._chance.choice(sorted(self._waiting))
            self._condition.notify_all()


class Documents:
    """Firestore's documents: commits are atomic, and sometimes aborted or answered into nowhere."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self.documents: dict[str, dict[str, int]] = {}

    def commit(self, body: bytes) -> tuple[int, bytes]:
        with self._lock:
            fate = self._chance.random()
            if fate < 0.2:
                return 409, _error("ABORTED", "Too much contention on these documents.")
            before = {name: dict(values) for name, values in self.documents.items()}
            results: list[dict[str, Any]] = []
            for write in json.loads(body)["writes"]:
                error = self._write(write, results)
                if error is not None:
                    self.documents = before
                    return error
            if fate > 0.9:
                raise TimeoutError("the answer was lost")
            return 200, json.dumps({"writeResults": results}).encode()

    def _write(self, write: dict[str, Any], results: list[Any]) -> tuple[int, bytes] | None:
        name = write.get("delete") or write["update"]["name"]
        exists = write.get("currentDocument", {}).get("exists")
        if exists is False and name in self.documents:
            return 409, _error("ALREADY_EXISTS", f"Document already exists: {name}")
        if exists is True and name not in self.documents:
            return 404, _error("NOT_FOUND", f"No document to update: {name}")
        if "delete" in write:
            self.documents.pop(name, None)
            results.append({})
            return None
        document = self.documents.setdefault(name, {})
        sums: list[dict[str, str]] = []
        for transform in write.get("updateTransforms", []):
            field, more = transform["fieldPath"], int(transform["increment"]["integerValue"])
            document[field] = document.get(field, 0) + more
            sums.append({"integerValue": str(document[field])})
        results.append({"transformResults": sums} if sums else {})
        return None


def _error(status: str, message: str) -> bytes:
    return json.dumps({"error": {"status": status, "message": message}}).encode()


class Caller:
    """An origin of one thread, which waits for its turn before each commit."""

    def __init__(self, documents: Documents, turns: Turns, number: int) -> None:
        self._documents = documents
        self._turns = turns
        self._number = number

    def call(self, method: str, path: str, body: bytes, headers: object) -> tuple[int, bytes]:
        del method, path, headers
        self._turns.wait(self._number)
        return self._documents.commit(body)


class NoTokens:
    def get(self) -> str:
        return "token"


@pytest.mark.parametrize("seed", range(30))
def test_in_any_order_of_commits_what_firestore_admits_stays_within_the_limit(seed: int) -> None:
    count, most = 6, 10
    documents, turns = Documents(seed), Turns(seed, count)
    chance = random.Random(seed)
    admitted: list[int] = []
    uncertain: list[int] = []

    def run(number: int, amounts: list[int]) -> None:
        origin: Any = Caller(documents, turns, number)
        tokens: Any = NoTokens()
        store = FirestoreStore("chat", "p/d/documents", "meters", origin, tokens)
        for index, tokens_wanted in enumerate(amounts):
            wanted = Amounts(1, tokens_wanted)
            try:
                if store.reserve("2026-11", f"{number}-{index}", wanted, {"tokens": most}) is None:
                    admitted.append(tokens_wanted)
            except StoreAway:
                uncertain.append(tokens_wanted)
        turns.leave()

    plans = [[chance.randint(1, 6) for _ in range(3)] for _ in range(count)]
    threads = [threading.Thread(target=run, args=(n, plan)) for n, plan in enumerate(plans)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = documents.documents["p/d/documents/meters/chat.2026-11"]["tokens"]
    assert sum(admitted) <= most
    assert sum(admitted) <= counted <= sum(admitted) + sum(uncertain)
    assert admitted or uncertain
