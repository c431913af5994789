"""Mutation testing changes one thing of one function, in place, and counts what was noticed."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from mutants import Mutant, mutants, put_in
from mutation import Score

SOURCE = '''\
"""A rule."""

from typing import cast


def is_inside(place: str, strict: bool = True) -> bool:
    """Whether it is."""
    if strict:
        return place == "eu"
    return cast("bool", place)


class Rule:
    """Holds a function already, as rules hold theirs."""

    judge = staticmethod(is_inside)

    def twice(self, number: int) -> int:
        return number * 2


def family(name: str):
    def judge(place: str) -> bool:
        return place == name

    return judge


EUROPE = family("eu")
'''


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    file = tmp_path / "rule.py"
    file.write_text(SOURCE, encoding="utf-8")
    spec = spec_from_file_location("rule", file)
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def made(module: ModuleType) -> list[Mutant]:
    return list(mutants(Path(str(module.__file__)), "rule"))


def one(module: ModuleType, change: str) -> Mutant:
    return next(mutant for mutant in made(module) if change in mutant.change)


def test_a_mutant_is_one_change_of_one_function(module: ModuleType) -> None:
    mutant = one(module, "!=")
    assert mutant.function == "is_inside"
    assert mutant.change == '-        return place == "eu"\n+        return place != "eu"'
    assert mutant.key == 'rule.x_is_inside: - return place == "eu" + return place != "eu"'


def test_a_mutant_makes_a_difference_only_where_its_statement_runs(module: ModuleType) -> None:
    assert one(module, "!=").lines == {9}
    assert one(module, "strict: bool = False").lines == {6, 7, 8, 9, 10}


def test_a_mutant_is_put_in_wherever_the_function_is_held_already(module: ModuleType) -> None:
    put_in(one(module, "!="), module)
    assert module.Rule.judge("us")
    assert not module.is_inside("eu")


def test_methods_and_defaults_are_changed_in_place_too(module: ModuleType) -> None:
    put_in(one(module, "number / 2"), module)
    put_in(one(module, "strict: bool = False"), module)
    assert module.Rule().twice(3) == 1.5
    assert module.is_inside("us") == "us"


def test_what_a_function_gave_away_before_is_changed_too(module: ModuleType) -> None:
    put_in(one(module, "place != name"), module)
    assert module.EUROPE("us")


def test_what_a_cast_names_is_no_change(module: ModuleType) -> None:
    unread = [mutant.change for mutant in made(module) if mutant.is_for_the_type_checker]
    assert len(unread) >= 2
    assert all("place)" in change and "cast(" in change for change in unread)


def test_only_what_was_tried_is_counted_and_the_explained_apart() -> None:
    verdicts = ["a test", "a test", "a test", "survived", "no test reaches it", None]
    score = Score.of(verdicts, explained=1)
    assert score == Score(made=6, tried=5, killed=3, explained=1, left=1)
    assert score.share == 0.75


def test_the_tests_start_without_what_shares_them_out(pytestconfig: pytest.Config) -> None:
    """Mutants are tried in forks of one process: its pytest knows no hook of xdist's."""
    own = next(
        each for each in pytestconfig.pluginmanager.get_plugins() if hasattr(each, "ByGroup")
    )
    assert own.pytest_xdist_make_scheduler.pytest_impl["optionalhook"]
