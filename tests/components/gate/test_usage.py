"""Whether anything of a stack uses a resource."""

from typing import Any

from portway.gate.resource import Resource, Stack
from portway.gate.usage import is_used
from portway.gate.values import View

RECORD = "aws:route53/record:Record"


def one(
    name: str,
    token: str,
    props: dict[str, Any],
    depends_on: dict[str, tuple[str, ...]] | None = None,
) -> Resource:
    return Resource(f"urn:{name}", name, token, View(props), depends_on=depends_on)


ADDRESS = one("address", "gcp:compute/address:Address", {"name": "chat-ip", "note": "chat-ip"})


def used(*others: Resource) -> bool:
    return is_used(ADDRESS, Stack.of([ADDRESS, *others]), frozenset({RECORD}))


def test_what_nothing_mentions_but_itself_is_not_used() -> None:
    assert not used()
    assert not used(one("other", "x:y:Z", {"name": "chat-ip-2"}))


def test_what_hangs_on_a_resource_uses_it() -> None:
    assert used(one("rule", "x:y:Z", {}, {"ipAddress": ("urn:other", "urn:address")}))


def test_what_names_a_resource_uses_it() -> None:
    assert used(one("rule", "x:y:Z", {"a": [{"b": "chat-ip"}]}))
    assert used(one("rule", "x:y:Z", {"a": "projects/p/regions/r/addresses/chat-ip"}))
    assert used(one("rule", "x:y:Z", {"a": "first, chat-ip"}))
    assert used(one("rule", "x:y:Z", {"a": '{"nested": "chat-ip"}'}))


def test_what_only_writes_a_resource_down_does_not_use_it() -> None:
    assert not used(one("record", RECORD, {"records": ["chat-ip"]}, {"records": ("urn:address",)}))


def test_what_somebody_else_holds_is_no_use() -> None:
    assert not used(one("rule", "x:y:Z", {"name": 3}, {"ipAddress": ("urn:elsewhere",)}))
