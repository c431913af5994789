from pathlib import Path

import pytest

from portway.errors import BadInput
from portway.sandbox.faults import OPERATIONS, Fault, FaultKind, Faults
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


def test_a_rule_about_every_call_is_about_calls_and_about_nothing_else(store: Store) -> None:
    faults = load(store, "[{type: 'gcp:*', operation: '*', fault: unavailable}]")
    struck = [len(faults.due(one, "gcp:a/b:C", "n")) for one in OPERATIONS if one != "*"]
    assert dict(zip((one for one in OPERATIONS if one != "*"), struck, strict=True)) == {
        "create": 1, "update": 1, "read": 1, "delete": 1, "configure": 0, "start": 0, "invoke": 0,
    }  # fmt: skip


def test_an_outage_lasts_from_its_first_strike_and_passes_in_every_process(store: Store) -> None:
    now = [1000.0]

    def due() -> int:
        faults = load(store, "[{fault: connection_refused, seconds: 10}]")
        faults.clock = lambda: now[0]
        return len(faults.due("create", "t", "n"))

    assert due() == 1
    now[0] += 9.9
    assert due() == 1
    now[0] += 0.1
    assert due() == 0
    now[0] += 100
    assert due() == 0


def test_a_rule_may_let_some_calls_pass_first(store: Store) -> None:
    text = "[{fault: denied, after: 2, times: 1}]"
    assert [len(load(store, text).due("create", "t", "n")) for _ in range(4)] == [0, 0, 1, 0]


def test_every_file_of_the_folder_counts_and_one_that_is_set_again_strikes_again(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "faults.d"
    folder.mkdir()
    (tmp_path / "faults.yaml").write_text("{faults: [{fault: denied}], quotas: {A: {default: 1}}}")
    rule = "faults: [{fault: quota, times: 1}]\nquotas: {A: {eu: 2}, B: {default: 3}}\n"

    def struck(since: str) -> list[FaultKind]:
        (folder / "b.yaml").write_text(f"since: {since}\n{rule}")
        faults = Faults.load(tmp_path / "faults.yaml", store, folder)
        assert faults.quotas == {"A": {"default": 1, "eu": 2}, "B": {"default": 3}}
        return [fault.kind for fault in faults.due("create", "t", "n")]

    assert struck("monday") == [FaultKind.DENIED, FaultKind.QUOTA]
    assert struck("monday") == [FaultKind.DENIED]
    assert struck("tuesday") == [FaultKind.DENIED, FaultKind.QUOTA]


def test_a_fault_that_cannot_meet_an_operation_is_refused_where_it_stands(store: Store) -> None:
    with pytest.raises(BadInput) as caught:
        load(
            store,
            "- {operation: invoke, fault: crash}\n"
            "- {operation: start, fault: throttled}\n"
            "- {operation: start, fault: {latency_seconds: 1}}\n"
            "- {fault: model_access}\n"
            "- {fault: denied, seconds: 0, after: yes}\n",
        )
    assert [str(problem) for problem in caught.value.problems] == [
        f"{store.path.parent}/faults.yaml: {text}"
        for text in (
            "faults[0].fault: a crash strikes after a create or an update",
            "faults[1].fault: operation start may meet image_not_found, never_ready, no_capacity",
            "faults[2].fault: an instance starts later by PORTWAY_SANDBOX_COLD_START_SECONDS, not by a fault",
            "faults[3].fault: operation create may meet connection_refused, crash, denied, expired, half_create, quota, throttled, unavailable",
            "faults[4].after: must be a whole number of at least 1, or left out",
            "faults[4].seconds: must be a number above 0, or left out",
        )
    ]
