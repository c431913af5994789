"""What is decided for each thing that an interruption leaves: every kind, found or not, under every lock."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portway.engine.evidence import (
    Decisions,
    Evidence,
    Orphan,
    new_ids,
    remembered,
)
from portway.engine.recover import Lock
from portway.engine.recovery import Do, Left, Recovery, Step, plan_recovery
from portway.errors import BadInput

STACK = "chat.prod.cloud-run"
ROOT = f"urn:pulumi:{STACK}::portway"
URN = f"{ROOT}::gcp:cloudrunv2/service:Service::chat-service"
OTHER = f"{ROOT}::gcp:storage/bucket:Bucket::chat=bucket"
INTERRUPTED = f"It was interrupted while creating gcp:cloudrunv2/service:Service ({URN})"
KINDS = ["updating", "deleting", "reading", "importing", "refreshing"]


def operation(kind: str = "creating", urn: str = URN) -> dict[str, Any]:
    inputs = {"name": "chat-prod", "location": "europe-west4", "project": "acme"}
    return {
        "type": kind,
        "resource": {"urn": urn, "type": urn.split("::")[2], "inputs": inputs},
    }


def state(
    *operations: dict[str, Any], resources: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    return {"resources": list(resources), "pending_operations": list(operations)}


def lock(*, alive: bool | None) -> Lock:
    return Lock(7, "desk-4", "2026-11-22T05:00:00Z", alive)


def planned(seen: Evidence, **said: Any) -> Recovery:
    return plan_recovery(STACK, seen, Decisions(**said))


def test_nothing_is_left_of_what_ended() -> None:
    assert planned(Evidence({})) == Recovery(STACK)
    assert planned(Evidence(state(resources=({"urn": URN, "id": "a"},)), found={})).at_rest


def test_a_create_that_the_cloud_has_is_adopted_under_its_id() -> None:
    made = planned(Evidence(state(operation()), found={URN: ["an/id"]}))
    assert made.steps == (
        Step(
            Do.ADOPT, f"{INTERRUPTED}: the cloud has it, its ID is an/id.",
            "It is adopted under the ID an/id, and read from its cloud.", URN, "an/id",
        ),
    )  # fmt: skip
    assert (made.left, made.ids, made.reads_again) == ((), {URN: "an/id"}, True)


def test_a_create_that_the_cloud_does_not_have_never_happened() -> None:
    made = planned(Evidence(state(operation()), found={OTHER: ["else"]}))
    assert made.steps == (
        Step(
            Do.NEVER, f"{INTERRUPTED}: the cloud does not have it.",
            "The attempt is forgotten; the next `pulumi up` creates it.", URN,
        ),
    )  # fmt: skip
    assert (made.left, made.never, made.reads_again) == ((), {URN}, False)


def test_where_the_cloud_is_not_read_the_two_choices_are_left_with_what_to_look_at() -> None:
    made = planned(Evidence(state(operation())))
    assert (made.steps, made.blocked, made.at_rest) == ((), False, False)
    assert made.left == (
        Left(
            f"{INTERRUPTED}: whether the cloud has it is not known here.",
            (
                "Look: gcloud run services describe chat-prod --region europe-west4 --project acme "
                "--format 'value(name)'",
                "Its ID: projects/acme/locations/europe-west4/services/chat-prod",
                f"The cloud has it: --adopt '{URN}=ID'",
                f"The cloud does not have it: --never-happened '{URN}'",
            ),
            URN,
            decidable=True,
        ),
    )


def test_of_two_that_were_found_the_user_names_one() -> None:
    seen = Evidence(state(operation()), found={URN: ["one", "two"]})
    (left,) = planned(seen).left
    assert left.what == f"{INTERRUPTED}: the cloud has 2 that no state knows: one, two."
    assert left.ways == (f"The cloud has it: --adopt '{URN}=(one | two)'",)
    assert planned(seen, adopt=(f"{URN}=two",)).ids == {URN: "two"}


@pytest.mark.parametrize("found", [None, {}, {URN: ["an/id"]}])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_no_create_is_read_again(kind: str, found: dict[str, list[str]] | None) -> None:
    made = planned(Evidence(state(operation(kind)), found=found))
    assert [(step.do, step.urn) for step in made.steps] == [(Do.READ, URN)]
    assert made.steps[0].what.startswith(f"It was interrupted while {kind} gcp:cloudrunv2")
    assert (made.left, made.ids, made.never, made.reads_again) == ((), {}, frozenset(), True)


def test_the_user_decides_what_cannot_be_looked_up() -> None:
    seen = Evidence(state(operation(), operation(urn=OTHER)))
    made = planned(seen, adopt=(f"{OTHER}=bucket=1",), never=(URN,))
    assert (made.ids, made.never, made.left) == ({OTHER: "bucket=1"}, {URN}, ())
    half = planned(seen, never=(URN,))
    assert (half.never, [left.urn for left in half.left]) == ({URN}, [OTHER])


def test_an_orphan_is_imported() -> None:
    orphan = Orphan(URN, "gcp:cloudrunv2/service:Service", "an/id", ("import", "x"))
    made = planned(Evidence(state(), found={URN: ["an/id"]}, orphans=(orphan,)))
    (step,) = made.steps
    assert (step.do, step.urn, step.id, step.command) == (
        Do.IMPORT, URN, "an/id", ("import", "x"),
    )  # fmt: skip
    assert "is in the cloud, but in no state" in step.what


@pytest.mark.parametrize("pending", [(), (operation(),), (operation("updating"),)])
def test_the_lock_of_a_living_process_stops_everything_and_names_it(
    pending: tuple[dict[str, Any], ...],
) -> None:
    seen = Evidence(state(*pending), [lock(alive=True)], found={})
    for release in (False, True):
        made = planned(seen, release_lock=release)
        assert (made.blocked, made.at_rest, made.has(Do.RELEASE)) == (True, False, False)
        assert made.left[0].what == (
            "A lock of process 7 on desk-4, taken 2026-11-22T05:00:00Z, is on the stack, and that "
            "process works on it now."
        )


def test_the_lock_of_a_process_that_is_gone_is_removed() -> None:
    made = planned(Evidence(state(), [lock(alive=False)]))
    assert [(step.do, step.does) for step in made.steps] == [(Do.RELEASE, "The lock is removed.")]
    assert (made.blocked, made.left) == (False, ())


def test_a_lock_from_another_host_needs_a_word() -> None:
    seen = Evidence(state(), [lock(alive=None)])
    made = planned(seen)
    assert (made.blocked, made.steps) == (True, ())
    assert made.left[0].ways == (
        "Look on desk-4 whether process 7 runs; when it does not: --release-lock",
    )
    said = planned(seen, release_lock=True)
    assert (said.blocked, said.left, said.has(Do.RELEASE)) == (False, (), True)


def test_one_living_process_among_dead_ones_stops_everything() -> None:
    made = planned(Evidence(state(), [lock(alive=False), lock(alive=True)]), release_lock=True)
    assert made.blocked


@pytest.mark.parametrize(
    ("found", "said", "complaint"),
    [
        (None, {"never": ["urn:else"]}, "'urn:else' names no interrupted create; those that are: "),
        (None, {"adopt": ["urn:else=1"]}, "'urn:else=1' names no interrupted create"),
        (None, {"adopt": [URN]}, "its form is URN=ID"),
        (None, {"adopt": [f"{URN}="]}, "has no ID"),
        (None, {"adopt": [f"{URN}=1"], "never": [URN]}, "is adopted by --adopt at once"),
        (None, {"adopt": [f"{URN}=1", f"{URN}=2"]}, "is given two IDs, 1 and 2"),
        ({}, {"adopt": [f"{URN}=1"]}, f"the cloud has no 1 for {URN}; it has nothing"),
        ({URN: ["a"]}, {"adopt": [f"{URN}=1"]}, f"the cloud has no 1 for {URN}; it has a"),
        ({URN: ["a"]}, {"never": [URN]}, f"the cloud has {URN}: a; adopt it"),
    ],
)
def test_a_decision_that_fits_nothing_that_was_seen_is_bad_input(
    found: dict[str, list[str]] | None, said: dict[str, list[str]], complaint: str
) -> None:
    with pytest.raises(BadInput) as refused:
        planned(Evidence(state(operation()), found=found), **said)
    assert complaint in str(refused.value)


def test_an_update_is_no_create_and_nobody_decides_it() -> None:
    with pytest.raises(BadInput, match="no create is"):
        planned(Evidence(state(operation("updating"))), never=[URN])


def test_adopting_what_was_adopted_before_changes_nothing() -> None:
    seen = Evidence(state(resources=({"urn": URN, "id": "an/id"},)))
    assert planned(seen, adopt=[f"{URN}=an/id"]).at_rest


def test_what_the_state_knows_was_not_found_for_an_interrupted_replacement() -> None:
    known = state(resources=({"urn": URN, "id": "old", "delete": True},))
    assert new_ids([(URN, "old"), (URN, "new"), ("", "x")], known) == {URN: ["new"], "": ["x"]}
    assert new_ids([(URN, "old")], known) == {}


def test_a_create_that_a_killed_recovery_had_adopted_is_read_before_it_is_dropped() -> None:
    half = state(operation(), resources=({"urn": URN, "id": "new"},))
    made = planned(Evidence(half, found={}))
    assert made.steps == (
        Step(
            Do.ADOPT, f"{INTERRUPTED}: the cloud has nothing that the state does not know.",
            "What the state knows, new, is read from its cloud; the attempt is forgotten.",
            URN, "new",
        ),
    )  # fmt: skip
    assert (made.ids, made.never, made.reads_again) == ({URN: "new"}, frozenset(), True)
    assert planned(Evidence(half, found={}), adopt=[f"{URN}=new"]).ids == {URN: "new"}
    said = planned(Evidence(half), never=[URN])
    assert (said.ids, said.never, said.reads_again) == ({}, {URN}, True)


def test_of_an_interrupted_replacement_the_new_one_is_adopted_if_there_is_one() -> None:
    before = state(
        operation(),
        resources=({"urn": URN, "id": "older", "delete": True}, {"urn": URN, "id": "old"}),
    )
    assert planned(Evidence(before, found={URN: ["new"]})).ids == {URN: "new"}
    assert planned(Evidence(before, found={})).ids == {URN: "old"}


def test_what_a_journal_remembers_is_still_pending_once() -> None:
    before = state(operation())
    assert remembered(before, []) == before
    assert remembered(before, [operation(), operation(urn=OTHER)]) == state(
        operation(), operation(urn=OTHER)
    )
    assert remembered({}, [operation()]) == {"pending_operations": [operation()]}


def test_creates_wait_for_the_one_that_is_not_decided() -> None:
    seen = Evidence(state(operation(), operation(urn=OTHER)))
    assert planned(seen, never=[URN]).waits
    assert not planned(seen, never=[URN, OTHER]).waits
    assert not planned(Evidence(state(operation(), operation("updating", OTHER)))).waits


operations = st.builds(
    operation,
    kind=st.sampled_from(["creating", *KINDS]),
    urn=st.sampled_from([URN, OTHER, f"{ROOT}::a:b:C::d"]),
)


@given(
    st.lists(operations, unique_by=lambda each: each["resource"]["urn"]),
    st.none() | st.dictionaries(st.sampled_from([URN, OTHER]), st.lists(st.text(min_size=1))),
    st.lists(st.sampled_from([True, False, None])),
    st.booleans(),
)
def test_everything_that_was_left_is_either_a_step_or_left_to_the_user_and_never_guessed(
    pending: list[dict[str, Any]],
    found: dict[str, list[str]] | None,
    alive: list[bool | None],
    release: bool,  # noqa: FBT001 - drawn
) -> None:
    seen = Evidence(state(*pending), [lock(alive=each) for each in alive], found)
    made = planned(seen, release_lock=release)
    told = [item.urn for item in (*made.steps, *made.left) if item.urn]
    assert sorted(told) == sorted(each["resource"]["urn"] for each in pending)
    assert made.blocked == (True in alive or (None in alive and not release))
    for step in made.steps:
        if step.do is Do.ADOPT:
            assert found is not None
            assert found[step.urn] == [step.id]
        if step.do is Do.NEVER:
            assert found is not None
            assert not found.get(step.urn)
