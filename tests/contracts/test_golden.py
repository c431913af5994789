"""Plans, resources, refusals and type tokens are what they were; a change is reviewed line by line."""

import pytest

from support import golden


@pytest.mark.parametrize("case", golden.cases())
def test_a_case_plans_creates_and_refuses_as_before(case: str) -> None:
    wanted = golden.texts(case)
    kept = {path.name: path.read_text(encoding="utf-8") for path in golden.GOLDEN.glob(f"{case}.*")}
    assert wanted == kept, f"if this is meant, run: {golden.COMMAND}"


def test_type_tokens_are_public_forever() -> None:
    kept = golden.TOKENS.read_text(encoding="utf-8")
    assert golden.tokens() == kept, f"a renamed token replaces live resources; {golden.COMMAND}"


def test_no_golden_file_is_left_of_a_case_that_is_gone() -> None:
    cases = golden.cases()
    left = [
        path.name
        for path in golden.GOLDEN.iterdir()
        if "@" in path.name and not any(path.name.startswith(f"{case}.") for case in cases)
    ]
    assert left == []
