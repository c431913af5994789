"""The suite holds for our runtime whole, and finds what the field's servers do differently."""

from collections.abc import Iterable

import pytest

from portway.conformance.check import Ended, Result, run_checks
from portway.conformance.endpoint import Endpoint
from portway.conformance.suite import CHECKS, chosen
from portway.errors import BadInput
from support.runtime_process import KEY, MODEL


def ended(results: Iterable[Result], how: Ended) -> dict[str, str]:
    return {one.check.id: one.detail for one in results if one.ended is how}


def test_our_runtime_breaks_nothing_and_declines_nothing(conforming: str) -> None:
    with Endpoint(conforming, KEY, MODEL) as endpoint:
        results = run_checks(endpoint, CHECKS, at_once=4)
    assert ended(results, Ended.BROKEN) == {}
    assert ended(results, Ended.DECLINED) == {}
    assert len(ended(results, Ended.HELD)) == len(CHECKS)


def test_the_published_deviations_of_vllm_are_found(bare: str) -> None:
    with Endpoint(bare, KEY, MODEL) as endpoint:
        results = run_checks(endpoint, CHECKS, at_once=4)
    broken = ended(results, Ended.BROKEN)
    assert {
        "models-retrieve",  # {"detail": "Not Found"}, even for a model that exists
        "models-unknown",
        "error-no-model",  # answered by the default model
        "error-model",  # an integer code
        "error-path",  # {"detail": …}
        "error-method",
        "auth-wrong",  # {"error": "Unauthorized"}
        "client-errors",
    } <= set(broken)
    assert {one for one in broken if one.startswith(("chat-", "stream-content", "stream-done"))} == set()  # fmt: skip


def test_no_detail_repeats_the_key(bare: str) -> None:
    with Endpoint(bare, KEY, MODEL) as endpoint:
        results = run_checks(endpoint, chosen(("auth-*",)))
    assert all(KEY not in one.detail for one in results)
    assert ended(results, Ended.BROKEN)


def test_an_endpoint_that_is_not_there_breaks_every_claim_and_raises_nothing() -> None:
    with Endpoint("http://127.0.0.1:9/v1", KEY, MODEL, timeout_seconds=5) as endpoint:
        results = run_checks(endpoint, chosen(("models-*", "client-models")))
    assert {one.ended for one in results} == {Ended.BROKEN}
    assert "ConnectError" in results[0].detail


def test_there_are_at_least_sixty_claims_each_with_an_id_of_its_own() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) >= 60
    assert len(set(ids)) == len(ids)
    assert all(check.claim and not check.claim.endswith(".") for check in CHECKS)


def test_a_pattern_that_meets_nothing_is_bad_input() -> None:
    assert [check.id for check in chosen(("models-l*", "models-u*"))] == [
        "models-list",
        "models-unknown",
    ]
    with pytest.raises(BadInput) as raised:
        chosen(("nothing-*", "models-*"))
    (problem,) = raised.value.problems
    assert "models-*, chat-*, stream-*" in problem.message
