"""A range of addresses is fine where it is private, or where configuration says that it is inside."""

import pytest

from portway.gate.addresses import address_fault
from portway.gate.context import ResidencyContext
from portway.residency.boundary import boundary

EU = boundary(["eu"])
BUCKETS = {
    "a-bucket": "us-east-1",
    "203.0.113.0/24": "europe-west4",
    "198.51.100.7": "us-east1",
    "2001:db8::/32": "eu-west-1",
}
CONTEXT = ResidencyContext(EU, buckets=BUCKETS, hosts=("192.0.2.9",))
UNPLACED = "public addresses, and nobody has said where they are"
WIDE = "every address of the internet, or a great part of it"
OUTSIDE = "addresses that configuration places outside the boundary eu"


def what(cidr: object, *exceptions: str) -> str | None:
    fault = address_fault(cidr, exceptions, EU, CONTEXT)
    return fault.what if fault else None


@pytest.mark.parametrize(
    ("cidr", "said"),
    [
        ("10.1.2.0/24", None),
        (" 192.168.0.0/16 ", None),
        ("fd00::/8", None),
        ("203.0.113.16/28", None),
        ("2001:db8:1::/48", None),
        ("198.51.100.7/32", OUTSIDE),
        ("198.51.100.8/32", UNPLACED),
        ("52.94.0.0/16", UNPLACED),
        ("192.0.2.9/32", None),
        ("192.0.2.8/31", UNPLACED),
        ("192.0.2.8/32", UNPLACED),
        ("0.0.0.0/0", WIDE),
        ("::/0", WIDE),
        ("anything", "a text that is no range of addresses"),
        (7, "a text that is no range of addresses"),
    ],
)
def test_a_range_is_judged_by_where_it_is(cidr: object, said: str | None) -> None:
    assert what(cidr) == said


@pytest.mark.parametrize(
    ("cidr", "exceptions", "said"),
    [
        ("10.0.0.0/7", ["11.0.0.0/8"], None),
        ("10.0.0.0/7", ["12.0.0.0/8"], WIDE),
        ("fc00::/6", ["fe00::/7"], None),
        ("52.94.0.0/16", ["52.94.0.0/16"], None),
        ("52.94.0.0/16", ["52.94.0.0/17"], UNPLACED),
        ("52.94.0.0/16", ["fd00::/8"], UNPLACED),
        ("52.94.0.0/16", ["no range"], UNPLACED),
    ],
)
def test_what_is_excepted_is_not_judged(cidr: str, exceptions: list[str], said: str | None) -> None:
    assert what(cidr, *exceptions) == said
