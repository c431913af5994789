"""Names are stable, legal and never meet."""

import re

from hypothesis import given
from hypothesis import strategies as st

from portway.naming import Names, shortened

DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
CHAT = Names(service="chat", environment="prod")


def test_a_name_that_fits_is_left_as_it_is() -> None:
    assert CHAT.physical("runtime") == "chat-prod-runtime"


def test_a_name_that_was_cut_ends_in_a_hash_of_the_whole() -> None:
    long = Names(service="chat-for-the-finance-department", environment="production")
    cut = long.physical("service-account", limit=30)
    assert (len(cut), cut[:23]) == (30, "chat-for-the-finance-de")
    assert re.fullmatch(r"[0-9a-f]{6}", cut[-6:])


@given(st.text(min_size=1, max_size=80), st.integers(min_value=12, max_value=63))
def test_every_name_is_a_dns_label_within_its_limit(text: str, limit: int) -> None:
    name = shortened(text, limit)
    assert DNS_LABEL.match(name), name
    assert len(name) <= limit


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_two_texts_never_share_a_name(one: str, other: str) -> None:
    assert (shortened(one, 30) == shortened(other, 30)) == (one == other)


def test_a_bucket_name_differs_between_projects() -> None:
    assert CHAT.in_project("code", "acme-eu") != CHAT.in_project("code", "acme-us")


def test_the_selector_holds_only_labels_that_every_pod_has() -> None:
    labels = CHAT.kubernetes_labels("ministral-3-8b")
    assert CHAT.selector().items() <= labels.items()


def test_only_the_label_of_costs_tells_two_stacks_of_a_service_apart() -> None:
    names = Names("chat", "prod")
    assert dict(names.cost_labels("m")) == {**names.labels("m"), "stack": "chat-prod"}
    assert Names("chat", "dev").cost_labels("m")["stack"] == "chat-dev"
    assert len(Names("a" * 40, "e" * 70).cost_labels("m")["stack"]) <= 63
