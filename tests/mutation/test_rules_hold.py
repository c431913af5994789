"""What the rules say of their examples and of the corpus, word for word: quick, for mutation testing."""

import pytest

from corpus.report import cases
from portway.gate.session import Level
from support import judgements
from support.judgements import GOLDEN, examples, names, rules

NAMES = names()
for _pack, _rule in rules():
    examples(_pack, _rule.id)  # read once, before the tests are forked for each small change


@pytest.mark.parametrize("name", NAMES)
def test_every_judgement_reads_as_before(name: str) -> None:
    kept = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert judgements.text(name) == kept, f"if this is meant, run: {judgements.COMMAND}"


def test_no_golden_file_is_left_of_a_rule_that_is_gone() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(NAMES)


def test_the_corpus_is_judged_alike_without_the_sdk() -> None:
    refused = {
        case.id
        for case in cases()
        if any(one.level is Level.MANDATORY for one in judgements.of_case(case))
    }
    assert refused == {case.id for case in cases() if case.leaks}
