"""Test policy packs without an engine, an account or a network.

    from portway.gate.testing import UNKNOWN, judge, resource, secret

    def test_a_bucket_outside_is_refused() -> None:
        outside = resource("aws:s3/bucket:Bucket", "logs", {"region": "us-east-1"})
        said = judge([outside], "policies/residency", {"boundary": "eu"})
        assert said.rules == {"residency-region-inside-boundary"}

Resources come from Python (``resource``, ``component``, ``provider``), from a document
(``from_document``), from an exported state (``from_state``) or from a program (``from_program``);
the pack is any folder with a Python policy pack. See docs/testing-policies.md.
"""

from portway.gate.testing.given import (
    UNKNOWN,
    Given,
    Output,
    Secret,
    component,
    from_document,
    output,
    provider,
    resource,
    secret,
)
from portway.gate.testing.judge import Judgement, Violation, judge
from portway.gate.testing.program import from_program
from portway.gate.testing.state import from_state

__all__ = [
    "UNKNOWN",
    "Given",
    "Judgement",
    "Output",
    "Secret",
    "Violation",
    "component",
    "from_document",
    "from_program",
    "from_state",
    "judge",
    "output",
    "provider",
    "resource",
    "secret",
]
