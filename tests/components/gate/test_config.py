"""The configuration of a pack: strict, and wrong all at once."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portway.errors import BadInput, Missing
from portway.gate.config import (
    CostConfig,
    PackConfig,
    ResidencyConfig,
    follow,
    read_config,
    read_file,
)

RULES = ("residency-region-inside-boundary", "residency-inference-profile-stays-inside")
TODAY = date(2026, 11, 21)
POLICIES = ("residency", "residency-whole-stack")


def read(given: dict[str, Any]) -> PackConfig:
    return read_config(ResidencyConfig, given, RULES, TODAY)


def problems(given: dict[str, Any], model: type[PackConfig] = ResidencyConfig) -> list[str]:
    with pytest.raises(BadInput) as refusal:
        read_config(model, given, RULES, TODAY)
    return [str(problem) for problem in refusal.value.problems]


def exemption(**changes: str) -> dict[str, str]:
    usual = {
        "rule": RULES[0],
        "urn": "urn:pulumi:dev::*::logs",
        "reason": "moving out",
        "owner": "ann",
        "expires": "2026-12-31",
    }
    return usual | changes


def test_everything_can_be_said_at_once() -> None:
    config = read(
        {
            "boundary": ["eu", "de"],
            "strict": False,
            "clusters": {"prod-eu": "europe-west4"},
            "buckets": {"logs": "eu-central-1"},
            "exemptions": [exemption()],
            "rules": {RULES[1]: "advisory"},
        }
    )
    assert isinstance(config, ResidencyConfig)
    assert config.boundary == ("eu", "de")
    assert config.exemptions[0].expires == date(2026, 12, 31)


def test_one_boundary_needs_no_list() -> None:
    config = read({"boundary": "eu"})
    assert isinstance(config, ResidencyConfig)
    assert config.boundary == ("eu",)


def test_numbers_survive_the_wire_that_makes_them_floats() -> None:
    assert read_config(CostConfig, {"max_gpus": 4.0}, RULES, TODAY) == CostConfig(max_gpus=4)


def test_every_fault_is_named_at_once_with_a_way_out() -> None:
    found = problems(
        {
            "boundry": "eu",
            "boundary": "europe",
            "clusters": {"prod-eu": "mars"},
            "exemptions": [exemption(rule="residency-region", expires="2027-06-01")],
            "rules": {"residency-inference-profile": "advisory"},
        }
    )
    assert len(found) == 6
    assert "boundry: 'boundry' is not a key; did you mean boundary?" in found[0]
    assert found[1].startswith("rules.residency-inference-profile: ")
    assert "did you mean residency-inference-profile-stays-inside?" in found[1]
    assert found[2].startswith("exemptions[0].rule: ")
    assert "an exemption lasts at most 90 days, so until 2027-02-19" in found[3]
    assert "'europe' is not a boundary" in found[4]
    assert found[5].startswith("clusters.prod-eu: 'mars' is not a region")


@pytest.mark.parametrize(
    "given",
    [
        {"boundary": 4},
        {"strict": "yes"},
        {"rules": {RULES[0]: "disabled"}},
        {"exemptions": [{"rule": RULES[0]}]},
        {"exemptions": [exemption(urn="*")]},
        {"exemptions": [exemption(urn="urn:pulumi:dev::*")]},
        {"exemptions": [exemption(urn="urn:*")]},
        {"exemptions": [exemption(urn="[!x]*:*")]},
        {"exemptions": [exemption(urn="urn:pulumi:*::*::*")]},
        {"exemptions": [exemption(reason=" ")]},
        {"exemptions": [exemption(expires="soon")]},
        {"exemptions": [exemption(ticket="X-1")]},
        {"exemptions": [exemption(owner="")]},
    ],
)
def test_a_wrong_type_or_shape_is_refused(given: dict[str, Any]) -> None:
    assert problems(given)


def test_amounts_of_money_keep_their_own_digits() -> None:
    given = {"monthly_ceiling_usd": 1000.1, "monthly_floor_usd": "99.90", "min_utilisation": 0.4}
    read = read_config(CostConfig, given, RULES, TODAY)
    assert read.monthly_ceiling_usd == Decimal("1000.1")
    assert read.monthly_floor_usd == Decimal("99.90")
    assert read.min_utilisation == Decimal("0.4")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("monthly_ceiling_usd", -1),
        ("monthly_ceiling_usd", "1000 EUR"),
        ("monthly_ceiling_usd", "nan"),
        ("monthly_ceiling_usd", True),
        ("monthly_ceiling_usd", 1e300),
        ("monthly_floor_usd", 0.001),
        ("min_utilisation", 0),
        ("min_utilisation", 40),
        ("rates_max_age_days", 0),
        ("rates_max_age_days", 1.5),
        ("declared_usd", {"aws:rds/instance:Instance": -5}),
        ("declared_usd", {"*": 5}),
        ("declared_usd", {"urn:*::*": 5}),
        ("max_increase_usd", -1),
        ("max_increase_percent", -1),
        ("max_increase_percent", "10 %"),
        ("baseline", 5),
        ("baseline", [" "]),
        ("baseline_usd", {"prod": {"floor": 0}}),
        ("baseline_usd", {"prod": {"floor": 0, "ceiling": -1}}),
        ("baseline_usd", {"prod": {"floor": 0, "ceiling": 1, "expected": 1}}),
        ("currency", "EUR"),
    ],
)
def test_absurd_limits_are_refused_where_they_stand(key: str, value: object) -> None:
    (found, *_) = problems({key: value}, CostConfig)
    assert found.startswith(key)


def test_what_nobody_can_price_is_declared_by_type_or_by_urn() -> None:
    keys = ("aws:rds/instance:Instance", "urn:pulumi:*::*::aws:sqs/queue:Queue::orders")
    read = read_config(CostConfig, {"declared_usd": dict.fromkeys(keys, 5)}, RULES, TODAY)
    assert read.declared_usd == dict.fromkeys(keys, Decimal(5))


def test_allowed_hosts_are_host_names_or_whole_domains() -> None:
    (found,) = problems({"hosts": ["*.example.eu", "api.example.eu", "https://example.eu/v1"]})
    assert found.startswith("hosts[2]: ")
    assert problems({"hosts": "*"}) != []


def test_only_a_rule_of_the_pack_can_be_kept_elsewhere() -> None:
    (found,) = problems({"elsewhere": {"residency-nothing": "in the landing zone"}})
    assert found.startswith("elsewhere.residency-nothing: ")


def test_the_cost_pack_has_an_elsewhere_of_its_own_rules() -> None:
    found = problems({"elsewhere": {"cost-nothing": "somewhere", RULES[0]: " "}}, CostConfig)
    assert found[0].startswith(f"elsewhere.{RULES[0]}: ")
    (found_alone,) = problems({"elsewhere": {"cost-nothing": "somewhere"}}, CostConfig)
    assert found_alone.startswith("elsewhere.cost-nothing: 'cost-nothing' is not a rule")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("nvidia-l4", ("nvidia-l4",)),
        (["nvidia-l4", "nvidia-t4g"], ("nvidia-l4", "nvidia-t4g")),
        ([], ()),
    ],
)
def test_types_of_gpus_are_named_one_by_one(given: object, expected: tuple[str, ...]) -> None:
    read_ = read_config(CostConfig, {"gpu_types": given}, RULES, TODAY)
    assert isinstance(read_, CostConfig)
    assert read_.gpu_types == expected


@pytest.mark.parametrize("given", ["NVIDIA L4", "", "nvidia-*", ["nvidia-l4", 4]])
def test_what_is_no_name_of_a_gpu_is_refused(given: object) -> None:
    (found,) = problems({"gpu_types": given}, CostConfig)
    assert found.startswith("gpu_types[")


def test_a_stack_is_for_trials_or_for_production() -> None:
    (found,) = problems({"environments": {"dev": "sandbox"}}, CostConfig)
    assert found.startswith("environments.dev")


def test_policies_that_are_told_nothing_follow_the_one_that_is() -> None:
    assert follow({"a": {}, "b": {"boundary": "eu"}, "c": {"boundary": "eu"}}) == {"boundary": "eu"}
    assert follow({"a": {}}) == {}


def test_policies_of_one_pack_cannot_be_told_different_things() -> None:
    with pytest.raises(BadInput, match="says something else than a"):
        follow({"a": {"boundary": "eu"}, "b": {"boundary": "us"}})


def written(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "residency.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_a_file_names_one_policy_and_may_say_its_level(tmp_path: Path) -> None:
    content = {"all": "mandatory", "residency": {"enforcementLevel": "mandatory", "boundary": "eu"}}
    assert read_file(written(tmp_path, content), POLICIES) == {"boundary": "eu"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ([], "must be an object by policy name"),
        ({"residancy": {}}, "did you mean residency?"),
        ({"residency": "disabled"}, "must be one of advisory, mandatory or an object"),
        ({"residency": {"enforcementLevel": "disabled"}}, "protects nobody"),
        ({"all": {"boundary": "eu"}}, "must be one of advisory, mandatory or an object"),
    ],
)
def test_a_file_that_would_quietly_do_nothing_is_refused(
    tmp_path: Path, content: object, message: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        read_file(written(tmp_path, content), POLICIES)
    assert message in str(refusal.value)
    assert "residency.json" in str(refusal.value)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="cannot be read"):
        read_file(tmp_path / "none.json", POLICIES)
