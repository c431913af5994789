"""A pack is a folder; a broken one is loud."""

from pathlib import Path

import pytest

from portway.errors import Missing
from portway.gate.pack import load_pack

_RULE = """
from portway.gate.rule import Rule, Severity
RULE = Rule("{id}", Severity.HIGH, "One.", "Two.")
"""


def pack_folder(tmp_path: Path, name: str = "cost", **files: str) -> Path:
    folder = tmp_path / name
    (folder / "rules").mkdir(parents=True)
    for stem, text in files.items():
        (folder / "rules" / f"{stem}.py").write_text(text)
    return folder


def test_every_file_in_rules_is_a_rule_named_as_its_id_says(tmp_path: Path) -> None:
    folder = pack_folder(tmp_path, one_more=_RULE.format(id="cost-one-more"))
    pack = load_pack(folder)
    assert [rule.id for rule in pack.rules] == ["cost-one-more"]
    assert pack.policies == ("cost", "cost-whole-stack", "cost-advice", "cost-whole-stack-advice")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RULE = 1", "must define RULE, a Rule with the id cost-one-more"),
        ("", "must define RULE"),
        (_RULE.format(id="cost-another"), "with the id cost-one-more"),
    ],
)
def test_a_file_that_is_no_rule_breaks_the_pack(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Missing, match=message):
        load_pack(pack_folder(tmp_path, one_more=text))


def test_a_pack_without_rules_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="is not a policy pack"):
        load_pack(pack_folder(tmp_path))


def test_a_pack_with_a_name_nobody_configures_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="is not a policy pack"):
        load_pack(pack_folder(tmp_path, "carbon", one=_RULE.format(id="carbon-one")))
