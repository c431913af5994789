"""The harness judges as the engine does, by any pack, and refuses what it cannot read."""

from pathlib import Path
from textwrap import dedent

import pytest

from portway.errors import BadInput, Missing
from portway.gate.testing import (
    UNKNOWN,
    Given,
    component,
    from_document,
    judge,
    output,
    provider,
    resource,
    secret,
)
from support.packs import POLICIES

RESIDENCY = POLICIES / "residency"
EU = {"boundary": "eu"}
BUCKET = "aws:s3/bucket:Bucket"
PLACE = "residency-region-inside-boundary"


def foreign_pack(folder: Path, body: str) -> Path:
    folder.mkdir()
    text = """\
        from pulumi_policy import (
            EnforcementLevel, PolicyPack, ResourceValidationPolicy, StackValidationPolicy
        )
        """
    (folder / "__main__.py").write_text(dedent(text) + dedent(body))
    return folder


SHOWING = """\
    import json

    def show(args, report):
        report(json.dumps([args.props.get("region"), args.provider and args.provider.name]), None)

    def count(args, report):
        report(f"[count] {len(args.resources)}", args.resources[-1].urn)

    PolicyPack("seen", [
        ResourceValidationPolicy("show", "Shows.", show, EnforcementLevel.ADVISORY),
        StackValidationPolicy("whole", "Counts.", count),
    ], EnforcementLevel.MANDATORY)
    raise SystemExit("never reached: a pack serves for ever")
    """


def test_any_pack_is_judged_by_with_its_own_levels_and_the_injected_region(tmp_path: Path) -> None:
    pack = foreign_pack(tmp_path / "seen", SHOWING)
    said = judge([resource(BUCKET, "logs")], pack, defaults={"aws": {"region": "eu-west-3"}})
    assert [(one.rule, one.level, one.name, one.message) for one in said.violations] == [
        ("show", "advisory", "default", '["eu-west-3", null]'),
        ("show", "advisory", "logs", '["eu-west-3", "default"]'),
        ("count", "mandatory", "logs", "[count] 2"),
    ]
    assert not said.passed


def test_a_configuration_by_policy_changes_levels_and_disables(tmp_path: Path) -> None:
    pack = foreign_pack(tmp_path / "seen", SHOWING)
    config = {"show": "disabled", "whole": {"enforcementLevel": "advisory"}}
    said = judge([resource(BUCKET)], pack, config)
    assert [(one.rule, one.level) for one in said.violations] == [("count", "advisory")]
    assert said.passed


def test_a_policy_that_reads_an_unknown_fails_open_as_under_the_engine(tmp_path: Path) -> None:
    body = """\
        def validate(args, report):
            if args.props.get("region", "eu-west-1") != "eu-west-1":
                report("outside", None)

        PolicyPack("naive", [ResourceValidationPolicy("naive", "Naive.", validate)],
                   EnforcementLevel.MANDATORY)
        """
    pack = foreign_pack(tmp_path / "naive", body)
    known = judge([resource(BUCKET, "it", {"region": secret("us-east-1")})], pack, {})
    unknown = judge([resource(BUCKET, "it", {"region": UNKNOWN})], pack, {})
    assert [one.message for one in known.refusals if one.name == "it"] == ["outside"]
    (said,) = [one for one in unknown.violations if one.name == "it"]
    assert (said.level, "can't run policy" in said.message) == ("advisory", True)


@pytest.mark.parametrize(
    ("given", "region"),
    [
        (resource(BUCKET), "eu-west-1"),
        (resource(BUCKET, "it", {"region": "eu-west-3"}), "eu-west-3"),
        (resource(BUCKET, "it", {"region": UNKNOWN}), None),
        (resource("aws:iam/role:Role"), None),
        (resource("gcp:storage/bucket:Bucket"), None),
    ],
)
def test_the_providers_region_is_injected_where_the_bridge_injects_it(
    given: Given, region: str | None
) -> None:
    defaults = {"aws": {"region": "eu-west-1"}, "gcp": {"region": "europe-west1"}}
    said = judge([given], RESIDENCY, {"boundary": "jp"}, defaults=defaults)
    messages = [one.message for one in said.of(PLACE) if one.name == "it"]
    assert (region is not None and any(f"is in {region}" in one for one in messages)) is (
        region is not None
    )


def test_an_explicit_provider_takes_the_place_of_the_default_one() -> None:
    abroad = provider("aws", "abroad", {"region": "us-east-1"})
    said = judge([resource(BUCKET, "logs", provider=abroad)], RESIDENCY, EU)
    assert [one.name for one in said.of(PLACE)] == ["abroad", "logs"]
    named = judge([abroad, resource(BUCKET, "logs", provider="abroad")], RESIDENCY, EU)
    assert named == said


def test_an_output_of_another_resource_is_unknown_and_depends_on_it() -> None:
    bucket = resource("gcp:storage/bucket:Bucket", "code", {"location": "europe-west4"})
    code = "gcp:storage/bucketObject:BucketObject"
    from_it = resource(code, "zip", {"name": "x", "bucket": output(bucket)})
    from_nowhere = resource(code, "zip", {"name": "x", "bucket": UNKNOWN})
    assert PLACE not in judge([bucket, from_it], RESIDENCY, EU).rules
    assert PLACE in judge([bucket, from_nowhere], RESIDENCY, EU).rules


def test_urns_are_those_of_the_engine() -> None:
    outer = component("acme:index:Site", "site")
    inner = component("acme:index:Store", "store", parent=outer)
    said = judge([outer, inner, resource(BUCKET, "logs", parent="store")], RESIDENCY, EU)
    assert said.judged == (
        "urn:pulumi:dev::project::acme:index:Site::site",
        "urn:pulumi:dev::project::acme:index:Site$acme:index:Store::store",
        "urn:pulumi:dev::project::pulumi:providers:aws::default",
        f"urn:pulumi:dev::project::acme:index:Site$acme:index:Store${BUCKET}::logs",
    )


def test_what_is_read_is_judged_only_with_the_whole_stack() -> None:
    outside = {"region": "us-east-1"}
    said = judge([resource(BUCKET, "old", outside, is_read=True)], RESIDENCY, EU)
    assert [(one.policy, one.name) for one in said.of(PLACE)] == [("residency-whole-stack", "old")]


def test_nothing_judged_is_no_pass() -> None:
    assert not judge([], RESIDENCY, EU).passed


def test_a_document_says_the_same_as_python() -> None:
    rows = [
        {"type": "acme:index:Site", "name": "site", "component": True},
        {
            "type": BUCKET,
            "name": "logs",
            "parent": "site",
            "provider": {"name": "p", "props": {"region": "eu-west-1"}},
            "props": {"bucket": {"<secret>": "hidden"}, "tags": {"a": "<unknown>"}},
        },
        {"type": "x:y:Z", "props": {"of": {"<output>": "logs"}}, "from": {"of": ["logs"]}},
    ]
    assert from_document(rows) == (
        component("acme:index:Site", "site"),
        resource(
            BUCKET,
            "logs",
            {"bucket": secret("hidden"), "tags": {"a": UNKNOWN}},
            provider=provider("aws", "p", {"region": "eu-west-1"}),
            parent="site",
        ),
        resource("x:y:Z", "it", {"of": output("logs")}, depends_on={"of": ["logs"]}),
    )


@pytest.mark.parametrize("row", [{"name": "it"}, {"type": BUCKET, "properties": {}}])
def test_a_document_with_a_key_that_nothing_reads_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=r"resources\[0\]"):
        from_document([row])


def test_references_to_nothing_or_to_several_are_refused() -> None:
    with pytest.raises(BadInput, match="no resource has the name 'gone'"):
        judge([resource(BUCKET, parent="gone")], RESIDENCY, EU)
    twins = [resource(BUCKET, "twin"), resource("aws:sqs/queue:Queue", "twin")]
    with pytest.raises(BadInput, match="several resources have the name 'twin'"):
        judge([*twins, resource(BUCKET, props={"x": output("twin")})], RESIDENCY, EU)
    with pytest.raises(BadInput, match="registered twice"):
        judge([resource(BUCKET), resource(BUCKET)], RESIDENCY, EU)


def test_a_folder_without_a_pack_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no __main__"):
        judge([], tmp_path)
    (tmp_path / "__main__.py").write_text("answer = 42\n")
    with pytest.raises(Missing, match="makes no PolicyPack"):
        judge([], tmp_path)


def test_a_wrong_level_or_policy_is_refused(tmp_path: Path) -> None:
    pack = foreign_pack(tmp_path / "seen", SHOWING)
    with pytest.raises(BadInput, match="must be one of"):
        judge([], pack, {"show": "loud"})
    with pytest.raises(BadInput, match="is not a policy; there are show, whole"):
        judge([], pack, {"shwo": {}})
