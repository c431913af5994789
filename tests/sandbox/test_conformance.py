"""One contract on the wire: the whole suite against every target as it is deployed."""

import pytest

from portway.conformance.check import Ended, run_checks
from portway.conformance.endpoint import Endpoint
from portway.conformance.suite import CHECKS
from support.sandbox_project import STACKS, SandboxProject

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("sandbox")]

MODEL = "ministral-3-8b"
PUBLISHED = {
    "chat.prod.lambda-bedrock": {"format-object"},
}
"""What docs/endpoint.md says that a target declines."""


@pytest.mark.parametrize("stack", STACKS)
def test_every_target_keeps_the_whole_contract(deployed: SandboxProject, stack: str) -> None:
    outputs = deployed.outputs(stack)
    with Endpoint(outputs["endpoint"], outputs["apiKey"], MODEL) as endpoint:
        results = run_checks(endpoint, CHECKS, at_once=2)
    assert {one.check.id: one.detail for one in results if one.ended is Ended.BROKEN} == {}
    declined = {one.check.id for one in results if one.ended is Ended.DECLINED}
    assert declined == PUBLISHED.get(stack, set())
