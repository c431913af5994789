"""``portway rates refresh`` against a server on loopback that has lists in the documented shape."""

import json
from pathlib import Path

import pytest

from portway.price_lists.amazon import address
from portway.price_lists.wanted import lists_of, offers
from support.command_line import CommandLine
from support.price_list import duration, price_list, served

REQUESTS = duration("S2", "AWS-Lambda-Requests", ("0", "Inf", "0.00000022"), unit="Request")


def files(region: str = "eu-west-1") -> dict[str, str]:
    names = [name for name, _ in offers(lists_of("lambda-bedrock"))]
    rows = {"AWSLambda": REQUESTS}
    return {address(name, region, ""): price_list(name, *rows.get(name, [])) for name in names}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: portway\nruntime: python\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Refresh:
    def __init__(self, portway: CommandLine) -> None:
        self._portway = portway

    def __call__(self, *words: str) -> tuple[int, str, str]:
        where = ("--target", "lambda-bedrock", "--region", "eu-west-1")
        ran = self._portway("rates", "refresh", *where, *words)
        return ran.code, ran.out, ran.err


@pytest.fixture
def refresh(portway: CommandLine) -> Refresh:
    return Refresh(portway)


def test_a_refresh_says_what_changed_and_writes_nothing_unless_told(
    project: Path, refresh: Refresh
) -> None:
    with served(files(), busy_first=1) as url:
        code, said, _ = refresh("--from", url, "--json")
    (target,) = json.loads(said)["targets"]
    assert code == 0
    assert target["rates"] == [
        {
            "sku": "requests",
            "region": "eu-west-1",
            "unit": "million",
            "says": "confirmed",
            "was": "0.3040",
            "was_grade": "unconfirmed",
            "now": "0.22000000",
            "source": "AWS Price List, AWSLambda in eu-west-1, published 2026-11-19",
            "as_of": "2026-11-19",
        }
    ]
    assert {one["why"] for one in target["unmatched"]} == {"the list has no such row"}
    assert not (project / "policies").exists()


def test_a_refresh_that_writes_keeps_the_rate_beside_the_packs_configuration(
    project: Path, refresh: Refresh
) -> None:
    with served(files()) as url:
        code, said, _ = refresh("--from", url, "--write")
    assert (code, "kept in policies/rates" in said) == (0, True)
    kept = json.loads((project / "policies" / "rates" / "lambda-bedrock.json").read_text())
    assert [(row["sku"], row["regions"], row["amount"], row["as_of"]) for row in kept["rates"]] == [
        ("requests", ["eu-west-1"], "0.22000000", "2026-11-19")
    ]
    assert [one.name for one in (project / "policies" / "rates").iterdir()] == [
        "lambda-bedrock.json"
    ]


def test_lists_may_be_copies_in_a_folder(project: Path, refresh: Refresh) -> None:
    for path, text in files().items():
        file = project / "copies" / path.lstrip("/")
        file.parent.mkdir(parents=True)
        file.write_text(text)
    code, said, _ = refresh("--from", "copies", "--json")
    assert (code, json.loads(said)["targets"][0]["rates"][0]["now"]) == (0, "0.22000000")


def test_a_list_that_cannot_be_had_is_said_with_its_address_and_exit_3(
    project: Path, refresh: Refresh
) -> None:
    with served({}) as url:
        code, _, said = refresh("--from", url)
    assert code == 3
    assert "/AWSLambda/current/eu-west-1/index.csv cannot be read (HTTP 404)" in said
    code, _, said = refresh("--from", "nowhere")
    assert (code, "Traceback" in said) == (3, False)
    assert "cannot be read" in said


def test_a_page_that_is_no_list_is_exit_3_and_not_an_empty_list(
    project: Path, refresh: Refresh
) -> None:
    pages = dict.fromkeys(files(), "<html>please sign in</html>\n")
    with served(pages) as url:
        code, _, said = refresh("--from", url, "--write")
    assert code == 3
    assert (
        "the list is not as documented: AWSLambda: its first lines name no Publication Date" in said
    )
    assert not (project / "policies").exists()


def test_a_region_that_is_none_is_bad_input(project: Path, refresh: Refresh) -> None:
    code, _, said = refresh("--region", "../../x", "--region", "Ireland")
    assert code == 2
    assert said.count("is no region of AWS") == 2
