"""``portway advise``: its document, its table, its picture, and what it refuses to read."""

import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portway.pricing import freshness
from portway.registry import load_target, registered
from support.command_line import CommandLine

SPEC = """\
name: chat
model: ministral-3-8b
scaling: {min: 1, max: 2, concurrency: 8}
residency: eu
budget: {monthly_usd: 2500}
traffic: {requests_per_day: 2000, input_tokens: 600, output_tokens: 200}
"""
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "chat.yaml"
    path.write_text(SPEC)
    return path


def written(spec: Path, old: str, new: str) -> str:
    text = spec.read_text()
    assert old in text
    spec.write_text(text.replace(old, new))
    return spec.name


def test_the_document_has_the_keys_that_programs_rely_on(spec: Path, portway: CommandLine) -> None:
    ran = portway("advise", spec.name, "--json")
    assert ran.code == 0
    found = ran.json
    for one in found["candidates"]:
        assert {"target", "region", "scaling", "monthly", "recommended"} <= set(one)
        assert set(one["scaling"]) == {"min", "max", "concurrency"}
        assert list(one["monthly"]) == ["floor", "expected_low", "expected", "ceiling"]
    for one in found["refused"]:
        assert set(one) == {"target", "region", "reasons"}
        assert one["reasons"]
        assert all(isinstance(reason, str) and reason for reason in one["reasons"])
    places = {(one["target"], one["region"]) for one in (*found["candidates"], *found["refused"])}
    assert places == {
        (name, region) for name in registered() for region in load_target(name).regions()
    }


def test_exactly_one_is_recommended_and_nothing_is_cheaper(
    spec: Path, portway: CommandLine
) -> None:
    found = portway("advise", spec.name, "--json").json["candidates"]
    (best,) = [one for one in found if one["recommended"]]
    expected = [Decimal(one["monthly"]["expected"]) for one in found]
    assert Decimal(best["monthly"]["expected"]) == min(expected)
    assert expected == sorted(expected)
    assert best["why_not"] == []
    assert all(one["why_not"] for one in found if not one["recommended"])


def test_break_even_is_told_to_programs_in_figures_and_in_words(
    spec: Path, portway: CommandLine
) -> None:
    found = portway("advise", spec.name, "--json").json["break_even"]
    first = found[0]
    assert [end["paid_for"] for end in first["between"]] == ["from zero", "always on"]
    assert first["requests_per_day"] == pytest.approx(first["analytic_requests_per_day"], rel=0.01)
    assert 0 < first["utilisation"] < 1
    assert f"{first['requests_per_day']:,.0f} requests a day" in first["sentence"]


def test_the_table_fits_a_hundred_columns(spec: Path, portway: CommandLine) -> None:
    ran = portway("advise", spec.name, "--no-color")
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 100
    (best,) = [line for line in lines if line.startswith("→")]
    assert "lambda-bedrock" in best
    titles = [line for line in lines if line and not line.startswith((" ", "→"))]
    assert [title.partition(":")[0] for title in titles[2:]] == ["why not", "break-even", "refused"]


def test_only_the_best_places_are_shown_when_asked_for(spec: Path, portway: CommandLine) -> None:
    out = portway("advise", spec.name, "--top", "1").out
    assert "more places with --top" in out
    assert "why not" not in out


def test_a_spec_without_traffic_is_refused_with_what_to_add(
    spec: Path, portway: CommandLine
) -> None:
    name = written(spec, "traffic: {requests_per_day: 2000, input_tokens: 600, output_tokens: 200}\n", "")  # fmt: skip
    ran = portway("advise", name)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("chat.yaml")
    assert "traffic: is missing" in ran.err
    assert "`traffic: {requests_per_day: 2000" in ran.err


BAD: dict[str, tuple[str, str, str]] = {
    "negative": ("requests_per_day: 2000", "requests_per_day: -1", "chat.yaml:6: traffic.requests_per_day: "),
    "absurd": ("requests_per_day: 2000", "requests_per_day: 99999999999", "chat.yaml:6: traffic.requests_per_day: "),
    "another currency": ("monthly_usd: 2500", "monthly_eur: 2500", "chat.yaml:5: budget.monthly_eur: "),
    "money that is none": ("monthly_usd: 2500", "monthly_usd: 2500 EUR", "chat.yaml:5: budget.monthly_usd: "),
    "no such model": ("ministral-3-8b", "ministral-3-9b", "chat.yaml:2: model: "),
    "no such boundary": ("residency: eu", "residency: mars", "chat.yaml:4: residency: "),
    "an answer longer than the model's": ("output_tokens: 200", "output_tokens: 999999", "chat.yaml:6: traffic.output_tokens: "),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_spec_is_refused_as_check_refuses_it(
    spec: Path, portway: CommandLine, old: str, new: str, message: str
) -> None:
    ran = portway("advise", written(spec, old, new), "--json")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("path", ["nowhere.yaml", "."])
def test_what_is_no_file_is_bad_input(spec: Path, portway: CommandLine, path: str) -> None:
    ran = portway("advise", path)
    assert spec.exists()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err
    assert "Traceback" not in ran.err


def test_traffic_that_no_scaling_serves_ends_with_one_and_says_what_would(
    spec: Path, portway: CommandLine
) -> None:
    name = written(spec, "requests_per_day: 2000", "requests_per_day: 50000000")
    ran = portway("advise", name, "--json")
    assert ran.code == 1
    assert ran.json["candidates"] == []
    assert "nothing can be recommended" in ran.err
    reasons = {reason for one in ran.json["refused"] for reason in one["reasons"]}
    assert any(reason.startswith("scaling.max: is 2, which has room for 16") for reason in reasons)


def test_no_traffic_at_all_is_traffic(spec: Path, portway: CommandLine) -> None:
    ran = portway(
        "advise", written(spec, "requests_per_day: 2000", "requests_per_day: 0"), "--json"
    )
    assert ran.code == 0
    (best,) = [one for one in ran.json["candidates"] if one["recommended"]]
    assert Decimal(best["monthly"]["expected"]) == Decimal(best["monthly"]["floor"])


def test_a_budget_that_nothing_fits_is_said_and_something_is_recommended(
    spec: Path, portway: CommandLine
) -> None:
    name = written(spec, "model: ministral-3-8b", "model: qwen3-8b")
    written(spec, "monthly_usd: 2500", "monthly_usd: 20")
    ran = portway("advise", name, "--json")
    assert ran.code == 0
    found = ran.json["candidates"]
    assert all(one["over_budget"] for one in found)
    assert [one["recommended"] for one in found].count(True) == 1
    assert "nothing fits the budget of 20 USD" in ran.err


def test_the_picture_is_written(spec: Path, portway: CommandLine) -> None:
    ran = portway("advise", spec.name, "--plot", "cost.png")
    assert ran.code == 0
    drawn = (spec.parent / "cost.png").read_bytes()
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) > 20_000
    assert "cost.png: written" in ran.err


@pytest.mark.parametrize(
    ("name", "message"),
    [("cost.svg", "is no PNG"), ("no/such/cost.png", "its folder does not exist")],
)
def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_compared(
    spec: Path, portway: CommandLine, name: str, message: str
) -> None:
    ran = portway("advise", spec.name, "--plot", name)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def modules_after(*arguments: str) -> set[str]:
    program = (
        "import sys; from portway.cli.app import main\n"
        f"sys.argv = ['portway', *{arguments!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    last: Any = ran.stderr.splitlines()[-1]
    return {name.strip("' ") for name in str(last).strip("[]").split(",")}


def test_advice_loads_no_pulumi_and_draws_only_when_asked() -> None:
    loaded = modules_after("advise", "stacks/specs/chat.yaml", "--json")
    assert "portway" in loaded
    heavy = {
        "pulumi",
        "pulumi_aws",
        "pulumi_gcp",
        "pulumi_kubernetes",
        "boto3",
        "grpc",
        "matplotlib",
    }
    assert loaded & heavy == set()


def test_old_rates_are_named(
    spec: Path, portway: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "utc_today", lambda: date(2036, 1, 1))
    ran = portway("advise", spec.name, "--json")
    assert ran.code == 0
    assert "rates used are older than 120 days; the oldest, " in ran.err
