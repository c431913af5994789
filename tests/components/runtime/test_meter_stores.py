"""The three stores of the meter over loopback: each does what the plainest one in memory does."""

import random
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from portway.runtime.meter import new_token
from portway.runtime.meter_amounts import Amounts
from portway.runtime.meter_settings import MeterSettings
from portway.runtime.meter_store import Store, StoreAway, open_store
from support.databases import (
    KINDS,
    PROJECT,
    RESOURCE,
    Deployed,
    allowed,
    dynamodb,
    firestore,
    valkey,
)
from support.meter_stores import MemoryStore

MONTH = "2026-11"
ONE = Amounts(1, 100, 7)


@pytest.fixture(params=KINDS)
def deployed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Deployed]:
    with KINDS[request.param](tmp_path) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


def opened(deployed: Deployed) -> Store:
    return open_store(MeterSettings(deployed.store, "chat", {}, None, "refuse", 512))


@pytest.fixture
def store(deployed: Deployed) -> Generator[Store]:
    found = opened(deployed)
    yield found
    found.close()


def test_it_does_what_the_plainest_store_does(deployed: Deployed, store: Store) -> None:
    chance, plain = random.Random(7), MemoryStore()
    limits = {"requests": 12, "tokens": 3000, "micro_usd": 10_000}
    tokens = [(month, new_token(time.time())) for month in (MONTH, "2026-12") for _ in range(10)]
    for _ in range(60):
        month, token = chance.choice(tokens)
        if chance.random() < 0.6:
            most = Amounts(1, chance.randint(1, 900), chance.randint(0, 2000))
            chosen = {k: v for k, v in limits.items() if chance.random() < 0.9}
            answer = store.reserve(month, token, most, chosen)
            assert answer == plain.reserve(month, token, most, chosen)
        else:
            held = plain.open.get((month, token), Amounts())
            change = Amounts(0, -chance.randint(0, held.tokens), 0)
            store.settle(month, token, change, ())
            plain.settle(month, token, change, ())
        for each in (MONTH, "2026-12"):
            assert deployed.used(each) == plain.used.get(each, Amounts())


def test_a_reservation_is_added_once_and_settled_once(deployed: Deployed, store: Store) -> None:
    for _ in range(3):
        assert store.reserve(MONTH, "a-1", ONE, {"requests": 1}) is None
    assert deployed.used(MONTH) == ONE
    for _ in range(3):
        store.settle(MONTH, "a-1", Amounts(0, -60, -2), ())
    assert deployed.used(MONTH) == Amounts(1, 40, 5)


def test_what_was_never_reserved_is_not_settled(deployed: Deployed, store: Store) -> None:
    store.settle(MONTH, "a-1", Amounts(-1, -60, -2), ())
    assert deployed.used(MONTH) == Amounts()


def test_others_are_closed_as_they_are(deployed: Deployed, store: Store) -> None:
    for token in ("a-1", "a-2", "a-3"):
        store.reserve(MONTH, token, ONE, {})
    store.settle(MONTH, "a-1", Amounts(0, -60, 0), ["a-2"])
    store.settle(MONTH, "a-2", Amounts(0, -100, 0), ())
    assert deployed.used(MONTH) == Amounts(3, 240, 21)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"requests": 1, "tokens": 500}, "requests"),
        ({"requests": 5, "tokens": 199}, "tokens"),
        ({"micro_usd": 13}, "micro_usd"),
        ({"requests": 2, "tokens": 200, "micro_usd": 14}, None),
    ],
)
def test_the_limit_that_would_be_passed_is_named_and_nothing_is_added(
    deployed: Deployed, store: Store, limits: dict[str, int], named: str | None
) -> None:
    assert store.reserve(MONTH, "a-1", ONE, limits) is None
    assert store.reserve(MONTH, "a-2", ONE, limits) == named
    assert deployed.used(MONTH) == (ONE if named else ONE + ONE)


def test_fifty_at_once_reserve_exactly_what_fits(deployed: Deployed, store: Store) -> None:
    def reserve(number: int) -> bool:
        return store.reserve(MONTH, f"a-{number}", ONE, {"requests": 10}) is None

    with ThreadPoolExecutor(50) as threads:
        admitted = list(threads.map(reserve, range(50)))
    assert sum(admitted) == 10
    assert deployed.used(MONTH) == replace(ONE, requests=10, tokens=1000, micro_usd=70)


def test_a_store_that_nobody_serves_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in KINDS.values():
        with kind(tmp_path) as found:
            for name, value in found.environment.items():
                monkeypatch.setenv(name, value)
            store = opened(found)
            store.reserve(MONTH, "a-1", ONE, {})
        with closing(store):
            for _ in range(2):
                with pytest.raises(StoreAway):
                    store.reserve(MONTH, "a-2", ONE, {})


class TestDynamoDb:
    @pytest.fixture
    def deployed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Deployed]:
        with dynamodb(tmp_path) as found:
            for name, value in found.environment.items():
                monkeypatch.setenv(name, value)
            yield found

    def test_a_table_that_is_not_deployed_is_away(self, deployed: Deployed, store: Store) -> None:
        del deployed.rows[1]
        with pytest.raises(StoreAway, match=r"^DynamoDB: ResourceNotFoundException$"):
            store.reserve(MONTH, "a-1", ONE, {})

    def test_a_role_without_the_permission_is_away(self, deployed: Deployed, store: Store) -> None:
        deployed.rows[2] = allowed("dynamodb:GetItem", "*")
        with pytest.raises(StoreAway, match=r"^DynamoDB: AccessDeniedException$"):
            store.reserve(MONTH, "a-1", ONE, {})

    def test_reservations_left_open_for_hours_are_cleared_away(
        self, deployed: Deployed, store: Store
    ) -> None:
        store.reserve(MONTH, new_token(0), ONE, {})
        token = new_token(0)
        store.reserve(MONTH, token, ONE, {})
        store.settle(MONTH, token, Amounts(0, -100, 0), ())
        assert deployed.used(MONTH) == Amounts(2, 100, 14)
        item = _item(deployed)
        assert "open" not in item
        assert item["expires"] == {"N": "1827619200"}


class TestFirestore:
    @pytest.fixture
    def deployed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Deployed]:
        with firestore(tmp_path) as found:
            for name, value in found.environment.items():
                monkeypatch.setenv(name, value)
            yield found

    def test_a_database_that_is_not_deployed_is_away(
        self, deployed: Deployed, store: Store
    ) -> None:
        del deployed.rows[0]
        with pytest.raises(StoreAway, match=r"^Firestore: NOT_FOUND: The database chat-meter"):
            store.reserve(MONTH, "a-1", ONE, {})
        with pytest.raises(StoreAway, match=r"NOT_FOUND"):
            store.settle(MONTH, "a-1", ONE, ())

    def test_an_account_without_the_role_is_away(self, deployed: Deployed, store: Store) -> None:
        del deployed.rows[1]
        with pytest.raises(
            StoreAway, match="Firestore: PERMISSION_DENIED: Missing or insufficient"
        ):
            store.reserve(MONTH, "a-1", ONE, {})

    def test_a_role_for_another_database_is_none(self, deployed: Deployed, store: Store) -> None:
        condition = {"expression": f'resource.name == "projects/{PROJECT}/databases/other"'}
        deployed.rows[1].inputs["condition"] = condition
        with pytest.raises(StoreAway, match="PERMISSION_DENIED"):
            store.reserve(MONTH, "a-1", ONE, {})
        condition["expression"] = f'resource.name.startsWith("{RESOURCE}")'
        assert store.reserve(MONTH, "a-1", ONE, {}) is None


class TestValkey:
    def test_a_wrong_password_is_away_and_not_in_the_reason(self, tmp_path: Path) -> None:
        with valkey(tmp_path) as deployed:
            wrong = tmp_path / "wrong"
            wrong.write_text("not-the-password")
            deployed.store["password_file"] = str(wrong)
            with pytest.raises(StoreAway) as caught, closing(opened(deployed)) as store:
                store.reserve(MONTH, "a-1", ONE, {})
        assert str(caught.value) == (
            "Valkey: WRONGPASS invalid username-password pair or user is disabled."
        )

    def test_without_a_password_it_says_that_one_is_wanted(self, tmp_path: Path) -> None:
        with valkey(tmp_path) as deployed:
            del deployed.store["password_file"]
            with (
                pytest.raises(StoreAway, match=r"^Valkey: NOAUTH Authentication required"),
                closing(opened(deployed)) as store,
            ):
                store.reserve(MONTH, "a-1", ONE, {})

    def test_a_password_file_that_is_not_there_is_away(self, tmp_path: Path) -> None:
        with valkey(tmp_path) as deployed:
            (tmp_path / "password").unlink()
            with (
                pytest.raises(StoreAway, match=r"^Valkey: No such file"),
                closing(opened(deployed)) as store,
            ):
                store.reserve(MONTH, "a-1", ONE, {})


def _item(deployed: Deployed) -> dict[str, dict[str, str]]:
    item = deployed.item
    assert item is not None
    return item(MONTH)
