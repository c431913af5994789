"""Every input of the pinned SDKs that can say where data is has a class, and tables name only what is."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pulumi import (
    _types as pulumi_types,  # pyright: ignore[reportPrivateUsage] - how the SDK reads its classes
)

import inventory as command
from located import write
from located.classes import Classes, Pattern
from located.judged import places, rows
from located.pairs import pairs
from located.sdk import Property, Sdk, UnreadableSdk, walk
from located.write import Inventory, problems, says_the_same, take, texts
from portway.gate.judged import FAMILIES, family
from portway.gate.testing import judge, resource

ROOT = Path(__file__).resolve().parents[2]
RESIDENCY = ROOT / "policies" / "residency"
NO_CLASSES = Classes([])


@pytest.fixture(scope="module")
def whole() -> Inventory:
    return take(Classes.read())


@dataclass(frozen=True)
class Always:
    """A function that gives one answer."""

    answer: Any

    def __call__(self, *_: object) -> Any:
        return self.answer


def sdk_with(folder: Path, *inputs: str, nested: str = "") -> Sdk:
    """An SDK with the one type ``aws:shop/till:Till``, written as Pulumi writes them."""
    module = {"pkg": "aws", "mod": "shop/till", "fqn": "pulumi_aws.shop"}
    modules = json.dumps([{**module, "classes": {"aws:shop/till:Till": "Till"}}])
    register = f'_utilities.register(\n    resource_modules="""\n{modules}\n""",\n'
    (folder / "shop").mkdir()
    (folder / "__init__.py").write_text(register)
    (folder / "shop" / "till.py").write_text(_class("TillArgs", *inputs))
    (folder / "shop" / "_inputs.py").write_text(nested)
    return Sdk("aws", folder)


def _class(name: str, *inputs: str) -> str:
    signature = "".join(f",\n                 {one}" for one in inputs)
    getters = "".join(
        f'    @pulumi.getter(name="{_camel(one)}")\n    def {one.partition(":")[0]}(self) -> object:\n'
        for one in inputs
    )
    return (
        f"\n\n@pulumi.input_type\nclass {name}:\n    def __init__(__self__, *{signature}):\n"
        f"        pass\n\n{getters}\n"
    )


def _camel(member: str) -> str:
    head, *tail = member.partition(":")[0].split("_")
    return head + "".join(part.title() for part in tail)


TEXT = "pulumi.Input[Optional[_builtins.str]] = None"


def test_the_files_are_what_the_sdks_say(
    whole: Inventory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "take", Always(whole))
    monkeypatch.setattr("sys.argv", ["inventory.py", "--check"])
    assert command.main() == 0, f"run make inventory\n{capsys.readouterr().err}"


def test_every_pair_has_one_of_the_four_classes(whole: Inventory) -> None:
    assert problems(whole) == []
    named = {name for found in whole.classes.values() for name in found.values()}
    assert named == {"judged", "derived", "not-data", "global"}
    assert sum(map(len, whole.classes.values())) > 7_000


def test_at_least_150_pairs_are_judged_beside_where_resources_are_themselves(
    whole: Inventory,
) -> None:
    by_hand = {(row.type, row.path) for name in FAMILIES for row in family(name)}
    exact = {pair for pair in by_hand if pair in whole.judged}
    assert len(exact) >= 150
    assert len(whole.judged) >= 150
    assert not any(path in places(token) for token, path in whole.judged)


def test_a_stale_file_fails_the_check_and_is_named(
    whole: Inventory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {**texts(whole), "tools/located/aws.json": "{}\n"}
    monkeypatch.setattr(command, "take", Always(whole))
    monkeypatch.setattr(command, "texts", Always(other))
    monkeypatch.setattr("sys.argv", ["inventory.py", "--check"])
    assert command.main() == 1
    assert "tools/located/aws.json: not what the SDKs say" in capsys.readouterr().err


def test_a_pair_that_a_table_judges_since_makes_no_file_stale() -> None:
    old = '{"sdk": "s 1", "pairs": {"aws:a/b:C derived": ["x", "y"]}}'
    new = '{"sdk": "s 1", "pairs": {"aws:a/b:C judged": ["y"], "aws:a/b:C derived": ["x"]}}'
    assert says_the_same(old, new)
    assert not says_the_same(old, new.replace("s 1", "s 2"))
    assert not says_the_same(old, new.replace('"x"', '"z"'))
    assert not says_the_same("{}", new)
    assert not says_the_same("", new)


def test_a_new_property_that_nobody_has_classed_fails_and_is_named(tmp_path: Path) -> None:
    sdk = sdk_with(tmp_path, f"name: {TEXT}", f"copy_home: {TEXT}", f"region: {TEXT}")
    found = take(Classes.read(), {"aws": sdk})
    assert found.classes["aws:shop/till:Till"] == {"copyHome": None, "region": "judged"}
    named = [
        line for line in problems(found) if line.startswith("aws:shop/till:Till has copyHome,")
    ]
    assert len(named) == 1


def test_a_new_nested_region_is_judged_as_soon_as_the_inventory_is_written(tmp_path: Path) -> None:
    nested = _class("TillBackupArgs", f"store_region: {TEXT}")
    member = "backups: pulumi.Input[Optional[Sequence[pulumi.Input['TillBackupArgs']]]] = None"
    found = take(Classes.read(), {"aws": sdk_with(tmp_path, member, nested=nested)})
    assert found.classes["aws:shop/till:Till"] == {"backups[].storeRegion": "judged"}
    assert found.reads["aws:shop/till:Till"]["backups[].storeRegion"].reads == "region"


def test_a_row_about_what_does_not_exist_fails_and_is_named(
    whole: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = [
        ("aws:dynamodb/table:Table", "replicas[].regionNam"),
        ("aws:dynamodb/table:Table", "replicas.regionName"),
        ("gcp:shop/*", "location"),
    ]
    fine = [
        ("aws:dynamodb/table:Table", "replicas[].regionName"),
        ("kubernetes:example.com/*", "x"),
    ]
    monkeypatch.setattr(write, "rows", lambda: iter([*odd, *fine]))
    told = [
        f"a table beside the gate names {glob} {path}, which does not exist" for glob, path in odd
    ]
    assert problems(whole) == sorted(told)


def test_a_line_about_nothing_fails_and_is_named(tmp_path: Path) -> None:
    line = pattern("not-data", "aws:gone/*", "region")
    found = take(Classes([line]), {"aws": sdk_with(tmp_path, f"name: {TEXT}")})
    assert found.unused == (line,)
    assert any("about nothing: aws:gone/*: region" in told for told in problems(found))


def pattern(is_: str, types: str, paths: str, **more: str) -> Pattern:
    fields: dict[str, Any] = {"types": (types,), "paths": (paths,), "because": "it is a test"}
    return Pattern.model_validate({**fields, "is": is_, **more})


def test_the_first_line_that_is_about_a_pair_counts() -> None:
    first = pattern("not-data", "aws:shop/*", "**.zone")
    second = pattern("derived", "aws:*", "**")
    classes = Classes([first, second])
    assert classes.matching("aws:shop/till:Till", "clocks[].zone") is first
    assert classes.matching("aws:shop/till:Till", "zone") is second
    assert classes.matching("aws:other/till:Till", "clocks[].zone") is second
    assert classes.matching("gcp:shop/till:Till", "clocks[].zone") is None


def test_what_is_no_text_is_read_by_no_line() -> None:
    line = pattern("judged", "aws:*", "**Region", reads="region", says="reaches into")
    classes = Classes([line])
    assert classes.matching("aws:a/b:C", "multiRegion", is_text=True) is line
    assert classes.matching("aws:a/b:C", "multiRegion", is_text=False) is None


def test_a_star_stays_within_a_name_and_two_do_not() -> None:
    within = Classes([pattern("derived", "aws:*", "a.*.region")])
    assert within.matching("aws:a/b:C", "a.b.region") is not None
    assert within.matching("aws:a/b:C", "a.b.c.region") is None
    beyond = Classes([pattern("derived", "aws:*", "a.**.region")])
    assert beyond.matching("aws:a/b:C", "a[].b[].c.region") is not None


def test_a_block_that_speaks_of_a_place_is_named_only_where_nothing_in_it_does(
    tmp_path: Path,
) -> None:
    nested = _class("WithArgs", f"bucket: {TEXT}", f"note: {TEXT}")
    nested += _class("WithoutArgs", f"note: {TEXT}")
    members = (
        "destination: pulumi.Input[Optional['WithArgs']] = None",
        "copy_to: pulumi.Input[Optional['WithoutArgs']] = None",
        "number_of_replicas: pulumi.Input[Optional[_builtins.int]] = None",
        f"learning: {TEXT}",
    )
    sdk = sdk_with(tmp_path, *members, nested=nested)
    expected = {"destination.bucket": True, "copyTo": False, "numberOfReplicas": False}
    assert dict(pairs(sdk)) == {"aws:shop/till:Till": expected}


def test_a_block_within_itself_is_entered_once(tmp_path: Path) -> None:
    nested = _class("NodeArgs", f"region: {TEXT}", "child: pulumi.Input['NodeArgs']")
    sdk = sdk_with(tmp_path, "node: pulumi.Input['NodeArgs']", nested=nested)
    paths = [path for path, _ in walk(sdk, "aws:shop/till:Till")]
    assert paths == ["node", "node.region", "node.child"]


def test_an_sdk_written_in_a_new_way_is_refused_not_misread(tmp_path: Path) -> None:
    sdk = sdk_with(tmp_path)
    (tmp_path / "shop" / "till.py").write_text("class TillArguments:\n    pass\n")
    with pytest.raises(UnreadableSdk, match="aws:shop/till:Till has no class TillArgs"):
        sdk.properties("aws:shop/till:Till")
    (tmp_path / "__init__.py").write_text("")
    with pytest.raises(UnreadableSdk, match="lists its resources in a new way"):
        _ = Sdk("aws", tmp_path).types


def _imported(cls: type[Any], met: tuple[type[Any], ...] = ()) -> Iterator[str]:
    """Every path below an imported class, without the marks of lists."""
    for name, annotation in pulumi_types.input_type_types(cls).items():
        yield name
        block = _block(annotation)
        if block is not None and block not in met:
            yield from (f"{name}.{path}" for path in _imported(block, (*met, block)))


def _block(annotation: Any) -> type[Any] | None:
    """The input class in an annotation, however it is wrapped."""
    if isinstance(annotation, type) and pulumi_types.is_input_type(annotation):
        return annotation
    found = map(_block, getattr(annotation, "__args__", ()))
    return next((block for block in found if block is not None), None)


@pytest.mark.parametrize(
    ("package", "token"),
    [
        ("aws", "aws:dynamodb/table:Table"),
        ("aws", "aws:bedrock/agentDataSource:AgentDataSource"),
        ("gcp", "gcp:secretmanager/secret:Secret"),
        ("gcp", "gcp:cloudrunv2/service:Service"),
        ("kubernetes", "kubernetes:apps/v1:Deployment"),
    ],
)
def test_the_text_is_read_as_python_reads_it(package: str, token: str) -> None:
    sdk = Sdk(package)
    folder, name = sdk.types[token]
    module = import_module(f"pulumi_{package}.{folder.replace('/', '.')}")
    arguments = getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args")
    read = {path.replace("[]", "") for path, _ in walk(sdk, token)}
    assert read == set(_imported(arguments))


def test_lists_and_texts_are_told_from_the_annotation(tmp_path: Path) -> None:
    sdk = sdk_with(
        tmp_path,
        "zones: pulumi.Input[Optional[Sequence[pulumi.Input[_builtins.str]]]] = None",
        "zone_count: pulumi.Input[Optional[_builtins.int]] = None",
        "labels: pulumi.Input[Optional[Mapping[str, pulumi.Input[_builtins.str]]]] = None",
    )
    assert sdk.properties("aws:shop/till:Till") == (
        Property("zones[]", None, is_text=True),
        Property("zoneCount", None, is_text=False),
        Property("labels", None, is_text=True),
    )


def test_every_rule_that_a_line_says_judges_exists() -> None:
    said = {line.judged_by for line in Classes.read().patterns if line.judged_by}
    stems = {file.stem.replace("_", "-") for file in (RESIDENCY / "rules").glob("*.py")}
    assert said
    assert said <= {f"residency-{stem}" for stem in stems}
    for line in Classes.read().patterns:
        assert (line.is_ == "judged") == bool(line.judged_by or line.reads)
        assert bool(line.reads) == bool(line.says)


POD = {"containers": [{"name": "chat", "image": "registry.example.com/chat:1"}]}
IMAGE = {"containers": [{"name": "chat", "image": "us-docker.pkg.dev/p/r/i:1"}]}
SELECTED = {**POD, "nodeSelector": {"topology.kubernetes.io/region": "us-east1"}}
TOPOLOGY = {"key": "topology.kubernetes.io/region", "values": ["us-east1"]}
HOOK = {"name": "hook", "clientConfig": {"url": "https://a.example.com"}}
JUDGED_IN_CODE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("core/v1:Pod", "spec.containers[].image", {"spec": IMAGE}),
    ("core/v1:Pod", "spec.nodeSelector", {"spec": SELECTED}),
    ("core/v1:Pod", "spec.nodeName", {"spec": {**POD, "nodeName": "some-node"}}),
    ("core/v1:Service", "spec.externalName", {"spec": {"externalName": "a.example.com"}}),
    ("core/v1:Service", "spec.externalIPs[]", {"spec": {"externalIPs": ["203.0.113.7"]}}),
    (
        "admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration",
        "webhooks[].clientConfig.url",
        {"webhooks": [HOOK]},
    ),
    (
        "core/v1:PersistentVolume",
        "spec.nfs.server",
        {"spec": {"nfs": {"server": "nfs.example.com", "path": "/"}}},
    ),
    (
        "storage.k8s.io/v1:StorageClass",
        "allowedTopologies[]",
        {"allowedTopologies": [{"matchLabelExpressions": [TOPOLOGY]}]},
    ),
    (
        "networking.k8s.io/v1:NetworkPolicy",
        "spec.egress[].to[].ipBlock.cidr",
        {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}},
    ),
)


@pytest.mark.parametrize(("kind", "path", "props"), JUDGED_IN_CODE)
def test_what_a_line_says_is_judged_in_code_is_refused_outside(
    kind: str, path: str, props: dict[str, Any]
) -> None:
    token = f"kubernetes:{kind}"
    line = Classes.read().matching(token, path)
    given = resource(token, "it", {"metadata": {"name": "it"}, **props})
    config = {"boundary": "eu", "clusters": {"default": "europe-west4"}}
    said = judge([given], RESIDENCY, config, defaults={"kubernetes": {"context": "default"}})
    assert line is not None
    assert line.judged_by in said.rules


def test_every_line_that_is_judged_in_code_is_tried() -> None:
    lines = [line for line in Classes.read().patterns if line.judged_by]
    tried = [
        Classes.read().matching(f"kubernetes:{kind}", path) for kind, path, _ in JUDGED_IN_CODE
    ]
    assert [line for line in lines if line not in tried] == []


@pytest.mark.parametrize(
    ("token", "outside", "inside"),
    [
        (
            "aws:appsync/dataSource:DataSource",
            {"opensearchserviceConfig": {"region": "us-east-1"}},
            {"opensearchserviceConfig": {"region": "eu-west-1"}},
        ),
        (
            "aws:comprehend/entityRecognizer:EntityRecognizer",
            {"inputDataConfig": {"documents": {"s3Uri": "s3://elsewhere/texts"}}},
            {"inputDataConfig": {"documents": {"s3Uri": "s3://kept/texts"}}},
        ),
    ],
)
def test_what_only_the_inventory_reads_is_refused_outside_and_passes_inside(
    token: str, outside: dict[str, Any], inside: dict[str, Any]
) -> None:
    config = {"boundary": "eu", "buckets": {"kept": "eu-west-1"}, "strict": True}

    def rules(props: dict[str, Any]) -> frozenset[str]:
        given = resource(token, "it", {"region": "eu-west-1", **props})
        return judge([given], RESIDENCY, config, defaults={"aws": {"region": "eu-west-1"}}).rules

    assert "residency-data-moves-inside" in rules(outside)
    assert "residency-data-moves-inside" not in rules(inside)


def test_the_rows_made_by_hand_are_many_and_name_every_cloud() -> None:
    named = {glob.partition(":")[0] for glob, _ in rows()}
    assert {"aws", "gcp", "kubernetes"} <= named
