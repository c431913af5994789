from pathlib import Path

import pytest

from portway.errors import BadInput
from portway.sandbox.faults import Fault, FaultKind, Faults
from portway.sandbox.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cloud.db")


def load(store: Store, text: str) -> Faults:
    path = store.path.parent / "faults.yaml"
    path.write_text(text)
    return Faults.load(path, store)


def test_no_file_means_no_faults(store: Store, tmp_path: Path) -> None:
    assert Faults.load(tmp_path / "nowhere.yaml", store).rules == ()


def test_an_empty_file_means_no_faults(store: Store) -> None:
    assert load(store, "").rules == ()


def test_rules_and_quotas_are_read(store: Store) -> None:
    faults = load(
        store,
        "faults:\n"
        "  - {type: 'aws:lambda/*', operation: update, name: 'chat*', fault: denied, times: 2}\n"
        "  - fault: {latency_seconds: 1.5}\n"
        "quotas: {LambdaConcurrentExecutions: {eu-west-1: 10, default: 50}}\n",
    )
    assert faults.rules == (
        Fault(FaultKind.DENIED, "aws:lambda/*", "update", "chat*", 2),
        Fault(FaultKind.LATENCY, latency_seconds=1.5),
    )
    assert faults.quotas == {"LambdaConcurrentExecutions": {"eu-west-1": 10, "default": 50}}


def test_a_rule_strikes_what_it_names_and_nothing_else(store: Store) -> None:
    faults = load(store, "[{type: 'gcp:*', operation: delete, name: 'a*', fault: quota}]")
    (rule,) = faults.rules
    assert faults.due("delete", "gcp:storage/bucket:Bucket", "abc") == [rule]
    assert faults.due("create", "gcp:storage/bucket:Bucket", "abc") == []
    assert faults.due("delete", "aws:s3/bucket:Bucket", "abc") == []
    assert faults.due("delete", "gcp:storage/bucket:Bucket", "b") == []


def test_a_rule_strikes_as_often_as_it_says_over_all_processes(store: Store) -> None:
    text = "[{fault: denied, times: 2}]"
    struck = [len(load(store, text).due("create", "t", "n")) for _ in range(3)]
    assert struck == [1, 1, 0]
    assert len(load(store, "[{fault: denied, times: 3}]").due("create", "t", "n")) == 1


def test_everything_wrong_with_a_faults_file_is_said_at_once(store: Store) -> None:
    with pytest.raises(BadInput) as caught:
        load(
            store,
            "faults:\n"
            "  - {fault: explode, operation: destroy, times: 0, nam: x}\n"
            "  - {fault: half_create, operation: delete}\n"
            "  - {fault: crash, operation: read}\n"
            "  - nothing\n"
            "quotas: {X: 3}\n",
        )
    assert [problem.path for problem in caught.value.problems] == [
        "faults[0].nam",
        "faults[0].operation",
        "faults[0].times",
        "faults[0].fault",
        "faults[1].fault",
        "faults[2].fault",
        "faults[3]",
        "quotas.X",
    ]
    assert all(
        problem.where == str(store.path.parent / "faults.yaml") for problem in caught.value.problems
    )


@pytest.mark.parametrize("text", ["[", "just text", "rules: []"])
def test_a_file_of_another_shape_is_refused(store: Store, text: str) -> None:
    with pytest.raises(BadInput):
        load(store, text)
