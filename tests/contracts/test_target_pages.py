"""The page of each target: a picture of what is there, and everything it names exists."""

import json
import re
from pathlib import Path

import pytest

from portway.registry import registered

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"\b([a-z]+[a-z0-9_]*\.[A-Z]\w+|[A-Z][a-z]+[A-Z]\w+)\b")
NOT_RESOURCES = {"OpenAI"}


def _page(target: str) -> str:
    folder = target.replace("-", "_")
    return (ROOT / "components/portway/targets" / folder / "README.md").read_text(encoding="utf-8")


def _created(target: str) -> set[str]:
    """``module.Type`` (on Kubernetes the kind) of everything that any golden case creates."""
    found: set[str] = set()
    for file in (ROOT / "tests/golden").glob(f"*@{target}.resources.json"):
        for one in json.loads(file.read_text(encoding="utf-8")):
            _, module, name = (
                one["type"].split(":") if one["type"].count(":") == 2 else ("", "", "")
            )
            found |= {name, f"{module.split('/')[0]}.{name}".replace("lambda.", "lambda_.")}
    return found


@pytest.mark.parametrize("target", registered())
def test_the_picture_of_a_target_names_only_what_it_creates(target: str) -> None:
    [picture] = re.findall(r"```mermaid\n(.*?)```", _page(target), re.S)
    named = set(NAMED.findall(picture)) - NOT_RESOURCES
    assert named
    assert named - _created(target) == set()


@pytest.mark.parametrize("target", registered())
def test_a_target_says_what_it_creates_refuses_and_needs(target: str) -> None:
    headings = " ".join(re.findall(r"^## (.*)$", _page(target), re.M)).lower()
    assert [one for one in ("creat", "refuse", "quota") if one not in headings] == []
