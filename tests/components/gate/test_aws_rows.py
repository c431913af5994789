"""Every row of the AWS table: its property exists, an outside value is refused, an inside one is not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from portway.gate.context import ResidencyContext
from portway.gate.judged import FAMILIES, Row, family, judge_family
from portway.gate.resource import Resource, Stack
from portway.gate.rule import Violation
from portway.gate.tables import table
from portway.gate.values import UNKNOWN, View
from portway.residency.boundary import boundary
from support.judged_rows import judged_at
from support.sdk_paths import exists, paths_of

CONTEXT = ResidencyContext(
    boundary(["eu"]),
    buckets={"kept-inside": "eu-central-1", "kept-outside": "us-east-1"},
    hosts=("listed.example.com",),
)
SHIPPED: Mapping[str, list[dict[str, Any]]] = {
    name: rows for name, rows in table("judged/aws.json").items() if name in FAMILIES
}
ROWS = tuple(
    (name, row)
    for name in FAMILIES
    for row in family(name)
    if any(row.type == own["type"] and row.path == own["path"] for own in SHIPPED[name])
)
OUTSIDE: Mapping[str, tuple[str, ...]] = {
    "region": ("us-east-1", "eu-west-2", "", "nowhere-1"),
    "arn": (
        "arn:aws:sqs:us-east-1:123456789012:q",
        "ARN:AWS:SQS:US-EAST-1:123456789012:Q",
        "arn:aws-us-gov:sqs:us-gov-west-1:1:q",
        "q",
    ),
    "bucket": ("kept-outside", "arn:aws:s3:::kept-outside/prefix", "s3://unheard-of/prefix"),
    "reference": ("kept-outside", "unheard-of"),
    "host": ("https://hooks.example.com/in", "https://a.execute-api.us-east-1.amazonaws.com/b"),
    "local": (
        "arn:aws:sqs:us-east-1:123456789012:q",
        "123456789012.dkr.ecr.us-west-2.amazonaws.com/chat:1",
        "kept-outside",
        "us-east-1b",
        "ARN:AWS:SQS:US-EAST-1:123456789012:Q",
        "com.amazonaws.us-east-1.bedrock-runtime",
        "D111111ABCDEF8.CloudFront.net",
        '{"deep": ["arn:aws:sqs:ap-south-1:123456789012:q"]}',
    ),
}
INSIDE: Mapping[str, tuple[str, ...]] = {
    "region": ("eu-west-1", " EU-CENTRAL-1 "),
    "arn": ("arn:aws:sqs:eu-west-1:123456789012:q", "arn:aws:s3:::kept-inside"),
    "bucket": ("kept-inside", "s3://kept-inside/prefix"),
    "reference": ("kept-inside",),
    "host": ("https://listed.example.com/in", "a.execute-api.eu-west-1.amazonaws.com"),
    "local": (
        "a-name",
        "alias/aws/s3",
        "eu-west-1a",
        "arn:aws:sqs:eu-west-1:123456789012:q",
        "public.ecr.aws/nginx/nginx:1.27",
        '{"deep": ["arn:aws:iam::123456789012:role/r"]}',
    ),
}


def judged(name: str, row: Row, value: object) -> list[Violation]:
    return judged_at(name, row, value, CONTEXT)


def ident(case: object) -> str:
    return f"{case.type}.{case.path}" if isinstance(case, Row) else str(case)


@pytest.mark.parametrize(("name", "row"), ROWS, ids=ident)
def test_the_property_exists_in_the_pinned_sdk(name: str, row: Row) -> None:
    assert exists(row.type, row.path)
    assert all(exists(row.type, path) for path in row.when)


@pytest.mark.parametrize(("name", "row"), ROWS, ids=ident)
def test_a_value_outside_is_refused(name: str, row: Row) -> None:
    values = OUTSIDE.get(row.reads, row.refused or ("SOMETHING_ELSE",))
    assert [value for value in values if not judged(name, row, value)] == []


@pytest.mark.parametrize(("name", "row"), ROWS, ids=ident)
def test_a_value_inside_is_not(name: str, row: Row) -> None:
    if row.reads == "set":
        return
    values = INSIDE.get(row.reads, row.allowed or ("something else",))
    others = [other for _, other in ROWS if (other.type, other.path) == (row.type, row.path)]
    if len(others) > 1:  # an endpoint that is read in two ways has to suit both
        values = tuple(v for v in values if all(v in INSIDE.get(o.reads, ()) for o in others))
    assert [value for value in values if judged(name, row, value)] == []


@pytest.mark.parametrize(("name", "row"), ROWS, ids=ident)
def test_an_unknown_value_is_refused_at_the_latest_with_the_whole_stack(
    name: str, row: Row
) -> None:
    assert judged(name, row, UNKNOWN)


@pytest.mark.parametrize(("name", "row"), [r for r in ROWS if r[1].omitted], ids=ident)
def test_what_leaks_when_it_is_left_out_is_refused_then(name: str, row: Row) -> None:
    bare = Resource("urn:one", "it", row.type, View({"tags": {"a": "b"}}))
    found = judge_family(name)(bare, CONTEXT, Stack.of([bare]))
    assert [one.path for one in found if one.path == row.path] == [row.path]


def test_the_table_judges_more_than_a_hundred_and_fifty_properties_of_each_kind_once() -> None:
    pairs = {(row["type"], row["path"]) for rows in SHIPPED.values() for row in rows}
    assert len(pairs) > 500
    whens = [
        (row["type"], row["path"], row["reads"], json.dumps(row.get("when")))
        for rows in SHIPPED.values()
        for row in rows
    ]
    assert len(set(whens)) == len(whens)


def test_the_paths_of_policy_documents_exist_in_the_pinned_sdk() -> None:
    said: dict[str, Any] = table("permissions.json")
    pairs = [
        (token, path)
        for kind in ("granting", "guarding")
        for token, paths in said[kind].items()
        for path in paths
    ]
    pairs += list(said["roles"].items())
    assert [pair for pair in pairs if not exists(*pair)] == []


def test_a_path_that_does_not_exist_is_seen() -> None:
    assert not exists("aws:dynamodb/table:Table", "replicas.regionName")
    assert not exists("aws:dynamodb/table:Table", "replicas[].region_name")
    assert not exists("aws:dynamodb/chair:Chair", "replicas[].regionName")
    assert "replicas[].regionName" in paths_of("aws:dynamodb/table:Table")
