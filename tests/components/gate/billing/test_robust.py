"""Nothing that a program says of its resources breaks the reading, and nothing unread is free."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portway.gate.billing import amount, stack_estimate
from portway.gate.billing.readers import READERS
from portway.gate.billing.rows import UNREAD, row_of
from portway.gate.resource import Provider, Resource, Stack
from portway.gate.tables import table
from portway.gate.values import UNKNOWN, View

ROWS = {
    token: found
    for name in ("aws", "gcp", "kubernetes")
    for token, found in table(f"billed/{name}.json")["rows"].items()
}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from(
    [
        "template",
        "scaling",
        "containers",
        "spec",
        "metadata",
        "region",
        "location",
        "type",
        "size",
        "limits",
        "resources",
        "instanceType",
        "machineType",
        "memorySize",
        "subnetIds",
        "nodeConfig",
    ]
)
TREES = st.recursive(
    SCALARS | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def alone(token: str, props: Any) -> Stack:
    provider = Provider("p", "urn:p", View({"region": "us-east-1"}))
    return Stack.of([Resource(f"urn:pulumi:s::p::{token}::it", "it", token, View(props), provider)])


@given(st.sampled_from(sorted(ROWS)), st.dictionaries(NAMES, TREES, max_size=5))
@settings(max_examples=200, deadline=None)
def test_whatever_a_resource_says_is_priced_or_refused_and_never_breaks(
    token: str, props: Any
) -> None:
    stack = alone(token, props)
    (one,) = stack_estimate(stack).resources
    assert one.lines or one.faults
    assert isinstance(amount(one.resource, stack), str)
    assert one.ceiling >= one.floor >= 0 or one.faults


def test_every_reader_that_a_table_names_exists_and_every_one_is_used() -> None:
    named = {found["reader"] for found in ROWS.values() if "reader" in found}
    assert named == set(READERS)


def test_nothing_is_free_without_a_reason() -> None:
    for name in ("aws", "gcp", "kubernetes", "other"):
        for entry in table(f"billed/{name}.json")["free"]:
            assert entry["because"].strip()
            assert not any(pattern in ("*", f"{name}:*") for pattern in entry["types"])


def test_a_type_that_nobody_has_read_is_unread_and_not_free() -> None:
    assert row_of("aws:quantum/computer:Computer", "aws", has_provider=True) is UNREAD
    assert row_of("datadog:index/monitor:Monitor", "datadog", has_provider=True) is UNREAD
