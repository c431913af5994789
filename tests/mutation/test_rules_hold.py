"""What the rules say of their examples and of the corpus, word for word: quick, for mutation testing."""

from collections.abc import Iterator

import pytest

from corpus.report import cases
from portway.gate.session import Level
from support import judgements
from support.judgements import COMMAND, GOLDEN, examples, names, rules

NAMES = names()
for _pack, _rule in rules():
    examples(_pack, _rule.id)  # read once, before the tests are forked for each small change


def parts() -> Iterator[tuple[str, int]]:
    for name in NAMES:
        for number in range(len(judgements.parts(name))):
            yield name, number


@pytest.mark.parametrize(("name", "number"), [*parts()])
def test_every_judgement_reads_as_before(name: str, number: int) -> None:
    kept = judgements.kept(name)[number]
    assert judgements.parts(name)[number]() == kept, f"if this is meant, run: {COMMAND}"


@pytest.mark.parametrize("name", NAMES)
def test_no_judgement_is_kept_of_an_example_that_is_gone(name: str) -> None:
    assert len(judgements.kept(name)) == len(judgements.parts(name))


def test_no_golden_file_is_left_of_a_rule_that_is_gone() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(NAMES)


def test_the_corpus_is_judged_alike_without_the_sdk() -> None:
    refused = {
        case.id
        for case in cases()
        if any(one.level is Level.MANDATORY for one in judgements.of_case(case))
    }
    assert refused == {case.id for case in cases() if case.leaks}
