"""What a stack cost before: read from whatever says it, and never guessed."""

import json
import os
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portway.errors import BadInput
from portway.gate import costs
from portway.gate.baseline import BASELINE, DEPLOYED, Earlier, earlier, read_baselines
from portway.gate.config import CostConfig
from portway.gate.resource import Stack
from portway.gate.sums import IncreaseLimits
from portway.gate.testing import judge
from portway.gate.testing.given import from_document
from support.packs import POLICIES, pack_named
from support.priced_stacks import stack_of_rows

ADDRESS = {"type": "aws:ec2/eip:Eip", "props": {"region": "us-east-1", "domain": "vpc"}}
DATABASE = {
    "type": "aws:rds/instance:Instance",
    "name": "db",
    "props": {"region": "us-east-1", "instanceClass": "db.t4g.large"},
}
ONE = Decimal("3.65")
TODAY = date(2026, 11, 22)


def stack(*rows: Mapping[str, Any]) -> Stack:
    return stack_of_rows([dict(row) for row in rows])


def export(*rows: Mapping[str, Any], stack: str = "dev", project: str = "project") -> Any:
    resources = [
        {
            "urn": f"urn:pulumi:{stack}::{project}::{row['type']}::{row.get('name', number)}",
            "type": row["type"],
            "custom": True,
            "inputs": row["props"],
            "delete": row.get("delete", False),
        }
        for number, row in enumerate(rows)
    ]
    return {"version": 3, "deployment": {"resources": resources}}


def run(*stacks: Mapping[str, Any]) -> Any:
    return {"verdict": "passed", "stacks": list(stacks)}


def totals(name: str = "dev", floor: object = "1.00", ceiling: object = "2.00") -> dict[str, Any]:
    return {"stack": name, "monthly": {"floor": floor, "ceiling": ceiling}}


def written(folder: Path, content: object, name: str = "before.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def limits(*files: Path, **said: Any) -> IncreaseLimits:
    return CostConfig(baseline=tuple(map(str, files)), **said)


def test_an_exported_state_is_priced_as_the_stack_is(tmp_path: Path) -> None:
    gone = ADDRESS | {"name": "gone", "delete": True}
    file = written(tmp_path, export(ADDRESS, ADDRESS, gone))
    expected = Earlier("dev", "project", str(file), 2 * ONE, 2 * ONE)
    assert earlier(stack(ADDRESS), limits(file)) == expected


def test_a_state_without_resources_is_of_the_stack_its_file_is_called_after(tmp_path: Path) -> None:
    file = written(tmp_path, export(), "dev.json")
    assert earlier(stack(ADDRESS), limits(file)) == Earlier(
        "dev", None, str(file), Decimal(0), Decimal(0)
    )


def test_an_earlier_run_of_the_gate_holds_every_stack_it_judged(tmp_path: Path) -> None:
    file = written(tmp_path, run(totals("prod", "5.00", "6.00"), totals()))
    assert earlier(stack(ADDRESS), limits(file)) == Earlier(
        "dev", None, str(file), Decimal("1.00"), Decimal("2.00")
    )


def test_what_could_not_be_priced_then_is_named_and_not_taken_for_nothing(tmp_path: Path) -> None:
    state = written(tmp_path, export(ADDRESS, DATABASE), "state.json")
    unpriced = {"stack": "dev", "monthly": None, "unpriced": ["a database: nobody knows"]}
    for file, why in (
        (state, "that of aws:rds/instance:Instance db, which cannot be priced"),
        (written(tmp_path, run(unpriced), "run.json"), "a database: nobody knows"),
        (written(tmp_path, run({"stack": "dev"}), "older.json"), "its cost was not told"),
    ):
        found = earlier(stack(ADDRESS), limits(file))
        assert isinstance(found, Earlier)
        assert found.untold == why
    declared = (("aws:rds/instance:Instance", Decimal(400)),)
    found = earlier(stack(ADDRESS), limits(state), declared)
    assert isinstance(found, Earlier)
    assert (found.untold, found.ceiling) == ("", Decimal("403.65"))


def test_a_stack_of_the_same_name_in_another_project_says_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, export(ADDRESS, project="shop"))
    assert earlier(stack(ADDRESS), limits(file)) == (
        "no baseline is of the stack dev of project; there are those of dev"
    )


def test_two_baselines_of_one_stack_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, export(ADDRESS))
    agreed = {"dev": {"floor": 0, "ceiling": 10}}
    found = earlier(stack(ADDRESS), limits(file, baseline_usd=agreed))
    assert found == f"several baselines are of the stack dev: {file}, baseline_usd; leave one"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("{", "is truncated"),
        ({"hello": 1}, "is no exported state"),
        (run({"monthly": None}), "stacks[0]: names no stack; write it again with `portway gate"),
        ({"verdict": "passed", "stacks": 3}, "stacks[0]: names no stack"),
        (run(totals(floor="much")), "stacks[0].monthly: holds no floor and ceiling"),
        (run(totals(floor="NaN")), "stacks[0].monthly: holds no floor and ceiling"),
        (run(totals(ceiling="-1")), "stacks[0].monthly: holds no floor and ceiling"),
        (run(totals(), {"stack": "b", "monthly": {}}), "stacks[1].monthly: holds no floor"),
        (run({"stack": "a", "monthly": [1]}), "stacks[0].monthly: holds no floor"),
    ],
)
def test_what_is_no_baseline_is_named_with_its_file(
    tmp_path: Path, content: object, message: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(BadInput) as refusal:
        read_baselines([file])
    assert str(refusal.value).startswith(f"{file}: ")
    assert message in str(refusal.value)
    assert message in str(earlier(stack(ADDRESS), limits(file)))


def test_files_asked_for_count_instead_of_those_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        written(tmp_path, run(totals(name)), f"{name}.json") for name in ("dev", "prod")
    )
    monkeypatch.setenv(BASELINE, f"{first}{os.pathsep}{second}")
    found = earlier(stack(ADDRESS), limits(tmp_path / "nowhere.json"))
    assert isinstance(found, Earlier)
    assert found.source == str(first)


def test_what_is_deployed_counts_where_nothing_else_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed, named = (written(tmp_path, run(totals()), f"{name}.json") for name in ("is", "was"))
    monkeypatch.setenv(DEPLOYED, str(deployed))
    agreed = {"dev": {"floor": 0, "ceiling": 10}}
    sources: list[str] = []
    for said in (limits(), limits(named), limits(baseline_usd=agreed)):
        found = earlier(stack(ADDRESS), said)
        assert isinstance(found, Earlier)
        sources.append(found.source)
    assert sources == [str(deployed), str(named), "baseline_usd"]


def test_a_baseline_is_looked_for_from_its_configuration_or_from_the_packs(tmp_path: Path) -> None:
    cost = pack_named("cost")
    configured = written(tmp_path, {"cost": {"baseline": ["a.json", "/b.json"]}}, "cost.json")
    found = cost.configure_from(configured)
    assert isinstance(found, CostConfig)
    assert found.baseline == (str(tmp_path.resolve() / "a.json"), "/b.json")
    found = cost.configure({"cost": {"baseline": "a.json"}})
    assert isinstance(found, CostConfig)
    assert found.baseline == (str(POLICIES.resolve() / "a.json"),)


def test_the_rule_refuses_a_baseline_that_is_not_whole(tmp_path: Path) -> None:
    file = written(tmp_path, export(ADDRESS, DATABASE))
    config = {"cost": {"max_gpus": 0, "max_increase_usd": 1000, "baseline": str(file)}}
    found = judge(from_document([dict(ADDRESS, provider={})]), POLICIES / "cost", config)
    (said,) = found.of("cost-increase-within-limit")
    assert said.level == "mandatory"
    assert said.message == (
        f"[cost-increase-within-limit] what max_increase_usd allows cannot be judged: {file} says "
        "3.65 USD and that of aws:rds/instance:Instance db, which cannot be priced"
    )


def test_what_the_pack_hands_over_is_what_the_gate_reads(tmp_path: Path) -> None:
    before = written(tmp_path, export(ADDRESS, ADDRESS))
    config = CostConfig(baseline=(str(before),))
    one, told = tmp_path / "one.json", costs.costs_of(stack(ADDRESS), config, TODAY)
    costs.write(told, one)
    assert costs.read(one) == told
    assert told.monthly == {"floor": "3.65", "expected": "3.65", "ceiling": "3.65"}
    assert told.change == (
        f"a month since {before}: ceiling 7.30 USD → 3.65 USD (-3.65 USD), "
        "floor 7.30 USD → 3.65 USD (-3.65 USD)"
    )
    assert costs.read(tmp_path / "none.json") is None
    assert costs.read(written(tmp_path, "{", "half.json")) is None


def test_costs_that_are_not_whole_have_no_total_and_say_why() -> None:
    told = costs.costs_of(stack(ADDRESS, DATABASE), CostConfig(), TODAY)
    assert told.monthly is None
    (why,) = told.untold
    assert why.startswith("aws:rds/instance:Instance db: ")
    assert told.change == ""
    lost = CostConfig(baseline_usd={"prod": {"floor": 1, "ceiling": 1}})  # pyright: ignore[reportArgumentType] - as JSON has it
    found = costs.costs_of(stack(ADDRESS), lost, TODAY)
    assert found.change.startswith("cannot be compared: no baseline is of the stack dev")
