"""What docs/endpoint.md says differs is what ``portway compare`` says."""

import re
from pathlib import Path

import pytest

from portway.registry import load_target, registered

PAGE = Path(__file__).resolve().parents[1] / "docs" / "endpoint.md"


def rows() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for line in PAGE.read_text().split("## What differs, and why")[1].splitlines():
        cells = [re.sub("`", "", cell).strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and cells[0] and "---" not in cells[0]:
            found[cells[0]] = (cells[1], cells[2])
    return found


def test_every_published_difference_can_be_compared() -> None:
    known = {name for target in registered() for name in load_target(target).capabilities.wire}
    # a header that a vendor adds is no ability; it is published and not compared
    assert set(rows()) - known == {"x-request-id beside"}


@pytest.mark.parametrize("target", registered())
def test_a_target_says_what_the_page_says(target: str) -> None:
    published = rows()
    for name, text in load_target(target).capabilities.wire.items():
        assert any(text in cell for cell in published[name]), name
