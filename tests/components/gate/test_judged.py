"""The rows of the judged tables, read one by one over made-up tables' worth of resources."""

from collections.abc import Mapping
from typing import Any

import pytest

from portway.gate import judged
from portway.gate.context import ResidencyContext
from portway.gate.judged import Row, judge_family
from portway.gate.resource import Provider, Resource, Stack
from portway.gate.rule import Violation
from portway.gate.values import UNKNOWN, View
from portway.residency.boundary import boundary

CONTEXT = ResidencyContext(
    boundary(["eu"]),
    buckets={"logs-eu": "eu-west-1", "logs-us": "us-east-1"},
    hosts=("*.example.eu",),
)


def resource(
    props: Mapping[str, Any],
    type_: str = "aws:s3/bucket:Bucket",
    name: str = "it",
    depends_on: Mapping[str, tuple[str, ...]] | None = None,
) -> Resource:
    urn = f"urn:pulumi:dev::p::{type_}::{name}"
    provider = Provider("default", "urn:provider", View({}))
    return Resource(urn, name, type_, View(props), provider, None, depends_on)


@pytest.fixture(autouse=True)
def _forget() -> None:
    judged.rows_of.cache_clear()


def judge(
    monkeypatch: pytest.MonkeyPatch, row: Row, one: Resource, *others: Resource
) -> list[Violation]:
    def rows(_family: str, _token: str) -> tuple[Row, ...]:
        return (row,)

    monkeypatch.setattr(judged, "rows_of", rows)
    return list(judge_family("copies")(one, CONTEXT, Stack.of((one, *others))))


def row(reads: Any, **more: Any) -> Row:
    return Row("aws:*", "a", reads, "keeps a copy in", **more)


@pytest.mark.parametrize(
    ("reads", "value"),
    [
        ("region", "eu-west-1"),
        ("region", " EU-WEST-1A "),
        ("arn", "arn:aws:kms:eu-west-1:1:key/1"),
        ("arn", "arn:aws-us-gov:iam::1:role/x"),
        ("arn", "arn:aws:s3:::logs-eu/x"),
        ("path", "projects/p/locations/europe-west4/keyRings/r"),
        ("bucket", "logs-eu"),
        ("bucket", "s3://logs-eu/prefix"),
        ("bucket", "https://b.s3.eu-west-1.amazonaws.com/x"),
        ("host", "https://api.example.eu/v1"),
        ("host", "http://otel.monitoring.svc.cluster.local:4317"),
        ("host", "bedrock-runtime.eu-west-1.amazonaws.com"),
        ("host", "10.0.0.7:443"),
        ("text", '{"to": "arn:aws:sqs:eu-west-1:1:q"}'),
    ],
)
def test_a_value_inside_says_nothing(
    reads: Any, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judge(monkeypatch, row(reads), resource({"a": value})) == []


@pytest.mark.parametrize(
    ("reads", "value", "shown", "undetermined"),
    [
        ("region", "us-east-1", "us-east-1", False),
        ("region", 4, "4", True),
        ("arn", "arn:aws:kms:us-east-1:1:key/1", "us-east-1", False),
        ("arn", "arn:aws:kms:*:1:key/1", "a text of 1 characters", False),
        ("arn", "arn:aws:s3:::logs-us", "us-east-1", False),
        ("arn", "arn:aws:s3:::elsewhere", "something", True),
        ("path", "projects/p/locations/global/buckets/b", "global", False),
        ("path", "projects/p/topics/t", "something", True),
        ("bucket", "elsewhere", "something", True),
        ("bucket", "b.s3-us-west-2.amazonaws.com", "us-west-2", False),
        ("host", "https://api.example.com", "a host", True),
        ("host", "https://sqs.us-east-1.amazonaws.com/1/q", "a host in us-east-1", False),
        ("text", "x arn:aws:sqs:us-east-1:1:q y", "us-east-1", False),
        ("region", UNKNOWN, "a value", True),
        ("bucket", UNKNOWN, "a value", True),
    ],
)
def test_a_value_outside_or_beyond_knowledge_is_refused(
    reads: Any, value: Any, shown: str, undetermined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = judge(monkeypatch, row(reads), resource({"a": value}))
    assert found.undetermined is undetermined
    assert found.path == "a"
    assert f"aws:s3/bucket:Bucket it keeps a copy in {shown} (a): " in found.message


def test_a_name_in_the_same_stack_is_judged_there(monkeypatch: pytest.MonkeyPatch) -> None:
    other = resource({"bucket": "elsewhere"}, name="other")
    named = resource({"a": "arn:aws:s3:::elsewhere"})
    assert judge(monkeypatch, row("arn"), named, other) == []
    given = resource({"a": UNKNOWN}, depends_on={"a": (other.urn,)})
    assert judge(monkeypatch, row("bucket"), given, other) == []


def test_a_random_name_is_no_evidence_of_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    pet = resource({}, "random:index/randomPet:RandomPet", "pet")
    given = resource({"a": UNKNOWN}, depends_on={"a": (pet.urn,)})
    assert len(judge(monkeypatch, row("bucket"), given, pet)) == 1


def test_before_the_whole_stack_is_seen_nothing_is_said_of_what_it_may_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rows(_family: str, _token: str) -> tuple[Row, ...]:
        return (row("bucket"),)

    monkeypatch.setattr(judged, "rows_of", rows)
    one = resource({"a": "elsewhere"})
    assert list(judge_family("copies")(one, CONTEXT, None)) == []


@pytest.mark.parametrize(("value", "count"), [("true", 1), (True, 1), (False, 0), (UNKNOWN, 1)])
def test_a_flag_is_refused_by_its_value(
    value: Any, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = judge(monkeypatch, row("flag", refused=(True,)), resource({"a": value}))
    assert len(found) == count


def test_a_flag_that_allows_some_values_refuses_every_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only = row("flag", allowed=("REGIONAL",))
    assert judge(monkeypatch, only, resource({"a": "regional"})) == []
    assert len(judge(monkeypatch, only, resource({"a": "EDGE"}))) == 1


def test_an_omission_is_refused_in_every_block_that_lacks_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner = Row("aws:*", "b[].c", "region", "x", omitted="the vendor chooses", within="b[]")
    one = resource({"b": [{"c": "eu-west-1"}, {}]})
    (found,) = judge(monkeypatch, inner, one)
    assert found.path == "b[1].c"
    assert judge(monkeypatch, inner, resource({})) == []


@pytest.mark.parametrize(("scope", "count"), [("CLOUDFRONT", 1), ("REGIONAL", 0), (UNKNOWN, 1)])
def test_a_row_applies_where_its_condition_holds_or_may_hold(
    scope: Any, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = Row("aws:*", "a", "set", "answers", when={"scope": ("cloudfront",)})
    assert len(judge(monkeypatch, only, resource({"a": {}, "scope": scope}))) == count


def test_every_row_of_the_shipped_tables_is_whole() -> None:
    rows = [one for name in judged.FAMILIES for one in judged.family(name)]
    assert [one for one in rows if not one.says or ":" not in one.type] == []
    assert [one for one in rows if one.reads == "flag" and not one.refused + one.allowed] == []
    assert [one for one in rows if one.within and not one.path.startswith(one.within)] == []
